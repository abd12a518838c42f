"""The verbs about the shared app-server, with the real codex and without one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, say
from tests.kit.failed import has_failed
from tests.kit.shared_server import SharedServer
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import wait_until


@pytest.fixture
def place(request: pytest.FixtureRequest, shell: Shell, one_codex: Path) -> Iterator[SharedServer]:
    """The server of the shell."""
    shell.configure(json.dumps({"codex": str(one_codex)}))
    server = SharedServer(shell.root, one_codex, shell.codex_home)
    with pytest.MonkeyPatch.context() as monkeypatch:
        server.put_into_environment(monkeypatch)
        yield server
        if has_failed(request.node):
            server.kill()
        else:
            server.end()


def test_it_is_started_shown_restarted_and_stopped(shell: Shell, place: SharedServer) -> None:
    nothing = shell.call("server", "status")
    assert (nothing.code, nothing.stdout) == (0, "No shared app-server runs.\n")
    assert shell.call("server", "stop").stdout == "No shared app-server runs.\n"
    assert_refused(shell.call("server", "logs"), 66, "no shared app-server was started here yet", as_json=False)
    started = shell.run("server", "start")  # its keeper lives on behind a command that ends
    assert started.code == 0
    assert started.stdout.startswith("generation 1: codex ")
    again = shell.call("server", "start")
    assert (again.stdout, again.stderr) == (started.stdout, "codex-server: it ran already\n")
    (row,) = shell.call("server", "status", "--json").json["servers"]
    assert (row["state"], row["generation"], row["of_this_environment"]) == ("ready", 1, True)
    assert row["pid"] in [process.pid for process in place.processes()]
    assert row["memory_bytes"] > 1 << 20
    assert "leftovers" not in row
    (full,) = shell.call("server", "status", "--full").json["servers"]
    assert (full["leftovers"], full["active_turns"], full["clients"]) == ([], 0, 0)
    (next_one,) = shell.call("server", "restart", "--json").json["servers"]
    assert (next_one["generation"], next_one["key"]) == (2, row["key"])
    assert "server      ready\ngeneration  2" in shell.call("server", "status").stdout
    log = shell.call("server", "logs", "-n", "1").stdout
    assert "keeper: generation" in log
    assert log.count("\n") == 1
    assert shell.call("server", "stop").stdout.startswith("stopped generation 2: ")
    wait_until(lambda: not place.processes(), what="the end of the process above the keeper")
    assert shell.call("server", "status", "--json").json == {"version": 2, "servers": []}


def test_a_server_with_a_turn_is_stopped_after_it_or_with_it(shell: Shell, place: SharedServer) -> None:
    gate = Gate()
    place.model([say("The first half, ", hold(gate), "and the second.")])
    turn = place.start_turn(place.ensure())
    gate.wait_until_reached()
    run = shell.call("server", "stop", "--timeout", "0.3")
    assert (run.code, run.stdout) == (75, "")
    assert "waiting for 1 turn; --now would end them" in run.stderr
    assert "still runs some: generation 1 (pid " in run.stderr
    assert "codex-server server stop --now" in run.stderr
    (row,) = shell.call("server", "status", "--json").json["servers"]
    assert (row["state"], row["active_turns"]) == ("draining", 1)
    assert "draining: it runs its last turns" in shell.call("server", "status").stdout
    (stopped,) = shell.call("server", "stop", "--now", "--json").json["servers"]
    assert stopped["generation"] == 1
    wait_until(lambda: not place.processes(), what="the end of the process above the keeper")
    gate.open()
    assert turn.result() != "completed"


def test_the_log_is_followed(shell: Shell, place: SharedServer) -> None:
    place.ensure()
    follower = shell.spawn("server", "logs", "--follow", "-n", "1")
    assert follower.stdout is not None
    try:
        assert "generation 1 accepts" in follower.stdout.readline()
        place.replace()
        assert any("generation 1 takes no more turns" in line for line in follower.stdout)
    finally:
        follower.kill()
        follower.communicate()


def test_without_a_codex_it_is_69_but_what_runs_is_shown_and_stopped(
    shell: Shell, place: SharedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.ensure()
    shell.configure("{}")
    (shell.bin / "codex").unlink()
    monkeypatch.setitem(sys.modules, "codex_cli_bin", None)  # as where the `codex` extra is not installed
    for verb in ("start", "restart", "logs"):
        assert_refused(shell.call("server", verb), 69, "no codex binary was found", as_json=False, case=verb)
    assert "of another environment than this shell's" in shell.call("server", "status").stdout
    assert shell.call("server", "stop").code == 0


@pytest.mark.parametrize("behaviour", ["exits", "refuses"])
def test_a_codex_that_does_not_serve_is_told_with_its_own_words(shell: Shell, behaviour: str) -> None:
    shell.install(behaviour)
    run = shell.call("server", "start")
    expected = "the shared app-server did not start: "
    assert_refused(run, 69, expected, as_json=False)
    assert list((shell.home / "servers").glob("*/g*")) == []


def test_what_is_broken_is_told_and_nothing_is_left(shell: Shell, place: SharedServer) -> None:
    config = shell.codex_home / "config.toml"
    config.write_text("model = [")
    run = shell.call("server", "start")
    assert run.code in (0, 65), run  # Codex reads it with the first thread
    shell.call("server", "stop")
    shell.env["CODEX_HOME"] = str(shell.root / "missing")
    assert_refused(shell.call("server", "start"), 65, "missing does not exist", as_json=False)
    shell.env["CODEX_HOME"] = str(shell.codex_home)
    shell.configure("{")
    for verb in ("start", "stop", "restart", "status", "logs"):
        assert_refused(shell.call("server", verb), 65, "is not JSON", as_json=False, case=verb)
    assert_refused(shell.call("server", "stop", "--timeout", "soon"), 64, "--timeout takes a duration", as_json=False)


def test_a_state_directory_that_cannot_be_made_is_73(shell: Shell, place: SharedServer) -> None:
    (shell.home / "servers").write_text("a file")
    assert_refused(shell.call("server", "start"), 73, "cannot use ", as_json=False)
    assert (shell.home / "servers").read_text() == "a file"


def test_a_home_that_does_not_exist_is_told(shell: Shell) -> None:
    shell.env["CODEX_SERVER_HOME"] = str(shell.root / "mistyped")
    for verb in ("stop", "status", "logs"):
        assert_refused(shell.call("server", verb), 66, "there is no such directory", as_json=False, case=verb)
