"""Logging in and out, and the limits of an account: the real codex with an OAuth issuer and a backend on loopback."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.demo.chatgpt import usage_windows
from codex_server_cli.demo.replies import say
from tests.fakes.issuer import ISSUER_ENV, LOGIN_PORTS, USER_CODE, Issuer, login_ports
from tests.kit.home import Home
from tests.kit.support import DEADLINE_S, Json, wait_until

BROWSER = """\
#!{python} -IS
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(sys.argv[1], timeout=60).read()
"""


@contextlib.contextmanager
def logged_out(home: Home) -> Iterator[Issuer]:
    """ChatGPT mode, logged out, with an issuer to log in with."""
    model = home.chatgpt([say("done")])
    model.wham_usage = usage_windows(credits="12.5")
    with Issuer.of_login(home.codex_home, model.origin) as issuer:
        home.env[ISSUER_ENV] = issuer.url
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"):
            home.env.pop(name, None)
        yield issuer


@pytest.fixture
def issuer(home: Home) -> Iterator[Issuer]:
    with logged_out(home) as issuer:
        yield issuer


@pytest.fixture
def one_issuer(one_home: Home) -> Iterator[Issuer]:
    with logged_out(one_home) as issuer:
        yield issuer


def install_browser(home: Home) -> None:
    """A browser whose user does what the page asks for."""
    path = home.root / "browser"
    path.write_text(BROWSER.format(python=sys.executable))
    path.chmod(0o755)
    home.env["BROWSER"] = f"{path} %s"


def account(home: Home) -> Json:
    """The output of `account --json`."""
    return home.run("account", "--full").json


def read_until(process: subprocess.Popen[str], message: str) -> str:
    """Its stdout, up to the line that holds this text."""
    assert process.stdout is not None
    text = ""
    while message not in text:
        line = process.stdout.readline()
        assert line, f"it ended with {text!r} and {process.communicate()}"
        text += line
    return text


# --- ChatGPT


@pytest.mark.measured
def test_a_login_in_a_browser_and_what_it_gives_until_the_logout(home: Home, issuer: Issuer) -> None:
    logged_out = home.run("account")
    assert (logged_out.code, logged_out.stdout) == (2, "logged in  no\n")
    assert "codex-server login --device" in logged_out.stderr
    assert home.run("limits").code == 2
    install_browser(home)
    with login_ports():
        run = home.run("login")
    assert run.code == 0, run
    assert f"It should open by itself.\n  {issuer.url}/oauth/authorize?" in run.stdout
    assert "logged in  ChatGPT\nemail      user@example.com\nplan       pro\n" in run.stdout
    assert json.loads((home.codex_home / "auth.json").read_bytes())["auth_mode"] == "chatgpt"

    found = account(home)
    assert (found["mode"], found["email"], found["plan"]) == ("chatgpt", "user@example.com", "pro")
    assert (found["login_needed"], found["problem"], found["details"]) == (False, None, None)

    (limits,) = json.loads(home.run("limits", "--json").stdout)
    assert [(w["used_percent"], w["window_minutes"], w["resets_at"]) for w in limits["windows"]] == [
        (25, 300, "2033-05-18T03:33:20.000Z"),
        (10, 10080, "2033-05-18T03:33:20.000Z"),
    ]
    assert limits["credits"] == {"unlimited": False, "balance": "12.5"}
    text = home.run("limits").stdout
    assert "5 hours  █████░░░░░░░░░░░░░░░  25 %  resets " in text
    assert "1 week   ██░░░░░░░░░░░░░░░░░░  10 %  resets " in text

    assert home.run("logout").stdout == "Logged out.\n"
    assert not (home.codex_home / "auth.json").exists()
    assert (account(home)["mode"], account(home)["login_needed"]) == (None, True)
    assert home.run("logout").code == 0  # the state is still logged out


@pytest.mark.measured
def test_a_login_with_a_code_needs_no_browser_here(home: Home, issuer: Issuer) -> None:
    process = home.spawn("login", "--device")
    reported = read_until(process, USER_CODE)
    assert f"{issuer.url}/codex/device" in reported
    issuer.has_agreed.set()
    stdout, stderr = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, stderr
    assert "logged in  ChatGPT" in stdout


@pytest.mark.parametrize("flag", [(), ("--device",)])
@pytest.mark.full
def test_ctrl_c_cancels_the_login_by_its_id(home: Home, issuer: Issuer, flag: tuple[str, ...]) -> None:
    said = home.root / "said"
    home.wrap_codex(f'tee -a "{said}" | {home.codex} "$@"')
    with login_ports():
        process = home.spawn("login", *flag)
        reported = read_until(process, USER_CODE if flag else "/oauth/authorize?")
        assert "open by itself" not in reported
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, "The login was cancelled." in stderr) == (130, True), stderr
    requests = [json.loads(line) for line in said.read_text().splitlines()]
    (cancelled,) = (request for request in requests if request["method"] == "account/login/cancel")
    assert cancelled["params"]["loginId"]
    wait_until(lambda: home.processes("app-server") == [], what="the end of the app-server")
    assert account(home)["mode"] is None


def test_a_login_that_dies_takes_its_page_with_it(one_home: Home, one_issuer: Issuer) -> None:
    with login_ports():
        process = one_home.spawn("login", "--no-browser")
        read_until(process, "/oauth/authorize?")
        process.kill()
        process.communicate(timeout=DEADLINE_S)
        wait_until(lambda: one_home.processes("app-server") == [], what="the end of the app-server")


def test_a_login_that_is_refused_in_the_browser_is_2_in_codex_words(one_home: Home, one_issuer: Issuer) -> None:
    install_browser(one_home)
    one_issuer.refuses = True
    with login_ports():
        run = one_home.run("login")
    assert run.code == 2
    assert "codex-server: the login was not completed: Sign-in failed: no\n" in run.stderr
    assert not (one_home.codex_home / "auth.json").exists()


@pytest.mark.full
@pytest.mark.measured
def test_a_second_login_ends_the_first_which_says_so(one_home: Home, one_issuer: Issuer) -> None:
    with login_ports():
        first = one_home.spawn("login", "--no-browser")
        read_until(first, "/oauth/authorize?")
        second = one_home.spawn("login", "--no-browser")
        read_until(second, "/oauth/authorize?")
        _, stderr = first.communicate(timeout=DEADLINE_S)
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=DEADLINE_S)
    assert (first.returncode, second.returncode) == (2, 130)
    assert "the login was not completed: Login cancelled\n" in stderr
    assert "only one at a time" in stderr


@pytest.mark.full  # codex itself tries again for 6 s
def test_taken_ports_are_75_with_the_way_around(one_home: Home, one_issuer: Issuer) -> None:
    with login_ports(), contextlib.ExitStack() as held:
        for port in LOGIN_PORTS:
            holder = held.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", port))
            holder.listen()
        run = one_home.run("login")
    assert (run.code, run.stdout) == (75, "")
    assert run.stderr.startswith("codex-server: the login page cannot be served here: ")
    assert "login --device" in run.stderr


def test_no_network_is_one_clear_line(one_home: Home, one_issuer: Issuer) -> None:
    one_home.env[ISSUER_ENV] = "http://127.0.0.1:9"
    run = one_home.run("login", "--device")
    assert (run.code, run.stdout) == (1, "")
    assert run.stderr.startswith("codex-server: Codex cannot reach the service: failed to request device code")
    assert run.stderr.count("\n") == 2


@pytest.mark.full
def test_an_account_whose_details_are_unavailable_is_not_logged_out(home: Home, issuer: Issuer) -> None:
    model = home.chatgpt([say("done")])
    model.wham_accounts = None
    run = home.run("account", "--refresh")  # the tests' refresh URL leads nowhere
    assert run.code == 0
    assert "logged in  ChatGPT\ndetails    unavailable: workspace routing discovery failed\n" in run.stdout
    assert "token      could not be renewed" in run.stdout
    home.env["CODEX_REFRESH_TOKEN_URL_OVERRIDE"] = f"{issuer.url}/oauth/token"
    assert home.run("account", "--refresh", "--full").json["refreshed"] is True
    model.wham_usage = None
    limits = home.run("limits")
    assert (limits.code, limits.stdout) == (1, "")
    assert "codex-server: Codex cannot reach the service: failed to fetch codex rate limits" in limits.stderr


# --- API keys, providers, models


@pytest.mark.measured
@pytest.mark.full
def test_an_api_key_logs_in_from_stdin_where_config_json_allows_it(home: Home) -> None:
    refused = home.run("login", "--api-key", "-", stdin="sk-secret\n")
    assert (refused.code, '"auth": "any"' in refused.stderr) == (2, True)
    assert not (home.codex_home / "auth.json").exists()

    home.configure(auth="any")
    assert account(home)["problem"] == "Codex is not logged in"  # whatever would be allowed
    run = home.run("login", "--api-key", "-", stdin="sk-secret\n")
    assert (run.code, run.stdout) == (0, "logged in  an API key\n")
    assert (home.codex_home / "auth.json").stat().st_mode & 0o777 == 0o600
    assert (account(home)["mode"], account(home)["problem"]) == ("api_key", None)
    assert home.run("limits").code == 2
    home.configure()
    found = home.run("account", "--full")
    assert (found.code, found.json["problem"]) == (2, "Codex is logged in with an API key, not with ChatGPT")
    assert home.run("logout").code == 0
    assert account(home)["mode"] is None


@pytest.mark.measured
def test_a_provider_of_ones_own_needs_no_login(home: Home) -> None:
    home.model([say("done")])
    run = home.run("account")
    assert (run.code, run.stdout) == (0, "logged in  no; the configured provider needs no login\n")


@pytest.mark.measured
@pytest.mark.full
def test_models_are_listed_without_a_login_and_kept_for_the_checks(home: Home) -> None:
    kept = home.path / "models.json"
    assert not kept.exists()
    run = home.run("models")
    assert (run.code, run.stdout.splitlines()[0].split()) == (0, ["MODEL", "EFFORTS", "(*", "DEFAULT)", "INPUT"])
    shown = json.loads(home.run("models", "--json").stdout)
    everything = json.loads(home.run("models", "--json", "--all").stdout)
    assert [model["default"] for model in shown].count(True) == 1
    assert all(model["default_effort"] in model["efforts"] and "text" in model["modalities"] for model in shown)
    assert [model for model in everything if not model["hidden"]] == shown
    assert len(everything) > len(shown)
    assert [model["name"] for model in json.loads(kept.read_bytes())["models"]] == [m["model"] for m in everything]


def test_setup_keeps_the_models(one_home: Home) -> None:
    assert one_home.run("setup").code == 0
    assert json.loads((one_home.path / "models.json").read_bytes())["models"]


def test_a_codex_home_that_is_missing_is_made_by_a_login_alone(one_home: Home) -> None:
    one_home.configure(auth="any")
    one_home.env["CODEX_HOME"] = str(one_home.root / "fresh" / "codex")
    fresh = Path(one_home.env["CODEX_HOME"])
    for verb in ("account", "limits", "models", "logout"):
        run = one_home.run(verb)
        assert (run.code, run.stdout) == (65, "")
        assert f"Codex's home {fresh} does not exist\n" in run.stderr
    assert not fresh.parent.exists()
    assert one_home.run("login", "--api-key", "-", stdin="sk-secret").code == 0
    assert (fresh / "auth.json").exists()
