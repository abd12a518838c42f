"""The shared server, its keeper or a worker on it dies or changes under its turns: each ends true, nothing stays."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import hold, say
from codex_server_cli.demo.request import Request
from tests.e2e.test_continuing import echo, ended
from tests.kit.app_servers import ListeningServer
from tests.kit.home import FIRST_HALF, SECOND_HALF, Turn, sleepers, start_sleeping
from tests.kit.places import TransportHome
from tests.kit.processes import is_running
from tests.kit.relay import SocketRelay
from tests.kit.support import DEADLINE_S, Json, wait_until
from tests.kit.tmux import Terminal

pytestmark = pytest.mark.full

MANY = 16
RACERS = 50
WHOLE = FIRST_HALF + SECOND_HALF
ESCAPING = "(setsid {nap} &); (env -i setsid {nap} &); {nap}"
FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")


def held_or_echo(gate: Gate) -> Callable[[Request], ReplyLike]:
    """A model that stops in the middle of its answer to `hold …`, and echoes anything else."""

    def script(request: Request) -> ReplyLike:
        return say(FIRST_HALF, hold(gate), SECOND_HALF) if request.prompt.startswith("hold") else echo(request)

    return script


def start_held(shared: TransportHome, count: int = 1) -> tuple[list[Turn], Gate]:
    """Turns that pause in the middle of their answers."""
    gate = Gate()
    shared.configure(max_running=2 * count)
    shared.model(held_or_echo(gate))
    launchers = [shared.spawn("new", f"hold {number}") for number in range(count)]
    told = [launcher.communicate(timeout=DEADLINE_S) for launcher in launchers]
    turns = [shared.turn(json.loads(stdout)["turn_id"]) for stdout, _ in told]
    for turn in turns:
        wait_until(lambda turn=turn: FIRST_HALF in turn.out or turn.is_ended, what="the first half")  # type: ignore[misc]
    return turns, gate


def server_of(turn: Turn) -> Json:
    """What `meta.json` says of a turn's server."""
    server: Json = turn.meta["server"]
    return server


def keeper_of(turn: Turn) -> psutil.Process:
    """Our process above the server of a turn."""
    keeper = psutil.Process(server_of(turn)["pid"]).parent()
    assert keeper is not None
    return keeper


def assert_completes(turn: Turn, answer: str = WHOLE) -> None:
    """The turn ends complete, and has shown its text once."""
    done = turn.wait()
    assert (done["state"], done["answer"], done["error"]) == ("complete", answer, None), done
    assert turn.out.count(answer) == 1 or turn.out.count(FIRST_HALF) == 1


def test_sixteen_turns_of_a_server_that_is_killed_fail_with_what_had_come_and_the_next_has_a_new_one(
    shared_place: TransportHome,
) -> None:
    turns, gate = start_held(shared_place, MANY)
    server = server_of(turns[0])
    assert {server_of(turn)["pid"] for turn in turns} == {server["pid"]}
    os.kill(server["pid"], signal.SIGKILL)
    for turn in turns:
        done = turn.wait()
        assert (done["state"], done["error"]["kind"], done["answer"]) == ("failed", "codex_crashed", FIRST_HALF), done
        assert done["error"]["retryable"]
        assert f"codex-server continue --turn {turn.id}" in done["error"]["hint"]
    assert shared_place.left_running() == []
    gate.open()
    again = ended(shared_place, "continue", "--turn", turns[0].id, "go on")
    assert again.result["answer"] == "re: go on"
    assert server_of(again)["generation"] > server["generation"]


def test_a_turn_whose_keeper_is_killed_completes_and_the_next_one_has_a_new_server(shared_place: TransportHome) -> None:
    (turn,), gate = start_held(shared_place)
    server = server_of(turn)  # a turn whose server has gone looks for itself on the next one
    keeper_of(turn).kill()
    assert_completes(ended(shared_place, "new", "one"), "re: one")
    assert not turn.is_ended
    gate.open()
    assert_completes(turn)
    wait_until(lambda: not is_running(server["pid"]), what="the end of the server without a keeper")
    assert shared_place.left_running() == []


def test_a_keeper_and_its_server_that_are_killed_leave_nothing(shared_place: TransportHome) -> None:
    turn, sleep = start_sleeping(shared_place, "(setsid {nap} &); {nap}", *FULL_ACCESS)
    keeper, pid = keeper_of(turn), server_of(turn)["pid"]
    keeper.kill()
    os.kill(pid, signal.SIGKILL)
    done = turn.wait()
    assert (done["state"], done["error"]["kind"], done["answer"]) == ("failed", "codex_crashed", FIRST_HALF)
    assert sleepers(sleep) == []
    shared_place.model(echo)
    assert_completes(ended(shared_place, "new", "one"), "re: one")


def test_the_turn_of_a_worker_that_was_killed_is_ended_on_the_server_with_all_that_it_had_started(
    shared_place: TransportHome,
) -> None:
    turn, sleep = start_sleeping(shared_place, ESCAPING, *FULL_ACCESS)
    wait_until(lambda: len(sleepers(sleep)) == 3, what="all three")
    pid = server_of(turn)["pid"]
    turn.kill_worker()
    assert turn.status()["state"] == "abandoned"
    assert (turn.result["answer"], turn.result["error"]["kind"]) == (FIRST_HALF, "worker_died")
    wait_until(lambda: sleepers(sleep) == [], what="the end of the one without a mark, too")
    shared_place.model(echo)
    again = ended(shared_place, "continue", "--turn", turn.id, "go on")
    assert (again.result["answer"], server_of(again)["pid"]) == ("re: go on", pid)
    assert again.meta["thread_id"] == turn.meta["thread_id"]


def test_where_the_target_of_the_socket_is_deleted_the_next_turn_has_a_server_and_the_running_one_completes(
    shared_place: TransportHome,
) -> None:
    (turn,), gate = start_held(shared_place)
    server = server_of(turn)
    path = Path(server["path"])
    path.readlink().unlink()
    other = ended(shared_place, "new", "one")
    assert_completes(other, "re: one")
    assert (server_of(other)["path"], server_of(other)["pid"]) != (str(path), server["pid"])
    gate.open()
    assert_completes(turn)
    wait_until(lambda: not is_running(server["pid"]), what="the end of the server that cannot be reached")
    assert_completes(ended(shared_place, "new", "two"), "re: two")


def test_where_the_login_is_another_the_next_turn_is_on_a_server_that_has_it(shared_place: TransportHome) -> None:
    gate = Gate()
    model = shared_place.chatgpt(held_or_echo(gate))
    first = ended(shared_place, "new", "one")
    held = shared_place.start("new", "hold")
    wait_until(lambda: FIRST_HALF in held.out, what="the first half")
    assert server_of(held)["pid"] == server_of(first)["pid"]
    auth = json.loads((shared_place.codex_home / "auth.json").read_bytes())
    auth["tokens"]["account_id"] = "another-account"
    (shared_place.codex_home / "auth.json").write_text(json.dumps(auth))
    second = ended(shared_place, "new", "two")
    assert server_of(second)["generation"] > server_of(first)["generation"]
    accounts = [request.headers.get("chatgpt-account-id") for request in model.model_requests]
    assert accounts[-1] == "another-account" != accounts[0]
    gate.open()
    assert_completes(held)


def test_a_server_that_takes_no_more_turns_runs_its_own_to_the_end_and_a_new_one_has_the_next(
    shared_place: TransportHome,
) -> None:
    (turn,), gate = start_held(shared_place)
    server = server_of(turn)
    draining = shared_place.spawn("server", "restart")
    assert_completes(ended(shared_place, "new", "one"), "re: one")
    stdout, stderr = draining.communicate(timeout=DEADLINE_S)
    assert draining.returncode == 0, stdout + stderr
    assert not turn.is_ended
    gate.open()
    assert_completes(turn)
    wait_until(lambda: not is_running(server["pid"]), what="the end of the old server")
    assert server_of(ended(shared_place, "new", "two"))["generation"] > server["generation"]


def test_of_fifty_turns_at_once_without_a_server_one_starts_it_and_all_are_answered(
    shared_place: TransportHome,
) -> None:
    shared_place.configure(max_running=RACERS)
    shared_place.model(echo)
    launchers = [shared_place.spawn("new", f"prompt {number}") for number in range(RACERS)]
    told = [launcher.communicate(timeout=DEADLINE_S) for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0] * RACERS, told
    turns = [shared_place.turn(json.loads(stdout)["turn_id"]) for stdout, _ in told]
    for number, turn in enumerate(turns):
        assert_completes(turn, f"re: prompt {number}")
    servers = {(server_of(turn)["pid"], server_of(turn)["generation"]) for turn in turns}
    assert len(servers) == 1
    assert {generation for _, generation in servers} == {1}


def sends_on(tui: Terminal) -> bool:
    """Press Enter, and see whether the answer has begun: right after typing the TUI takes the key for pasted text."""
    tui.press("Enter")
    return FIRST_HALF.rstrip() in tui.screen()


def test_a_tui_on_the_users_own_server_never_meets_the_shared_one(short_place: TransportHome) -> None:
    gate, trust = Gate(), f'[projects."{short_place.project}"]\ntrust_level = "trusted"\n'
    short_place.model(held_or_echo(gate), extra_toml=trust)
    own = short_place.root / "own.sock"
    default = short_place.codex_home / "app-server-control" / "app-server-control.sock"
    default.parent.mkdir(mode=0o700)
    command = [str(short_place.codex)]
    with (
        ListeningServer(short_place.codex, short_place.codex_home, f"unix://{own}") as server,
        SocketRelay(own, default) as relay,  # shows who connects
        Terminal(short_place.root, command, short_place.env, cwd=short_place.project, columns=120) as tui,
    ):
        tui.wait_for("Ask Codex")
        tui.type("hold on")
        wait_until(partial(sends_on, tui), what="the first half in the TUI")
        known = len(relay.connections)
        first = ended(short_place, "new", "one")
        assert_completes(first, "re: one")
        assert server_of(first)["path"] not in (str(own), str(default))
        assert short_place.run("server", "stop", "--now").code == 0
        assert (len(relay.connections), len(relay.open), is_running(server.process.pid)) == (known, 1, True)
        gate.open()
        tui.wait_for(SECOND_HALF)
        second = ended(short_place, "new", "two", "--server", "unix://")
        assert_completes(second, "re: two")
        assert len(relay.connections) > known
        assert is_running(server.process.pid)
