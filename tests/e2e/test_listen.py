"""An app-server on a TCP port: started with what was checked, shown while it is ready, and ended with the others."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from codex_server_cli.codex.server.health import read_health
from codex_server_cli.core.model.server.address import parse_address
from tests.kit.home import Home

TOKEN = ("--ws-auth", "capability-token", "--ws-token-file", "token")


@pytest.fixture
def served(one_home: Home) -> Iterator[Home]:
    """A home with a token, whose servers are ended."""
    assert one_home.call("server", "token", "token").code == 0
    yield one_home
    one_home.run("server", "stop", "--now")


def test_a_server_on_a_port_is_ready_once_and_ended_with_the_others(served: Home) -> None:
    started = served.call("server", "start", "--listen", "ws://127.0.0.1:0", *TOKEN, "--json")
    (row,) = started.json["servers"]
    assert (row["state"], row["healthy"], started.json["ran_already"]) == ("ready", True, False)
    address = parse_address(row["url"])
    assert read_health(address).is_ready
    again = served.call("server", "start", "--listen", "ws://127.0.0.1:0", *TOKEN)
    assert again.stderr == "codex-server: it ran already\n"
    assert served.call("server", "start", "--json").json["servers"][0]["url"].startswith("unix:///")
    shown = served.call("server", "status")
    assert "ready, on a TCP port\n" in shown.stdout
    assert f"url         {row['url']}\n" in shown.stdout
    stopped = served.call("server", "stop", "--now", "--json")
    assert len(stopped.json["servers"]) == 2
    assert read_health(address).problem is not None


def test_a_port_that_is_taken_is_told(served: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        url = f"ws://127.0.0.1:{other.getsockname()[1]}"
        run = served.call("server", "start", "--listen", url)
    assert (run.code, run.stderr.startswith("codex-server: the port is taken")) == (69, True)


def test_a_wrong_start_starts_nothing(one_home: Home) -> None:
    (one_home.project / "weak").write_text("x")
    weak = ("--ws-auth", "capability-token", "--ws-token-file", "weak")
    for flags, code, message in (
        (("--listen", "ws://0.0.0.0:0"), 64, "can be reached from other machines"),
        (("--listen", "ws://localhost:1"), 64, "ws://127.0.0.1:1"),
        (("--listen", "off"), 64, "--listen off is not offered"),
        (("--listen", "ws://127.0.0.1:0", *weak), 65, "chmod 600"),
        (("--listen", "ws://127.0.0.1:0", "--ws-max-clock-skew-seconds", "5"), 64, "needs --ws-auth"),
        (weak, 64, "--ws-auth goes with --listen"),
    ):
        run = one_home.call("server", "start", *flags)
        assert (run.code, message in run.stderr) == (code, True), run
    assert json.loads(one_home.call("server", "status", "--json").stdout)["servers"] == []
