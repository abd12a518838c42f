"""A second shell reaches a running turn over every way: it cancels, steers, decides and answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.e2e.test_continuing import echo, ended
from tests.kit.escalations import ASK, escalated, pending, question, replies_of, wait_for_any_id, wait_for_request
from tests.kit.home import FIRST_HALF, SECOND_HALF, await_sleeper, nap, sleepers, start_sleeping
from tests.kit.places import TransportHome, short_list
from tests.kit.support import wait_until

FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")


@short_list
def test_cancel_ends_a_running_command_keeps_what_had_come_and_the_thread_goes_on(place: TransportHome) -> None:
    turn, sleep = start_sleeping(place, "{nap}")
    run = place.run("cancel", turn.id)
    assert (run.code, run.json["state"], run.json["error"]["kind"]) == (0, "cancelled", "cancelled")
    assert sleepers(sleep) == []
    assert place.left_running() == []
    completed = [event for event in turn.events if event.get("method") == "turn/completed"]
    assert [event["params"]["turn"]["status"] for event in completed] == ["interrupted"]
    assert turn.result["answer"] == FIRST_HALF
    place.model(echo)
    again = ended(place, "continue", "--turn", turn.id, "go on")
    assert (again.result["answer"], again.meta["thread_id"]) == ("re: go on", turn.meta["thread_id"])


def test_cancel_ends_what_escaped_into_the_background(place: TransportHome) -> None:
    turn, sleep = start_sleeping(place, "(setsid {nap} &); {nap}", *FULL_ACCESS)
    assert place.run("cancel", turn.id).json["state"] == "cancelled"
    assert sleepers(sleep) == []


def test_the_end_of_a_turn_ends_what_it_left_in_the_background(place: TransportHome) -> None:
    gate, sleep = Gate(), nap(place)
    place.model([run_command(f"(setsid {sleep} >/dev/null 2>&1 &)"), say(FIRST_HALF, hold(gate), SECOND_HALF)])
    turn = place.start("new", "hi", *FULL_ACCESS)
    await_sleeper(turn, sleep)
    gate.open()
    assert turn.wait()["state"] == "complete"
    assert sleepers(sleep) == []


def test_cancel_before_the_first_word(place: TransportHome) -> None:
    gate = Gate()
    place.model([reply(hold(gate), say("never"))])
    turn = place.start("new", "hi")
    gate.wait_until_reached()
    assert place.run("cancel", turn.id).json["state"] == "cancelled"
    assert turn.result["answer"] is None
    at_once = place.start("new", "hi")
    assert place.run("cancel", at_once.id).json["state"] == "cancelled"
    assert place.left_running() == []


@pytest.mark.full
def test_a_snapshot_of_the_shell_that_codex_still_takes_is_not_what_a_turn_left(shared_place: TransportHome) -> None:
    profile, go_on = Path(shared_place.env["HOME"]) / ".bashrc", shared_place.root / "go-on"
    profile.write_text(f"until [ -e {go_on} ]; do sleep 0.1; done\n")
    shared_place.env["SHELL"] = "/bin/bash"
    gate = Gate()
    shared_place.model([reply(hold(gate), say("never"))], features={"shell_snapshot": True})
    turn = shared_place.start("new", "hi")
    gate.wait_until_reached()
    snapshots = wait_until(lambda: shared_place.processes("# Snapshot file"), what="the snapshot")
    assert shared_place.run("cancel", turn.id).json["state"] == "cancelled"
    assert shared_place.left_running() == []
    assert any(each.is_running() for each in snapshots)
    go_on.touch()


def test_a_deadline_ends_the_turn(place: TransportHome) -> None:
    gate = Gate()
    place.model([say(FIRST_HALF, hold(gate), "never")])
    turn = place.start("new", "hi", "--deadline", "2")
    done = turn.wait()
    assert (done["state"], done["error"]["kind"]) == ("failed", "deadline")
    assert done["answer"] in (FIRST_HALF, None)  # the machine may be busy
    assert place.left_running() == []


@short_list
def test_a_steer_reaches_the_model_after_the_response_under_way(place: TransportHome) -> None:
    gate = Gate()
    under_way = say(FIRST_HALF, hold(gate), SECOND_HALF, phase="commentary")
    model = place.model([under_way, say(hold(gate), "To the left, then.")])
    turn = place.start("new", "hi")
    wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
    run = place.run("steer", turn.id, "-", stdin="look to the left")
    assert (run.code, list(run.json["next"])) == (0, ["wait"])
    gate.open()
    assert turn.wait()["answer"] == "To the left, then."
    assert model.model_requests[1].prompt == "look to the left"
    assert turn.sent("turn/steer")["expectedTurnId"] == turn.meta["codex_turn_id"]
    assert turn.out.count("look to the left") == 1


@short_list
def test_an_escalated_command_runs_once_it_is_approved_and_not_where_it_is_declined(place: TransportHome) -> None:
    model = place.model([escalated(place), escalated(place, "never", call_id="c2"), say("Done.")])
    turn = place.start("new", "hi", *ASK)
    first = wait_for_request(place, turn, wait_for_any_id(turn))
    assert (first["kind"], first["reason"]) == ("command", "to leave a mark")
    assert turn.status()["phase"] == "waiting_approval"
    assert not (place.root / "mark").exists()
    assert place.run("approve", turn.id, first["id"]).json["decided"] == "approve"
    second = wait_for_any_id(turn, but=first["id"])
    assert place.run("decline", turn.id, second).json["decided"] == "decline"
    assert turn.wait()["answer"] == "Done."
    assert (place.root / "mark").read_text() == "hello\n"
    assert not (place.root / "never").exists()
    assert replies_of(turn) == [{"decision": "accept"}, {"decision": "decline"}]
    assert "rejected" in str(model.model_requests[2].tool_outputs["c2"])
    assert pending(place) == pending(place, turn) == []


def test_a_cancel_ends_a_turn_that_waits_for_an_approval(place: TransportHome) -> None:
    place.model([escalated(place), say("Never.")])
    turn = place.start("new", "hi", *ASK)
    wait_for_any_id(turn)
    assert place.run("cancel", turn.id).json["state"] == "cancelled"
    assert pending(place) == pending(place, turn) == []
    assert not (place.root / "mark").exists()


def test_an_unanswered_request_is_declined_when_its_time_is_over(place: TransportHome) -> None:
    place.model([escalated(place), say("Nobody came.")])
    turn = place.start("new", "hi", *ASK, "--approval-timeout", "1")
    assert turn.wait()["answer"] == "Nobody came."
    assert replies_of(turn) == [{"decision": "decline"}]


@short_list
def test_a_question_waits_and_the_reply_of_a_second_shell_reaches_the_model(place: TransportHome) -> None:
    model = place.model([question(), say("As you like.")])
    turn = place.start("new", "hi", "--questions")
    request = wait_for_request(place, turn, wait_for_any_id(turn))
    assert (request["kind"], request["questions"][0]["id"]) == ("question", "q1")
    assert turn.status()["phase"] == "waiting_input"
    assert place.run("reply", turn.id, "--answer", "blue").json["decided"] == "reply"
    assert turn.wait()["answer"] == "As you like."
    assert replies_of(turn) == [{"answers": {"q1": {"answers": ["Blue"]}}}]
    (reported,) = model.model_requests[1].tool_outputs.values()
    assert "Blue" in str(reported)
