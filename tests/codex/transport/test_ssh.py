"""An app-server behind a real ssh: how it is reached, what is said where it is not, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.codex.client import CodexClient, run_query_on
from codex_server_cli.codex.transport import ssh
from codex_server_cli.codex.transport.connect import Route
from codex_server_cli.codex.transport.ssh import SshServer, remote_sweep
from codex_server_cli.core.model.server.address import parse_address
from codex_server_cli.core.protocol.query import Query, initialize, version_of
from codex_server_cli.errors import ErrorKind, ServerError
from tests.kit.processes import named, with_variable
from tests.kit.sshd import Sshd, running_sshd
from tests.kit.support import wait_until

TIMEOUT_S = 60.0


@pytest.fixture
def sshd_of(tmp_path: Path, codex_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Sshd]]:
    """Start an sshd whose sessions find a codex; its `ssh` is the first on our PATH."""
    started: list[object] = []

    def start(codex: Path) -> Sshd:
        folder = tmp_path / "remote-bin"
        folder.mkdir()
        (folder / "codex").symlink_to(codex)
        context = running_sshd(tmp_path / "sshd", codex_home, str(folder))
        started.append(context)
        server = context.__enter__()
        monkeypatch.setenv("PATH", f"{server.bin}{os.pathsep}{os.environ['PATH']}")
        return server

    yield start
    for context in started:
        context.__exit__(None, None, None)  # type: ignore[attr-defined]


@pytest.fixture
def sshd(sshd_of: Callable[[Path], Sshd], codex: Path) -> Sshd:
    return sshd_of(codex)


@pytest.fixture
def one_sshd(sshd_of: Callable[[Path], Sshd], one_codex: Path) -> Sshd:
    return sshd_of(one_codex)


def route(sshd: Sshd, path: str = "", *, port: int | None = None, server_command: str | None = None) -> Route:
    address = parse_address(f"ssh://127.0.0.1:{port or sshd.port}{path}")
    return Route(address, server_command=server_command)


def ask(route: Route, cwd: str | None = None, timeout_s: float = TIMEOUT_S) -> str | None:
    """Its user agent."""
    return run_query_on(
        lambda: SshServer(route, cwd, may_bill_api_key=False), route.address.url, initialize("1"), timeout_s
    )


def failure(route: Route, cwd: str | None = None, timeout_s: float = TIMEOUT_S) -> ServerError:
    with pytest.raises(ServerError) as caught:
        ask(route, cwd, timeout_s)
    assert "\n" not in caught.value.message
    return caught.value


def write_shell_rc(sshd: Sshd, text: str) -> None:
    """Put a line into the rc file of the sessions' shell."""
    for name in (".bashrc", ".zshenv"):
        (sshd.home / name).write_text(text)


def test_an_app_server_of_another_host_answers_whatever_its_shell_prints_first(one_sshd: Sshd) -> None:
    write_shell_rc(one_sshd, "echo 'Welcome to {far}'; echo '{\"news\": 1}'; printf 'no newline: '\n")
    assert version_of(ask(route(one_sshd), "/") or "")
    wait_until(lambda: not one_sshd.sessions(), what="the end of the session")
    assert remote_sweep(route(one_sshd), "20260101-000000-000-0000", TIMEOUT_S) is None


@pytest.mark.full
def test_it_has_the_mark_of_its_turn_and_that_hosts_settings_without_its_keys(sshd: Sshd, tmp_path: Path) -> None:
    write_shell_rc(sshd, "export OPENAI_API_KEY=sk-1 CODEX_API_KEY=sk-2\n")
    home = tmp_path / "home of codex'"
    home.mkdir()
    way = route(sshd, str(home).replace(" ", "%20"))
    said: list[bytes] = []
    link = SshServer(way, str(tmp_path), may_bill_api_key=False, turn_id="turn-1", on_stderr=said.append)
    with CodexClient(lambda: link, way.address.url) as client:
        assert client.run(initialize("1"), TIMEOUT_S)
        (process,) = named(with_variable(TURN_VARIABLE, "turn-1"), "codex")
        environment = process.environ()
        assert (process.cwd(), environment["CODEX_HOME"]) == (str(tmp_path), str(home))
        assert not {"OPENAI_API_KEY", "CODEX_API_KEY"} & set(environment)
        assert psutil.Process(link.pid).environ()[TURN_VARIABLE] == "ssh"
    assert link.end() == "exit code 0"
    wait_until(lambda: not with_variable(TURN_VARIABLE, "turn-1"), what="the end of codex")


@pytest.mark.full
def test_a_key_may_be_billed_where_that_is_allowed_and_a_provider_be_named(sshd: Sshd) -> None:
    write_shell_rc(sshd, "export OPENAI_API_KEY=sk-1\n")

    def providers() -> Query[object]:
        yield from initialize("1")
        return (yield "config/read", {"includeLayers": False})["result"]["config"]["model_provider"]

    link = SshServer(route(sshd), may_bill_api_key=True, turn_id="turn-2", provider="ollama")
    with CodexClient(lambda: link, "x") as client:
        assert client.run(providers(), TIMEOUT_S) == "ollama"
        (process,) = named(with_variable(TURN_VARIABLE, "turn-2"), "codex")
        assert process.environ()["OPENAI_API_KEY"] == "sk-1"


@pytest.mark.full
def test_a_codex_that_is_not_on_its_path_is_named_by_server_command(sshd: Sshd, tmp_path: Path) -> None:
    binary = (tmp_path / "remote-bin" / "codex").rename(tmp_path / "elsewhere")
    error = failure(route(sshd))
    assert error.kind is ErrorKind.CODEX_MISSING
    assert error.message.startswith("127.0.0.1 cannot run codex: ")
    assert "server_command" in error.hint
    assert ask(route(sshd, server_command=str(binary)))
    assert ask(route(sshd, server_command=f"bash -c 'exec {binary} app-server'"))


@pytest.mark.full
def test_a_directory_that_is_not_there_is_told(sshd: Sshd) -> None:
    error = failure(route(sshd), "/not here")
    assert error.message.startswith("127.0.0.1 has no directory /not here that can be entered: ")
    assert "--cwd" in error.hint


@pytest.mark.full
def test_each_login_that_fails_is_told_with_its_next_step(one_sshd: Sshd, tmp_path: Path) -> None:
    own = one_sshd.known_hosts.read_text()
    one_sshd.know(one_sshd.root / "other_key.pub")
    assert "has another host key than the one that is known here" in failure(route(one_sshd)).message
    one_sshd.known_hosts.write_text("")
    assert "the host key of 127.0.0.1 is not known here" in failure(route(one_sshd)).message
    one_sshd.known_hosts.write_text(own)
    (one_sshd.root / "authorized_keys").write_text("")
    error = failure(route(one_sshd))
    assert error.message.startswith("127.0.0.1 accepts no login without a password: ")
    assert f"ssh -p {one_sshd.port} 127.0.0.1 true" in error.hint
    one_sshd.stop()
    assert "nothing accepts ssh at 127.0.0.1" in failure(route(one_sshd)).message
    nowhere = Route(parse_address("ssh://no-such-host.invalid"))
    assert "there is no host no-such-host.invalid" in failure(nowhere).message


@pytest.mark.full
def test_a_host_that_hangs_is_told_and_left(one_sshd: Sshd) -> None:
    write_shell_rc(one_sshd, "echo busy; sleep 600\n")
    error = failure(route(one_sshd), timeout_s=15)
    assert error.message == "127.0.0.1 does not answer in time: busy"
    assert "true" in error.hint


@pytest.mark.full
@pytest.mark.parametrize(
    ("victim", "words"),
    [
        ("codex", "the app-server on 127.0.0.1 was killed, or cut off"),
        ("sshd", "the connection to 127.0.0.1 was lost: "),
        ("ssh", "the ssh to 127.0.0.1 was killed here (signal 9)"),
    ],
)
def test_one_that_is_killed_is_told_and_nothing_of_it_is_left(sshd: Sshd, victim: str, words: str) -> None:
    link = SshServer(route(sshd), may_bill_api_key=False)
    client = CodexClient(lambda: link, "x")
    assert client.run(initialize("1"), TIMEOUT_S)
    sessions = sshd.sessions()
    (process,) = [psutil.Process(link.pid)] if victim == "ssh" else named(sessions, victim)[-1:]
    process.send_signal(signal.SIGKILL)
    with pytest.raises(ServerError, match="127") as caught:
        client.run(initialize("1"), TIMEOUT_S)
    assert caught.value.message.startswith(words)
    client.end()
    link.close()
    assert not psutil.pid_exists(link.pid)
    wait_until(lambda: not named(sessions, "codex"), what="its end")


@pytest.mark.full
def test_what_a_turn_left_there_is_swept(one_sshd: Sshd) -> None:
    way = route(one_sshd)
    environment = {**os.environ, TURN_VARIABLE: "20260101-000000-000-beef"}
    left = [subprocess.Popen(["sleep", "600"], env=environment, start_new_session=True) for _ in range(2)]
    other = subprocess.Popen(["sleep", "600"], env={**os.environ, TURN_VARIABLE: "20260101-000000-000-bee"})
    try:
        line = remote_sweep(way, "20260101-000000-000-beef", TIMEOUT_S)
        assert line == "2 processes that the turn had left on 127.0.0.1 were ended"
        assert [each.wait(TIMEOUT_S) for each in left] == [-9, -9]
        assert other.poll() is None
    finally:
        for each in (*left, other):
            each.kill()
            each.wait()


@pytest.mark.full
def test_a_sweep_that_is_not_possible_is_a_line_for_the_log(
    one_sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shell_rc(one_sshd, "sleep 600\n")
    assert remote_sweep(route(one_sshd), "t", 1) == (
        "what the turn left on 127.0.0.1 could not be looked for within 1 s"
    )
    (one_sshd.root / "authorized_keys").write_text("")
    assert "Permission denied" in (remote_sweep(route(one_sshd), "t", TIMEOUT_S) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "No such file" in (remote_sweep(route(one_sshd), "t", TIMEOUT_S) or "")


def test_without_an_ssh_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure(Route(parse_address("ssh://far")))
    assert error.message == "there is no ssh on this machine"
    assert error.hint


def test_no_name_can_become_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tmp_path / "argv"
    fake = tmp_path / "ssh"
    fake.write_text(f"#!{sys.executable} -IS\nimport sys\nopen({str(shown)!r}, 'w').write(repr(sys.argv[1:]))\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    way = Route(parse_address("ssh://me@far:22/a%20b;c"), server_command="~/bin/codex")
    link = SshServer(way, "/x y", may_bill_api_key=True, turn_id="t'")
    link.end()
    link.close()
    *options, dashes, host, command = eval(shown.read_text())
    assert options == [*ssh._OPTIONS, "-p", "22"]
    assert (dashes, host) == ("--", "me@far")
    assert command == (
        "cd '/x y' || exit 77; exec env 'CODEX_SERVER_TURN_ID=t'\"'\"'' 'CODEX_HOME=/a b;c' ~/bin/codex app-server"
    )


@pytest.mark.full
def test_a_connection_is_shared_where_the_user_says_so_and_outlives_the_turn(one_sshd: Sshd) -> None:
    one_sshd.write_ssh("ControlMaster auto", f"ControlPath {one_sshd.root / 'c'}", "ControlPersist 60")
    control = [str(one_sshd.bin / "ssh"), "-p", str(one_sshd.port), "127.0.0.1", "-O"]
    try:
        for _ in range(2):
            assert ask(route(one_sshd))
        assert subprocess.run([*control, "check"], check=False, capture_output=True).returncode == 0
    finally:
        subprocess.run([*control, "exit"], check=False, capture_output=True)
