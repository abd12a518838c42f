"""Codex asks open questions, in its default mode and in plan mode, and a second shell replies. Both codex versions."""

from __future__ import annotations

import pytest

from codex_server_cli.demo.replies import say
from tests.kit.escalations import QUESTION, pending, question, replies_of, wait_for_request
from tests.kit.home import Home
from tests.kit.played_turn import ASKING, PlayedTurn

WHY = {**QUESTION, "id": "q2", "header": "Why", "question": "And why?"}


@pytest.mark.parametrize("mode", ["--questions", "--plan"])
def test_a_question_waits_and_the_reply_of_a_second_shell_reaches_the_model(home: Home, mode: str) -> None:
    model = home.model([question(), say("As you like.")])
    turn = home.start("new", "hi", mode)
    request = wait_for_request(home, turn)
    assert (request["kind"], request["answer_with"], request["questions"][0]["id"]) == ("question", "reply", "q1")
    assert turn.status()["phase"] == "waiting_input"
    shown = home.run("pending", turn.id).stdout
    assert "│ Colour: Which colour?\n│   1  Red — warm\n│   2  Blue — cold\n" in shown
    assert f"codex-server reply {turn.id} 0 --answer 'q1=…'" in shown
    run = home.run("reply", turn.id, "--answer", "blue")
    assert (run.code, run.json["decided"]) == (0, "reply")
    assert turn.wait()["answer"] == "As you like."
    assert replies_of(turn) == [{"answers": {"q1": {"answers": ["Blue"]}}}]
    (reported,) = model.model_requests[1].tool_outputs.values()
    assert "Blue" in str(reported)
    assert turn.meta["approval"] == "never"
    assert "under-development" not in turn.out  # a feature that Codex itself warns of


def test_each_question_is_answered_by_its_id_and_a_declined_one_lets_the_turn_go_on(one_home: Home) -> None:
    one_home.model([question(QUESTION, WHY), question(), say("Then I guess.")])
    turn = one_home.start("new", "hi", "--questions")
    wait_for_request(one_home, turn)
    run = one_home.run("reply", turn.id, "0", "--answer", "q1=Red", "-a", "q2=x = y, so it is")
    assert run.code == 0, run
    wait_for_request(one_home, turn, "1")
    assert one_home.run("decline", turn.id).code == 0
    assert turn.wait()["answer"] == "Then I guess."
    assert replies_of(turn) == [
        {"answers": {"q1": {"answers": ["Red"]}, "q2": {"answers": ["x = y, so it is"]}}},
        {"answers": {}},
    ]


@pytest.mark.measured
def test_a_reply_that_does_not_fit_changes_nothing(one_home: Home) -> None:
    turn = PlayedTurn(one_home, **ASKING)
    turn.ask(QUESTION, WHY)
    for arguments, code, message in (
        (["--answer", "zz=Red", "--answer", "q1=Red"], 65, "no question 'zz' was asked, but q1, q2"),
        (["--answer", "q1=Red"], 65, "question 'q2' needs an answer"),
        (["--answer", "Red"], 64, "does not say which question"),
        ([], 64, "an answer is missing"),
        (["7", "--answer", "q1=Red"], 66, "no request '7'"),
        (["0", "--answer", "q1=…", "--answer", "q2=…"], 65, "the answer to question 'q1' is empty"),
    ):
        run = one_home.run("reply", turn.id, *arguments)
        assert (run.code, message in run.error["message"]) == (code, True), run
        assert replies_of(turn) == []
    assert [each["id"] for each in pending(one_home, turn)] == ["0"]
    assert one_home.run("approve", turn.id).error["hint"] == "Use reply, or decline."


@pytest.mark.measured
def test_an_answer_can_come_from_stdin(one_home: Home) -> None:
    turn = PlayedTurn(one_home, **ASKING)
    turn.ask(QUESTION)
    assert one_home.run("reply", turn.id, "--answer", "q1=-", stdin="Violet = new\n").code == 0
    assert replies_of(turn) == [{"answers": {"q1": {"answers": ["Violet = new"]}}}]
