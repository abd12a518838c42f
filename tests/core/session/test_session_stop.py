"""A turn that is stopped: by its user, its deadline or its worker."""

from __future__ import annotations

from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    INTERRUPTED,
    STARTED,
    THREAD,
    TURN,
    Dialogue,
    delta,
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


# --- cancel


def test_a_cancel_before_the_turn_was_asked_for_ends_it_at_once() -> None:
    for talk in (Dialogue(), Dialogue().reply("initialize")):
        talk.stop()
        assert (talk.outcome.state, talk.outcome.answer) == (State.CANCELLED, None)


def test_a_cancel_after_the_request_and_before_the_start_interrupts_as_soon_as_it_can() -> None:
    talk = Dialogue().opened().stop()
    assert talk.requests("turn/interrupt") == []
    talk.reply("turn/start", {"turn": {"id": TURN}})
    assert talk.requests("turn/interrupt") == []  # before `turn/started` it would be refused
    talk.receive(STARTED)
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
    talk.receive(INTERRUPTED)
    assert talk.outcome.state is State.CANCELLED


def test_a_cancel_in_the_middle_of_the_answer_keeps_what_had_come() -> None:
    talk = mid_answer().stop()
    assert not talk.has_ended
    talk.reply("turn/interrupt").receive(INTERRUPTED)
    assert (talk.outcome.state, talk.outcome.answer) == (State.CANCELLED, "Hel")
    assert talk.outcome.error is not None
    assert talk.outcome.error.message == "The turn was cancelled."


def test_a_refused_interrupt_is_tried_again() -> None:
    talk = mid_answer().stop().reply("turn/interrupt", error=REFUSED)
    assert not talk.has_ended
    talk.advance(LIMIT_MS[Timer.INTERRUPT])
    assert len(talk.requests("turn/interrupt")) == 2
    talk.receive(INTERRUPTED)
    assert talk.outcome.state is State.CANCELLED


def test_a_turn_that_completes_wins_over_a_late_cancel() -> None:
    talk = mid_answer().stop().receive(delta("lo"), message_completed("Hello"), COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")


@for_each("is_started", [True, False])
def test_a_turn_that_does_not_react_to_a_cancel_ends_all_the_same(is_started: bool) -> None:
    talk = (mid_answer() if is_started else Dialogue().opened()).stop()
    talk.advance(LIMIT_MS[Timer.STOP] - 1)
    assert not talk.has_ended
    talk.advance(1)
    assert talk.outcome.state is State.CANCELLED


def test_a_second_stop_does_not_change_the_cause_or_the_time() -> None:
    talk = mid_answer().stop(Cause.DEADLINE).advance(LIMIT_MS[Timer.STOP] - 1).stop(Cause.CANCELLED).advance(1)
    assert talk.kind is ErrorKind.DEADLINE


def test_a_server_that_goes_away_after_a_cancel_is_a_cancel() -> None:
    talk = mid_answer().stop().end()
    assert (talk.outcome.state, talk.outcome.answer) == (State.CANCELLED, "Hel")


def test_a_worker_that_is_told_to_die_leaves_an_abandoned_turn() -> None:
    assert mid_answer().stop(Cause.WORKER_STOPPED).advance(LIMIT_MS[Timer.STOP]).outcome.state is State.ABANDONED


# --- deadline


@for_each("is_started", [True, False])
def test_a_deadline_ends_the_turn(is_started: bool) -> None:
    talk = Dialogue(deadline_s=1.5)
    if is_started:
        talk.started().receive(message_started(), delta("Hel"))
    talk.advance(1_499)
    assert not talk.has_ended
    assert talk.requests("turn/interrupt") == []
    talk.advance(1 + LIMIT_MS[Timer.STOP])
    assert (talk.kind, talk.outcome.answer) == (ErrorKind.DEADLINE, "Hel" if is_started else None)
    assert len(talk.requests("turn/interrupt")) >= is_started


def test_without_a_deadline_a_turn_may_take_its_time() -> None:
    talk = mid_answer()
    for _ in range(100):
        talk.advance(10 * MINUTE).receive(delta("."))
    assert not talk.has_ended
