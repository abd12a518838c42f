"""One writer per thread: the second is refused at once, or forks where that was allowed."""

from __future__ import annotations

import json
from functools import partial

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, say
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, Turn
from tests.kit.support import DEADLINE_S, StdioAppServer, wait_until

SHELLS = 6


@pytest.mark.measured
@pytest.mark.full
def test_of_many_continues_at_the_same_moment_one_goes_on_and_the_others_are_refused(home: Home) -> None:
    home.model([say("one")])
    first = home.start("new", "hi")
    thread_id = first.wait()["thread_id"]
    gate = Gate()
    home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    shells = [home.spawn("continue", "--turn", first.id, f"two {number}") for number in range(SHELLS)]
    answers = [(json.loads(shell.communicate(timeout=DEADLINE_S)[0]), shell.returncode) for shell in shells]
    started = [answer for answer, code in answers if code == 0]
    refused = [answer["error"] for answer, code in answers if code == 75]
    assert (len(started), len(refused)) == (1, SHELLS - 1)
    assert {error["kind"] for error in refused} == {"thread_busy"}
    writers = {
        f"turn {started[0]['turn_id']}",
        "a turn that is just starting",
    }  # the second where it takes long to start
    for error in refused:
        assert error["message"] in {f"thread {thread_id} is being written by {each}" for each in writers}
        assert "--fork" in error["hint"]
    assert len(home.turn_ids) == 2  # nothing half-made is left of those that were refused
    gate.open()
    assert home.turn(started[0]["turn_id"]).wait()["state"] == "complete"
    assert list((home.path / "threads").iterdir()) == []


def test_where_forks_are_allowed_all_of_them_go_on(home: Home) -> None:
    home.model([say("one")])
    first = home.start("new", "hi")
    thread_id = first.wait()["thread_id"]
    gate = Gate()
    home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    shells = [home.spawn("continue", "--turn", first.id, "two", "--fork-if-busy") for _ in range(3)]
    turns = [home.turn(json.loads(shell.communicate(timeout=DEADLINE_S)[0])["turn_id"]) for shell in shells]
    wait_until(lambda: all(FIRST_HALF in turn.out for turn in turns), what="the first halves")
    threads = [turn.meta["thread_id"] for turn in turns]
    assert len(set(threads)) == 3
    assert threads.count(thread_id) == 1
    assert {turn.meta["forked_from"] for turn in turns if turn.meta["thread_id"] != thread_id} == {thread_id}
    gate.open()
    assert {turn.wait()["answer"] for turn in turns} == {f"{FIRST_HALF}{SECOND_HALF}"}


def test_a_thread_that_another_codex_writes_is_busy_and_its_process_is_named(home: Home) -> None:
    home.model([say("one")])
    first = home.start("new", "hi")
    thread_id = first.wait()["thread_id"]
    with StdioAppServer(home.codex, home.codex_home) as other:
        other.request("thread/resume", {"threadId": thread_id})
        run = home.run("continue", "--turn", first.id, "two")
        assert run.code == 75
        assert run.error["message"] == f"thread {thread_id} is being written by another codex process (pid {other.pid})"
        forked = home.start("continue", "--turn", first.id, "two", "--fork-if-busy")
        assert forked.wait()["state"] == "complete"
        assert forked.meta["thread_id"] != thread_id
    assert home.run("continue", "--turn", first.id, "two", "--wait").code == 0


def is_complete(turn: Turn) -> bool:
    return bool(turn.status()["state"] == "complete")


@pytest.mark.parametrize("times", [2, pytest.param(8, marks=pytest.mark.full)])
def test_going_on_right_after_the_end_never_meets_a_busy_thread(one_home: Home, times: int) -> None:
    one_home.model([say("done")])
    turn = one_home.start("new", "hi")
    for verb in ("wait", "status") * times:
        if verb == "wait":
            assert one_home.run("wait", turn.id).code == 0
        else:
            wait_until(partial(is_complete, turn), what="its end")
        turn = one_home.start("continue", "--turn", turn.id, "and then?")
    assert turn.wait()["state"] == "complete"


@pytest.mark.full
def test_going_on_right_after_the_worker_was_killed_does_not_meet_its_codex(home: Home) -> None:
    turn, gate = home.start_held()
    turn.kill_worker()
    gate.open()
    home.model([say("more")])
    run = home.run("continue", "--turn", turn.id, "go on", "--wait")
    assert (run.code, run.json["answer"]) == (0, "more")
    assert turn.status()["state"] == "abandoned"
