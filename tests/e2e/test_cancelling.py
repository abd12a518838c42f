"""`cancel` and `--deadline`: the turn ends soon, its commands are dead, its output so far is kept."""

from __future__ import annotations

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.kit.faults import KILLED_AFTER_S, cancel_and_wait, change_python
from tests.kit.home import FIRST_HALF, Home, Turn, nap, sleepers, start_sleeping
from tests.kit.support import DEADLINE_S, wait_until

LATE_S = 60.0
DEADLINES_S = (2, 8, 32)
"""The first of them that leaves enough time: the machine's speed decides no result."""
STOP_AND_WAIT = "from codex_server_cli.core.model.timers import LIMIT_MS, Timer\nLIMIT_MS[Timer.STOP] = 240_000"
"""Have a worker wait for Codex's reaction to an interrupt, however long a busy machine takes."""
FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")


def test_cancel_ends_a_running_command_by_an_interrupt_and_keeps_what_had_come(home: Home) -> None:
    cancel_and_wait(home, STOP_AND_WAIT)
    turn, sleep = start_sleeping(home, "{nap}")
    run = home.run("cancel", turn.id)
    assert run.duration_s < KILLED_AFTER_S
    assert (run.code, run.json["state"], run.json["error"]["kind"]) == (0, "cancelled", "cancelled")
    assert sleepers(sleep) == []
    assert home.left_running() == []
    completed = [event for event in turn.events if event.get("method") == "turn/completed"]
    assert [event["params"]["turn"]["status"] for event in completed] == ["interrupted"]
    assert turn.result["answer"] == FIRST_HALF
    assert turn.result["usage"]["total_tokens"] == 120
    answer = home.call("answer", turn.id)
    assert (answer.code, answer.stdout) == (4, f"{FIRST_HALF}\n")


def test_cancel_ends_what_escaped_into_the_background(home: Home) -> None:
    turn, sleep = start_sleeping(home, "(setsid {nap} &); (env -i setsid {nap} &); {nap}", *FULL_ACCESS)
    assert home.run("cancel", turn.id).json["state"] == "cancelled"
    assert sleepers(sleep) == []


def test_cancel_in_the_middle_of_an_answer_and_before_its_first_word(home: Home) -> None:
    turn, _ = home.start_held()
    assert home.run("cancel", turn.id).json["state"] == "cancelled"
    assert turn.result["answer"] == FIRST_HALF
    gate = Gate()
    home.model([reply(hold(gate), say("never"))])
    silent = home.start("new", "hi")
    gate.wait_until_reached()
    assert home.run("cancel", silent.id).json["state"] == "cancelled"
    assert silent.result["answer"] is None


def test_cancel_right_after_new_finds_the_turn_wherever_it_is(home: Home) -> None:
    gate = Gate()
    model = home.model([reply(hold(gate), say("never"))])
    turn = home.start("new", "hi")
    run = home.run("cancel", turn.id)
    assert (run.code, run.json["state"]) == (0, "cancelled")
    assert len(model.model_requests) <= 1
    assert home.left_running() == []


def test_cancel_leaves_an_ended_turn_as_it_is(home: Home) -> None:
    home.model([say("done")])
    turn = home.start("new", "hi")
    ended = turn.wait()
    before = {path.name: path.read_bytes() for path in turn.path.iterdir() if path.is_file()}
    run = home.run("cancel", turn.id, "--full")
    assert (run.code, run.json["state"], run.json["finished_at"]) == (0, "complete", ended["finished_at"])
    assert {path.name: path.read_bytes() for path in turn.path.iterdir() if path.is_file()} == before


def test_two_shells_may_cancel_at_once_and_followers_see_it(home: Home) -> None:
    turn, _ = home.start_held()
    tail = home.spawn("tail", turn.id, "--follow")
    wait = home.spawn("wait", turn.id)
    cancels = [home.spawn("cancel", turn.id) for _ in range(2)]
    for cancel in cancels:
        stdout, _ = cancel.communicate(timeout=DEADLINE_S)
        assert cancel.returncode == 0
        assert '"state":"cancelled"' in stdout
    for follower in (tail, wait):
        follower.communicate(timeout=DEADLINE_S)
        assert follower.returncode == 4


def test_several_turns_are_cancelled_by_one_command_and_a_typo_cancels_none(one_home: Home) -> None:
    gate = Gate()
    one_home.model([reply(hold(gate), say("never"))])
    turns = [one_home.start("new", "hi") for _ in range(2)]
    ids = [turn.id for turn in turns]
    assert one_home.run("cancel", *ids, "nobody").code == 66
    assert [turn.status()["state"] for turn in turns] == ["running", "running"]
    run = one_home.run("cancel", *ids)
    assert [turn["state"] for turn in run.json["turns"]] == ["cancelled", "cancelled"]


def test_a_cancelled_thread_goes_on(home: Home) -> None:
    turn, _ = home.start_held()
    home.run("cancel", turn.id)
    home.model([say("more")])
    for options in ([], ["--fork"]):
        run = home.run("continue", "--turn", turn.id, "go on", "--wait", *options)
        assert (run.code, run.json["answer"]) == (0, "more")


@pytest.mark.full
def test_a_worker_that_does_not_react_is_killed_and_the_turn_is_cancelled_all_the_same(one_home: Home) -> None:
    change_python(one_home, "from codex_server_cli.actions.control import control\ncontrol.CANCEL_TIMEOUT_S = 2.0\n")
    turn, sleep = start_sleeping(one_home, "{nap}")
    turn.worker().suspend()
    run = one_home.run("cancel", turn.id)
    assert run.code == 0, run
    assert run.json["state"] == "cancelled"
    assert sleepers(sleep) == []
    assert one_home.left_running() == []
    assert turn.result["answer"] == FIRST_HALF


def is_begun(turn: Turn, command: str) -> bool:
    """Whether a command of a turn begins to run before the turn has ended."""
    found = wait_until(lambda: sleepers(command) or turn.is_ended, what=f"the process {command}")
    return isinstance(found, list)


def test_a_deadline_ends_the_turn(home: Home) -> None:
    for deadline_s in DEADLINES_S:
        gate = Gate()
        home.model([say(FIRST_HALF, hold(gate), "never")])
        run = home.run("new", "hi", "--deadline", str(deadline_s), "--wait", "--full")
        assert deadline_s <= run.json["elapsed_s"] < deadline_s + LATE_S
        if run.json["answer"] is not None:
            break
    assert (run.code, run.json["state"], run.json["error"]["kind"]) == (1, "failed", "deadline")
    assert run.json["answer"] == FIRST_HALF
    assert "--deadline" in run.json["error"]["hint"]
    assert home.left_running() == []


@pytest.mark.full
def test_a_deadline_ends_a_running_command(one_home: Home) -> None:
    sleep, has_run = nap(one_home), False
    one_home.model([reply(say(FIRST_HALF), run_command(sleep))])
    for deadline_s in DEADLINES_S:
        turn = one_home.start("new", "hi", "--deadline", str(deadline_s))
        has_run = is_begun(turn, sleep)
        assert turn.wait()["error"]["kind"] == "deadline"
        assert sleepers(sleep) == []
        if has_run:
            break
    assert has_run
