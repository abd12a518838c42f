"""Text sent into a running turn."""

from __future__ import annotations

from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.errors import CodexServerError, Exit
from tests.kit.cases import for_each
from tests.kit.dialogue import COMPLETED, STARTED, THREAD, TURN, Dialogue, item_notification

TEXT = "use tabs"


def error_of(talk: Dialogue) -> CodexServerError:
    error = talk.replies[-1].error
    assert error is not None
    return error


def test_text_is_sent_to_the_running_turn_and_its_sender_learns_when_codex_has_it() -> None:
    talk = Dialogue().started().serve("steer", text=TEXT)
    assert talk.requests("turn/steer") == [
        {"threadId": THREAD, "expectedTurnId": TURN, "input": [{"type": "text", "text": TEXT}]}
    ]
    assert talk.replies == []
    talk.reply("turn/steer", {"turnId": TURN})
    assert [(reply.tag, reply.error) for reply in talk.replies] == [("shell", None)]
    said = [
        item_notification("item/completed", "userMessage", content=[{"type": "text", "text": each}])
        for each in ("p", TEXT)
    ]
    assert talk.receive(*said).text == f"> {TEXT}\n"


def test_two_shells_steer_and_each_gets_its_own_answer() -> None:
    talk = Dialogue().started().serve("steer", "a", text="one").serve("steer", "b", text="two")
    first, second = [message["id"] for message in talk.sent if message.get("method") == "turn/steer"]
    talk.receive({"id": second, "error": {"code": -32600, "message": "no"}}, {"id": first, "result": {}})
    assert [(reply.tag, reply.error is None) for reply in talk.replies] == [("b", False), ("a", True)]


@for_each("error", [{"code": -32600, "message": "no active turn to steer"}, "odd"])
def test_a_refusal_is_told_and_does_not_end_the_turn(error: object) -> None:
    talk = Dialogue().started().serve("steer", text=TEXT)
    talk.receive({"id": talk.sent[-1]["id"], "error": error})
    assert error_of(talk).exit_code == Exit.BAD_INPUT
    assert "continue" in error_of(talk).hint
    assert not talk.has_ended


@for_each("text", ["", " \n", None])
def test_empty_text_steers_nothing(text: str | None) -> None:
    talk = Dialogue().started().serve("steer", text=text)
    assert error_of(talk).exit_code == Exit.BAD_INPUT
    assert talk.requests("turn/steer") == []


def test_a_turn_that_has_yet_to_begin_cannot_be_steered() -> None:
    for talk in (Dialogue(), Dialogue().opened(), Dialogue().replied()):
        assert error_of(talk.serve("steer", text=TEXT)).exit_code == Exit.BUSY
        assert talk.requests("turn/steer") == []
    talk = Dialogue().replied().receive(STARTED).serve("steer", text=TEXT)
    assert len(talk.requests("turn/steer")) == 1


def test_steering_a_turn_that_ends_meanwhile_says_so() -> None:
    talk = Dialogue().started().serve("steer", text=TEXT).receive(COMPLETED)
    assert talk.has_ended
    assert "ended before" in error_of(talk).message


def test_a_reply_that_never_comes_is_told_and_the_turn_goes_on() -> None:
    talk = Dialogue().started().serve("steer", text=TEXT).advance(LIMIT_MS[Timer.REQUEST])
    assert "did not answer" in error_of(talk).message
    assert not talk.has_ended


def test_a_review_cannot_be_steered_nor_a_compaction() -> None:
    talk = Dialogue(review={"type": "uncommittedChanges"})
    assert error_of(talk.serve("steer", text=TEXT)).message == "a review cannot be steered"
    talk = Dialogue(is_compaction=True)
    assert error_of(talk.serve("steer", text=TEXT)).message == "a compaction cannot be steered"
