"""A turn that falls silent, retries without end, or ends without a notification."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.timers import LIMIT_MS, STALL_CHECK_MS, Timer
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    RETRY,
    THREAD,
    TURN,
    Dialogue,
    Json,
    delta,
    error_notification,
    item_notification,
    message_completed,
    message_started,
    status_notification,
    turn_notification,
)

SECOND, MINUTE = 1_000.0, 60_000.0
IDLE = status_notification("idle")
REFUSED = {"code": -32600, "message": "no active turn to interrupt"}


def mid_answer() -> Dialogue:
    """A turn in the middle of its answer."""
    return Dialogue().started().receive(message_started(), delta("Hel"))


# --- stalls


def test_a_silent_turn_without_an_open_item_is_asked_about() -> None:
    talk = Dialogue().started().advance(LIMIT_MS[Timer.STALL] - 1)
    assert talk.requests("thread/turns/list") == []
    talk.advance(1)
    assert talk.requests("thread/turns/list") == [{"threadId": THREAD, "limit": 5, "itemsView": "full"}]
    assert not talk.has_ended


def test_any_message_puts_the_stall_off() -> None:
    talk = Dialogue().started().advance(14 * MINUTE).receive(status_notification("active"))
    talk.advance(14 * MINUTE)
    assert talk.requests("thread/turns/list") == []
    talk.advance(2 * MINUTE)
    assert len(talk.requests("thread/turns/list")) == 1


def test_a_silent_command_is_no_stall() -> None:
    command = item_notification("item/started", "commandExecution", command="make")
    talk = Dialogue().started().receive(command).advance(300 * MINUTE)
    assert (talk.has_ended, talk.requests("thread/turns/list")) == (False, [])
    talk.receive(item_notification("item/completed", "commandExecution", command="make", exitCode=0))
    talk.advance(LIMIT_MS[Timer.STALL] + STALL_CHECK_MS)
    assert len(talk.requests("thread/turns/list")) == 1


def test_a_message_that_stops_in_its_middle_is_a_stall() -> None:
    talk = Dialogue().started().receive(message_started(), delta("Hel"))
    talk.advance(LIMIT_MS[Timer.STALL] + STALL_CHECK_MS)
    assert len(talk.requests("thread/turns/list")) == 1


def _stored(status: str, text: str = "Hello") -> Json:
    item = {"type": "agentMessage", "id": "msg-1", "text": text, "phase": "final_answer"}
    return {"id": TURN, "status": status, "error": None, "items": [item] if text else []}


def _stalled() -> Dialogue:
    return Dialogue().started().advance(LIMIT_MS[Timer.STALL])


def test_a_stalled_turn_that_codex_has_on_record_as_completed_is_complete() -> None:
    talk = _stalled().reply("thread/turns/list", {"data": [{"id": "old", "status": "failed"}, _stored("completed")]})
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")


def test_a_stalled_turn_that_codex_has_on_record_as_failed_has_its_reason() -> None:
    error = {"message": "no room", "codexErrorInfo": "contextWindowExceeded"}
    talk = _stalled().reply("thread/turns/list", {"data": [{**_stored("failed", ""), "error": error}]})
    assert talk.kind is ErrorKind.CONTEXT_WINDOW


@for_each(
    "answer",
    [
        {"result": {"data": [_stored("inProgress", "")]}},
        {"result": {"data": []}},
        {"result": {"data": None}},
        {"error": {"code": -32600, "message": "ephemeral threads do not support thread/turns/list"}},
    ],
)
def test_a_stalled_turn_of_which_codex_knows_no_end_has_stalled(answer: dict[str, Any]) -> None:
    assert _stalled().reply("thread/turns/list", **answer).kind is ErrorKind.STALLED


def test_a_server_that_does_not_even_answer_has_stalled() -> None:
    talk = _stalled().advance(LIMIT_MS[Timer.RECONCILE] - 1)
    assert not talk.has_ended
    assert talk.advance(1).kind is ErrorKind.STALLED


def test_a_server_that_goes_away_while_it_is_asked_has_crashed() -> None:
    assert _stalled().end().kind is ErrorKind.CODEX_CRASHED


def test_a_turn_that_ends_while_it_is_asked_about_ends_as_it_says() -> None:
    assert _stalled().receive(message_completed("Hello"), COMPLETED).outcome.state is State.COMPLETE


def test_a_stall_before_the_turn_has_an_id_needs_no_asking() -> None:
    talk = Dialogue()
    talk.session.tick(talk.now_ms + LIMIT_MS[Timer.STALL])  # a clock that jumps: everything is due at once
    assert talk.kind is ErrorKind.STALLED


# --- retries without end


def test_nothing_but_retries_is_a_stall_in_the_end() -> None:
    talk = Dialogue().started()
    for _ in range(10):
        talk.receive(RETRY).advance(MINUTE)
    assert talk.requests("turn/interrupt") != []
    talk.advance(LIMIT_MS[Timer.STOP])
    assert talk.kind is ErrorKind.STALLED
    assert talk.session.record.phase is Phase.RETRYING


@for_each("progress", [message_started(), delta("x"), item_notification("item/started", "reasoning")])
def test_progress_between_retries_begins_the_count_anew(progress: Json) -> None:
    talk = Dialogue().started()
    for _ in range(5):
        talk.receive(RETRY).advance(9 * MINUTE).receive(progress)
    assert (talk.has_ended, talk.requests("turn/interrupt")) == (False, [])


# --- ends that lack only the notification


def test_a_thread_that_falls_idle_without_completing_the_turn_is_asked_about() -> None:
    talk = Dialogue().started().receive(message_completed("Hello"), IDLE)
    talk.advance(LIMIT_MS[Timer.COMPLETION] - 1)
    assert talk.requests("thread/turns/list") == []
    talk.advance(1).reply("thread/turns/list", {"data": [_stored("completed")]})
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")


@for_each("answer", [{"result": {"data": [_stored("inProgress", "")]}}, {"error": {"message": "no"}}])
def test_an_idle_thread_with_a_whole_answer_has_completed(answer: dict[str, Any]) -> None:
    talk = Dialogue().started().receive(message_completed("Hello"), IDLE).advance(LIMIT_MS[Timer.COMPLETION])
    talk.reply("thread/turns/list", **answer)
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")


def test_an_idle_thread_without_an_answer_or_a_record_has_stalled() -> None:
    talk = mid_answer().receive(IDLE).advance(LIMIT_MS[Timer.COMPLETION]).reply("thread/turns/list", {"data": []})
    assert (talk.kind, talk.outcome.answer) == (ErrorKind.STALLED, "Hel")


def test_an_idle_thread_that_completes_in_time_is_not_asked_about() -> None:
    talk = Dialogue().started().receive(message_completed("Hello"), IDLE).advance(1).receive(COMPLETED)
    assert (talk.outcome.state, talk.requests("thread/turns/list")) == (State.COMPLETE, [])


def test_a_thread_that_was_idle_before_the_turn_started_is_not_asked_about() -> None:
    talk = Dialogue().replied().receive(IDLE).advance(10 * SECOND)
    assert talk.requests("thread/turns/list") == []


def test_a_thread_that_becomes_active_again_is_not_asked_about() -> None:
    talk = Dialogue().started().receive(IDLE).advance(1).receive(status_notification("active")).advance(10 * SECOND)
    assert (talk.has_ended, talk.requests("thread/turns/list")) == (False, [])


def test_an_error_without_the_end_that_belongs_to_it_ends_the_turn() -> None:
    talk = Dialogue().started().receive(error_notification("m", will_retry=False, info="usageLimitExceeded"))
    talk.advance(LIMIT_MS[Timer.COMPLETION] - 1)
    assert not talk.has_ended
    assert talk.advance(1).kind is ErrorKind.USAGE_LIMIT


def test_a_cancel_after_such_an_error_is_a_cancel() -> None:
    talk = mid_answer().receive(error_notification("m", will_retry=False)).stop().advance(LIMIT_MS[Timer.COMPLETION])
    assert talk.outcome.state is State.CANCELLED


def test_an_old_retry_does_not_explain_a_new_error() -> None:
    usage = {"last": {"inputTokens": 1}}
    finished = {
        "method": "thread/tokenUsage/updated",
        "params": {"threadId": THREAD, "turnId": TURN, "tokenUsage": usage},
    }
    failed = error_notification("Incomplete response returned, reason: max_output_tokens", will_retry=False)
    assert Dialogue().started().receive(RETRY, failed).end().kind is ErrorKind.NETWORK
    assert Dialogue().started().receive(RETRY, finished, failed).end().kind is ErrorKind.BAD_REQUEST


@for_each(
    ("turn", "kind"),
    [
        ({"status": "failed", "error": {"message": "m", "codexErrorInfo": "unauthorized"}}, ErrorKind.AUTH),
        ({"status": "failed", "error": None}, ErrorKind.PROTOCOL),
        ({"status": "interrupted"}, ErrorKind.CANCELLED),
        ({"status": "aWordOfANewerVersion"}, ErrorKind.PROTOCOL),
        ({"status": {"odd": 1}}, ErrorKind.PROTOCOL),
    ],
)
def test_an_end_that_is_no_completion_has_its_kind(turn: Json, kind: ErrorKind) -> None:
    talk = mid_answer().receive(turn_notification("turn/completed", **turn))
    assert (talk.kind, talk.outcome.answer) == (kind, "Hel")
