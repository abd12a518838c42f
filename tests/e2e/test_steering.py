"""`steer`: text into a running turn, and a clear error where that is not possible."""

from __future__ import annotations

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold as hold_reply
from codex_server_cli.demo.replies import say
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import wait_until


def test_a_steer_reaches_the_model_after_the_response_under_way(home: Home) -> None:
    gate = Gate()
    model = home.model([say(FIRST_HALF, hold_reply(gate), SECOND_HALF, phase="commentary"), say("To the left, then.")])
    turn = home.start("new", "hi")
    wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
    run = home.run("steer", turn.id, "-", stdin="look to the left")
    assert (run.code, list(run.json["next"])) == (0, ["wait"])
    gate.open()
    assert turn.wait()["answer"] == "To the left, then."
    assert model.model_requests[1].prompt == "look to the left"
    assert turn.sent("turn/steer")["expectedTurnId"] == turn.meta["codex_turn_id"]
    assert "look to the left" in turn.out


def test_an_ended_turn_is_not_steered_and_the_way_on_is_named(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    turn.end()
    before = sorted(path.name for path in turn.path.rglob("*"))
    run = one_home.run("steer", turn.id, "look to the left")
    assert (run.code, "has ended (complete)" in run.error["message"]) == (65, True)
    assert f"codex-server continue --turn {turn.id}" in run.error["hint"]
    assert sorted(path.name for path in turn.path.rglob("*")) == before
    assert one_home.turn_ids == [turn.id]


def test_what_is_no_text_steers_nothing(one_home: Home) -> None:
    turn = hold(one_home)
    assert one_home.run("steer", turn.id, " \n").error["exit_code"] == 65
    assert one_home.run("steer", turn.id, "--file", "missing.txt").error["exit_code"] == 65
    assert one_home.run("steer", turn.id).error["exit_code"] == 64
    assert one_home.run("steer", turn.id, "look", "left").error["exit_code"] == 64
    assert one_home.run("steer", "nobody", "look left").error["exit_code"] == 66
    finish(turn)
    assert not [event for event in turn.events if event.get("method") == "turn/steer"]


def test_a_queued_turn_is_not_steered_yet(one_home: Home) -> None:
    one_home.configure(max_running=1)
    first = PlayedTurn(one_home, max_running=1)
    one_home.model([say("Done.")])
    second = one_home.start("new", "hi")
    run = one_home.run("steer", second.id, "look left")
    assert (run.code, "not begun" in run.error["message"]) == (75, True)
    assert one_home.run("approve", second.id).code == 75
    first.end()
    assert second.wait()["state"] == "complete"
