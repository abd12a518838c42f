"""Remote control as a user has it: the commands, the shared app-server, and a stand-in of ChatGPT's service."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from codex_server_cli.demo.codex_home import write_chatgpt_login
from tests.kit.home import Home
from tests.kit.remote_backend import RemoteBackend
from tests.kit.support import DEADLINE_S, Json, wait_until


class RemoteHome:
    """A home whose ChatGPT is the stand-in."""

    def __init__(self, home: Home, backend: RemoteBackend) -> None:
        self.home, self.backend = home, backend

    def state(self) -> Json:
        """What `remote status` says."""
        run = self.home.call("remote", "status", "--json")
        assert run.code == 0, run
        return run.json

    def config(self) -> Json:
        """`config.json`."""
        found: Json = json.loads((self.home.path / "config.json").read_text())
        return found


def _remote(home: Home) -> Iterator[RemoteHome]:
    with RemoteBackend() as backend:
        write_chatgpt_login(home.codex_home, backend.origin, features=home.spared)
        yield RemoteHome(home, backend)
        home.run("server", "stop", "--now")


@pytest.fixture
def remote(home: Home) -> Iterator[RemoteHome]:
    """With each codex."""
    yield from _remote(home)


@pytest.fixture
def one_remote(one_home: Home) -> Iterator[RemoteHome]:
    """With one codex."""
    yield from _remote(one_home)


@pytest.mark.measured
def test_it_is_switched_on_a_device_paired_listed_and_unpaired_and_it_is_switched_off(remote: RemoteHome) -> None:
    call, backend = remote.home.call, remote.backend
    assert remote.state() == {"version": 2, "status": "disabled", "kept": False, "server_running": False}
    enabled = call("remote", "enable")
    assert (enabled.code, enabled.stdout.startswith("remote control  on, connected to ChatGPT\n")) == (0, True), enabled
    assert "codex-server remote pair --manual-code --wait" in enabled.stderr
    found = remote.state()
    assert (found["status"], found["kept"], found["environment_id"]) == ("connected", True, "env_1")
    assert remote.config()["remote_control"] is True
    assert backend.ask(1, "initialize", {"clientInfo": {"name": "phone", "title": "P", "version": "1"}})["result"]

    shown = call("remote", "pair", "--manual-code")
    assert shown.stdout.startswith("pairing code  ABCD-EFGH\nvalid until   ")
    late = call("remote", "pair", "--wait", "--timeout", "0s", "--json")
    assert (late.code, late.json["claimed"], late.stderr) == (124, False, "No device has used it yet.\n")
    backend.is_claimed = True
    code, claimed = call("remote", "pair", "--manual-code", "--wait", "--json").json_lines
    assert claimed == {**code, "claimed": True}
    assert (code["code"], code["manual_code"]) == ("ABCD-EFGH", "ABCD-EFGH")
    assert call("remote", "pair", "--wait").stdout.endswith("\nPaired.\n")

    assert [row["client_id"] for row in json.loads(call("remote", "clients", "--json").stdout)] == ["cl_1", "cl_2"]
    assert json.loads(call("remote", "clients", "--fields", "name").stdout)[0] == {"name": "My phone"}
    assert "CLIENT  DEVICE   LAST SEEN" in call("remote", "clients").stdout
    assert call("remote", "revoke", "my phone").stdout == "Unpaired: cl_1 (My phone)\n"
    assert call("remote", "revoke", "cl", "--json").json["client_id"] == "cl_2"
    gone = call("remote", "revoke", "cl_1")
    assert (gone.code, "codex-server remote clients" in gone.stderr) == (66, True)

    off = call("remote", "disable", "--json")
    assert (off.code, off.json["status"], off.json["kept"]) == (0, "disabled", False)
    assert remote.config()["remote_control"] is False
    refused = call("remote", "clients")
    assert (refused.code, refused.stderr) == (
        65,
        "codex-server: remote control is not on\ncodex-server remote enable\n",
    )


@pytest.mark.full
@pytest.mark.measured
def test_each_change_is_a_line(one_remote: RemoteHome) -> None:
    home, backend = one_remote.home, one_remote.backend
    following = home.spawn("remote", "status", "--follow", "--json")
    assert following.stdout is not None
    first = json.loads(following.stdout.readline())
    assert (first["status"], first["server_running"], bool(first["at"])) == ("disabled", False, True)
    assert home.call("remote", "enable", "--json").json["status"] == "connected"
    while json.loads(following.stdout.readline())["status"] != "connected":
        pass
    backend.broken["connect"] = 401
    backend.drop()
    while json.loads(following.stdout.readline())["status"] != "errored":
        pass
    following.send_signal(signal.SIGINT)
    assert following.wait(DEADLINE_S) == 130
    told = home.spawn("remote", "status", "--follow")
    assert told.stdout is not None
    assert "on, but ChatGPT refuses" in told.stdout.readline()
    told.stdout.close()
    backend.broken.clear()
    assert told.wait(DEADLINE_S) == 0


@pytest.mark.full
def test_ctrl_c_ends_the_wait_and_the_code_stays_good(one_remote: RemoteHome) -> None:
    home = one_remote.home
    assert home.call("remote", "enable").code == 0
    waiting = home.spawn("remote", "pair", "--wait")
    assert waiting.stderr is not None
    assert "Waiting until a device uses it" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(DEADLINE_S) == 130


@pytest.mark.measured
def test_what_the_service_refuses_is_told_with_the_next_step(one_remote: RemoteHome) -> None:
    home, backend = one_remote.home, one_remote.backend
    backend.broken["enroll"] = 403
    run = home.call("remote", "enable")
    assert (run.code, run.stdout) == (1, "")
    assert run.stderr.startswith(
        "codex-server: ChatGPT does not give this account remote control: HTTP 403 Forbidden, 'scripted 403'\n"
    )
    assert "remote_control" not in one_remote.config()
    assert one_remote.state()["status"] == "disabled"


def test_no_server_of_somebody_else_is_switched(one_home: Home) -> None:
    for verb in ("enable", "disable", "status", "pair", "clients"):
        run = one_home.call("remote", verb, "--server", "unix:///somebody/else.sock")
        assert run.code == 64, verb
        assert "unix:///somebody/else.sock is not ours" in run.stderr
        assert "codex remote-control pair" in run.stderr
    assert "has no remote control" in one_home.call("remote", "enable", "--server", "spawn").stderr
    assert "is no address" in one_home.call("remote", "revoke", "x", "--server", "y").stderr
    run = one_home.call("remote", "pair", "--timeout", "5s")
    assert (run.code, "--timeout goes with --wait" in run.stderr) == (64, True)
    assert one_home.call("remote", "status", "--server", "shared").code == 0
    assert not (one_home.path / "servers").exists()


@pytest.mark.full
def test_doctor_asks_the_shared_server_that_runs(one_remote: RemoteHome) -> None:
    home = one_remote.home
    home.configure(server="shared")
    assert home.call("server", "start").code == 0
    checks = {each["name"]: each for each in json.loads(home.call("doctor", "--json").stdout)}
    assert checks["server"]["ok"] is True
    assert checks["server"]["detail"].startswith("shared: codex 0.")


def test_a_token_is_made_for_a_port_and_told_nowhere(one_home: Home) -> None:
    run = one_home.call("server", "token", "a token")
    path = one_home.project / "a token"
    assert (run.code, run.stderr) == (0, "")
    assert f"--ws-token-file '{path}'" in run.stdout
    assert path.read_text().strip() not in run.stdout
    assert os.stat(path).st_mode & 0o777 == 0o600  # noqa: PTH116
    again = one_home.call("server", "token", str(path), "--json")
    assert (again.code, "exists, and is not overwritten" in again.stderr) == (65, True)
    other = one_home.call("server", "token", "other", "--json").json
    assert (other["path"], len(other["sha256"])) == (str(one_home.project / "other"), 64)
    for nothing in ((), ("",)):
        assert one_home.call("server", "token", *nothing).code == 64


@pytest.mark.full
def test_each_generation_is_switched_on_while_config_json_wants_it(one_remote: RemoteHome) -> None:
    home, backend = one_remote.home, one_remote.backend
    home.configure(remote_control=True)
    assert home.call("server", "start").code == 0
    wait_until(lambda: one_remote.state()["status"] == "connected", what="the connection of the first generation")
    assert home.call("server", "restart").code == 0
    wait_until(lambda: one_remote.state()["status"] == "connected", what="the connection of the next generation")
    wait_until(lambda: backend.connections == 1, what="the end of the first one's connection")
    assert home.call("remote", "disable").code == 0
    assert home.call("server", "restart").code == 0
    assert one_remote.state()["status"] == "disabled"


@pytest.mark.full
def test_one_that_was_started_with_another_login_is_shown_and_switched_off(one_remote: RemoteHome) -> None:
    home, backend = one_remote.home, one_remote.backend
    assert home.call("remote", "enable").code == 0
    login = home.codex_home / "auth.json"
    other = json.loads(login.read_text())
    other["tokens"]["account_id"] = "another"
    login.write_text(json.dumps(other))
    assert one_remote.state()["status"] == "connected"
    assert home.call("remote", "disable", "--json").json["status"] == "disabled"
    wait_until(lambda: backend.connections == 0, what="the end of the connection")


def test_a_generation_that_cannot_be_switched_on_says_why_in_the_log(one_remote: RemoteHome) -> None:
    home = one_remote.home
    home.configure(remote_control=True)
    (home.codex_home / "auth.json").unlink()
    assert home.call("server", "start").code == 0
    wait_until(
        lambda: "remote control is not on: remote control needs Codex" in home.call("server", "logs").stdout,
        what="the reason",
    )
    assert one_remote.state()["status"] == "disabled"
