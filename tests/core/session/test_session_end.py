"""A turn whose app-server exits, and the clock of a session."""

from __future__ import annotations

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.timers import LIMIT_MS, Timer, Timers
from codex_server_cli.core.model.turn import State, TurnError
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.result.hints import End, hint_of
from codex_server_cli.core.result.outcome import Cause, decide
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    RETRY,
    STARTED,
    THREAD,
    TURN,
    TURN_ID,
    Dialogue,
    delta,
    error_notification,
    message_completed,
    message_started,
    status_notification,
)

SECOND, MINUTE = 1_000.0, 60_000.0
IDLE = status_notification("idle")
REFUSED = {"code": -32600, "message": "no active turn to interrupt"}


def mid_answer() -> Dialogue:
    """A turn in the middle of its answer."""
    return Dialogue().started().receive(message_started(), delta("Hel"))


# --- an app-server that exits


@for_each("stage", ["initialize", "opened", "replied", "started", "mid_answer"])
def test_a_server_that_goes_away_before_the_end_has_crashed(stage: str) -> None:
    talk = Dialogue()
    if stage == "mid_answer":
        talk = mid_answer()
    elif stage != "initialize":
        getattr(talk, stage)()
    talk.end()
    assert (talk.kind, talk.outcome.answer) == (ErrorKind.CODEX_CRASHED, "Hel" if stage == "mid_answer" else None)


def test_a_server_that_goes_away_after_the_end_changes_nothing() -> None:
    talk = Dialogue().started().receive(message_completed("Hello"), COMPLETED).end()
    assert talk.outcome.state is State.COMPLETE


def test_a_server_that_goes_away_after_its_error_has_failed_for_that_reason() -> None:
    talk = mid_answer().receive(error_notification("m", will_retry=False, info="contextWindowExceeded")).end()
    assert talk.kind is ErrorKind.CONTEXT_WINDOW


def test_a_last_line_without_its_newline_still_counts() -> None:
    line = b'{"method":"turn/completed","params":{"threadId":"%s","turn":{"id":"%s","status":"completed"}}}'
    talk = Dialogue().started().receive(message_completed("Hello"), line % (THREAD.encode(), TURN.encode()))
    assert not talk.has_ended
    assert talk.end().outcome.state is State.COMPLETE


def test_a_torn_last_line_is_recorded_and_is_no_message() -> None:
    talk = mid_answer().receive(b'{"method":"turn/comp').end()
    assert talk.kind is ErrorKind.CODEX_CRASHED
    assert b'"invalid": "{\\"method\\":\\"turn/comp"' in talk.events


def test_a_server_that_goes_away_before_its_reply_to_the_turn_keeps_what_had_come() -> None:
    talk = Dialogue().opened().receive(STARTED, message_started(), delta("Hel")).end()
    assert (talk.kind, talk.outcome.answer, talk.text) == (ErrorKind.CODEX_CRASHED, "Hel", "Hel")
    talk = Dialogue().opened().receive(STARTED, message_completed("Hello"), COMPLETED).end()
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")


def test_the_error_of_a_refused_policy_outlives_the_server() -> None:
    wide = {"threadSettings": {"sandboxPolicy": {"type": "dangerFullAccess"}}, "threadId": THREAD}
    talk = mid_answer().receive({"method": "thread/settings/updated", "params": wide}).end()
    assert talk.kind is ErrorKind.SANDBOX


def test_a_worker_that_died_is_told_from_its_log_alone() -> None:
    record, text = replay(mid_answer().events)
    outcome = decide(record, Cause.WORKER_DIED, TurnRequest(TURN_ID, "/project"))
    assert (outcome.state, outcome.answer, text) == (State.ABANDONED, "Hel", "Hel")


# --- the clock


def test_nothing_is_waited_for_once_the_turn_has_ended() -> None:
    talk = Dialogue(deadline_s=1).started().receive(RETRY, COMPLETED)
    assert talk.session.wakeup_ms is None


def test_a_session_says_when_it_needs_to_be_woken_next() -> None:
    talk = Dialogue()
    assert talk.session.wakeup_ms == talk.now_ms + LIMIT_MS[Timer.REQUEST]
    talk.started()
    assert talk.session.wakeup_ms == talk.now_ms + LIMIT_MS[Timer.STALL]


def test_a_tick_before_anything_is_due_does_nothing() -> None:
    talk = mid_answer()
    step = talk.session.tick(talk.now_ms + 1)
    assert (step.events, step.text, step.sends, step.outcome) == (b"", "", b"", None)


def test_a_clock_that_jumps_ends_no_turn_that_can_still_be_asked_about() -> None:
    talk = Dialogue().started()
    talk.session.tick(talk.now_ms + 24 * 60 * MINUTE)  # a laptop that slept
    assert not talk.has_ended


def test_a_timer_that_another_one_moved_is_not_taken_for_due() -> None:
    timers = Timers()
    timers.start(Timer.STOP, 0)
    timers.start(Timer.REQUEST, 0)
    timers.set(Timer.DEADLINE, 5)
    taken = []
    for timer in timers.take_due(100_000):
        taken.append(timer)
        timers.start(Timer.REQUEST, 100_000)
        timers.clear(Timer.DEADLINE)
    assert taken == [Timer.STOP]
    assert timers.next_ms == 100_000 + LIMIT_MS[Timer.REQUEST]
    assert timers.is_running(Timer.REQUEST)
    assert not timers.is_running(Timer.DEADLINE)


def test_a_timer_that_is_started_once_keeps_its_time() -> None:
    timers = Timers()
    timers.start_once(Timer.STALL, 0)
    timers.start_once(Timer.STALL, 10)
    assert timers.next_ms == LIMIT_MS[Timer.STALL]
    timers.clear_all()
    assert timers.next_ms is None


def test_an_error_that_the_driver_brings_is_kept_as_it_is_with_the_hint_of_its_kind() -> None:
    error = TurnError(ErrorKind.CODEX_MISSING, "no such binary")
    outcome = Dialogue().end(error).outcome
    assert outcome is not None
    request = TurnRequest(TURN_ID, "/project")
    assert outcome.error == error._replace(hint=hint_of(End(ErrorKind.CODEX_MISSING), request))


def test_better_words_of_the_driver_are_kept_too_and_their_commands_filled_in() -> None:
    outcome = Dialogue().end(TurnError(ErrorKind.CODEX_MISSING, "no such binary", "Install it, then: {again}")).outcome
    assert outcome.error is not None
    assert outcome.error.hint == "Install it, then: `codex-server new --cwd /project -`"
