"""A review: requested with another method, run under another id, answered by its reviewer's last output.

The shapes are those of 0.163.0 and 0.171.0.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    INTERRUPTED,
    THREAD,
    TURN,
    Dialogue,
    Json,
    delta,
    item_notification,
    message_completed,
    message_started,
    turn_notification,
)

TARGET = {"type": "baseBranch", "branch": "main"}
REVIEWER = "turn-of-the-reviewer"
TEXT = "One bug.\n\n- [P1] Two is not one"
STARTED = turn_notification("turn/started", id=REVIEWER, rootTurnId=TURN, status="inProgress")
ENTERED = [
    item_notification(f"item/{end}", "enteredReviewMode", "in", review="main") for end in ("started", "completed")
]
NO_REVIEW = "Reviewer failed to output a response."
PLEASE_RE_RUN = "Review was interrupted. Please re-run /review and wait for it to complete."


def left(review: str, message: str | None = None) -> list[Json]:
    """The reviewer is done: its text comes twice."""
    text = message if message is not None else review
    return [
        *(
            item_notification(f"item/{end}", "exitedReviewMode", "out", review=review)
            for end in ("started", "completed")
        ),
        message_started("last", None, text),
        message_completed(text, "last", None),
    ]


def replied(**request: Any) -> Dialogue:
    """A review whose turn id is known."""
    talk = Dialogue("Review it.", review=TARGET, **request).opened()
    return talk.reply("review/start", {"turn": {"id": TURN, "rootTurnId": None}, "reviewThreadId": THREAD})


def reviewing(**request: Any) -> Dialogue:
    """A review at work, whose reviewer has begun a message that is never shown."""
    return replied(**request).receive(*ENTERED, STARTED, message_started("hidden", "final_answer"))


def test_a_review_is_asked_for_by_its_target_and_nothing_else() -> None:
    talk = Dialogue("Review it.", review=TARGET, effort="high", model="gpt").opened()
    assert talk.requests("review/start") == [{"threadId": THREAD, "target": TARGET}]
    assert talk.requests("turn/start") == []
    (thread,) = talk.requests("thread/start")
    assert (thread["model"], thread["config"]["model_reasoning_effort"]) == ("gpt", "high")


def test_the_text_that_the_reviewer_leaves_is_the_answer() -> None:
    talk = reviewing().receive(message_started("mid", "final_answer"), *left(TEXT), COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, TEXT)
    assert talk.text == f"· review: main\n\n{TEXT}\n"
    assert talk.session.record.open_items == {}


def test_what_the_reviewer_says_meanwhile_is_no_answer_that_is_being_given() -> None:
    talk = reviewing()
    phases = [talk.session.phase]
    phases.append(talk.receive(item_notification("item/started", "commandExecution", "c")).session.phase)
    assert phases == [Phase.THINKING, Phase.RUNNING_COMMAND]


def test_an_interrupt_names_the_turn_of_the_reviewer() -> None:
    talk = reviewing().stop()
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": REVIEWER}]
    talk.receive(*left(NO_REVIEW, PLEASE_RE_RUN), INTERRUPTED)
    assert (talk.kind, talk.outcome.answer) == (ErrorKind.CANCELLED, None)


def test_a_reviewer_that_failed_has_left_no_answer() -> None:
    error = {"message": "You've hit your usage limit.", "codexErrorInfo": "usageLimitExceeded"}
    failed = turn_notification("turn/completed", status="failed", error=error, items=[])
    talk = reviewing().receive(*left(NO_REVIEW, PLEASE_RE_RUN), failed)
    assert (talk.kind, talk.outcome.answer) == (ErrorKind.USAGE_LIMIT, None)


def test_a_review_that_was_whole_when_codex_died_is_kept() -> None:
    talk = reviewing().receive(*left(TEXT)).end()
    assert (talk.kind, talk.outcome.answer) == (ErrorKind.CODEX_CRASHED, TEXT)


def test_a_reviewer_that_had_not_finished_when_codex_died_has_left_nothing() -> None:
    assert reviewing().end().outcome.answer is None
    assert reviewing().receive(delta("never seen so far", "hidden")).end().outcome.answer == "never seen so far"


def test_a_stored_review_is_taken_over() -> None:
    talk = reviewing()
    items = [
        {"type": "exitedReviewMode", "id": "out", "review": TEXT},
        {"type": "agentMessage", "id": "m", "text": TEXT},
    ]
    talk.session.record.adopt_stored_turns([{"id": TURN, "status": "completed", "items": items}])
    assert (talk.session.record.status, talk.session.record.answer) == ("completed", TEXT)


def test_a_stored_review_that_failed_is_none() -> None:
    talk = reviewing()
    items = [{"type": "exitedReviewMode", "id": "out", "review": NO_REVIEW}]
    items.append({"type": "agentMessage", "id": "m", "text": PLEASE_RE_RUN})
    talk.session.record.adopt_stored_turns([{"id": TURN, "status": "interrupted", "items": items}])
    assert talk.session.record.answer is None


def test_a_codex_that_is_too_busy_for_a_review_is_asked_again_and_not_after_a_cancel() -> None:
    talk = Dialogue("Review it.", review=TARGET).opened()
    busy = {"code": -32001, "message": "Server overloaded; retry later."}
    talk.reply("review/start", error=busy).advance(5_000)
    assert len(talk.requests("review/start")) == 2
    talk.reply("review/start", error=busy).stop(Cause.CANCELLED).advance(60_000)
    assert (talk.kind, len(talk.requests("review/start"))) == (ErrorKind.CANCELLED, 2)


@for_each("turn", [None, {"rootTurnId": TURN}, "turn"])
def test_a_turn_that_begins_without_an_id_is_interrupted_by_the_one_that_is_known(turn: Any) -> None:
    talk = replied().receive({"method": "turn/started", "params": {"threadId": THREAD, "turn": turn}}).stop()
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
