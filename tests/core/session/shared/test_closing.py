"""After its end a turn leaves nothing on a shared app-server; its outcome waits for that, but for 2 s at most."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    INTERRUPTED,
    SHARED,
    STARTED,
    THREAD,
    TURN,
    TURN_ID,
    Dialogue,
    delta,
    error_notification,
    item_notification,
    message_started,
    said,
    usage_notification,
)

CLEAN, LEAVE = "thread/backgroundTerminals/clean", "thread/unsubscribe"
TOO_BUSY = {"code": -32001, "message": "Server overloaded; retry later."}
NOT_BEGUN = {"code": -32600, "message": "no active turn"}


def shared(**request: Any) -> Dialogue:
    return Dialogue(server=SHARED, **request)


def left(talk: Dialogue) -> Dialogue:
    """What is left is ended, one request after the other."""
    assert (talk.has_ended, talk.session.is_closing) == (False, True)
    assert talk.session.phase is Phase.FINISHING
    assert talk.requests(LEAVE) == []
    talk.reply(CLEAN)
    assert talk.requests(CLEAN) == talk.requests(LEAVE) == [{"threadId": THREAD}]
    assert not talk.has_ended
    talk.reply(LEAVE, {"status": "unsubscribed"})
    assert not talk.session.is_closing
    return talk


def test_after_its_end_a_turn_is_cleaned_up_and_released() -> None:
    talk = left(shared().started().receive(*said("Hello"), COMPLETED))
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")
    assert talk.requests("turn/interrupt") == []


def test_on_a_server_of_its_own_nothing_of_this_is_sent() -> None:
    talk = Dialogue().started().receive(*said("Hello"), COMPLETED)
    assert talk.has_ended
    assert not talk.session.is_closing
    assert talk.requests(CLEAN) == talk.requests(LEAVE) == []


def test_a_refusal_is_no_hindrance() -> None:
    talk = shared().started().receive(*said("Hello"), COMPLETED)
    talk.reply(CLEAN, error=NOT_BEGUN).reply(LEAVE, error=NOT_BEGUN)
    assert talk.outcome.state is State.COMPLETE


def test_an_overloaded_server_is_asked_again() -> None:
    talk = shared().started().receive(*said("Hello"), COMPLETED)
    talk.reply(CLEAN, error=TOO_BUSY).advance(75)
    assert len(talk.requests(CLEAN)) == 2
    assert talk.reply(CLEAN).reply(LEAVE).outcome.state is State.COMPLETE


def test_silence_is_waited_for_two_seconds() -> None:
    talk = shared().started().receive(*said("Hello"), COMPLETED)
    talk.advance(LIMIT_MS[Timer.CLOSING] - 1)
    assert not talk.has_ended
    assert talk.advance(1).outcome.state is State.COMPLETE


@for_each(("cause", "kind"), [(Cause.CANCELLED, ErrorKind.CANCELLED), (Cause.WORKER_STOPPED, ErrorKind.WORKER_DIED)])
def test_a_turn_that_is_stopped_is_interrupted_first(cause: Cause, kind: ErrorKind) -> None:
    talk = shared().started().stop(cause)
    assert len(talk.requests("turn/interrupt")) == 1
    left(talk.reply("turn/interrupt").receive(INTERRUPTED))
    assert talk.kind is kind


def test_a_turn_that_does_not_end_is_interrupted_on_after_the_limit_until_that_is_accepted() -> None:
    talk = shared().started().stop().advance(LIMIT_MS[Timer.STOP])
    assert talk.session.is_closing
    asked = len(talk.requests("turn/interrupt"))
    talk.reply("turn/interrupt", error=NOT_BEGUN).advance(100)
    assert len(talk.requests("turn/interrupt")) == asked + 2
    talk.reply("turn/interrupt").advance(500)
    assert len(talk.requests("turn/interrupt")) == asked + 2  # it was accepted: now its end is awaited
    assert talk.requests(CLEAN) == []
    assert left(talk.receive(INTERRUPTED)).kind is ErrorKind.CANCELLED


def test_one_that_never_ends_is_cancelled_all_the_same() -> None:
    talk = shared().started().stop().advance(LIMIT_MS[Timer.STOP] + LIMIT_MS[Timer.CLOSING])
    assert talk.kind is ErrorKind.CANCELLED


def test_a_stalled_turn_is_interrupted_and_so_is_one_past_its_deadline() -> None:
    talk = shared(deadline_s=5).started().advance(5_000)
    assert len(talk.requests("turn/interrupt")) == 1
    assert left(talk.receive(INTERRUPTED)).kind is ErrorKind.DEADLINE
    talk = shared().started().receive(message_started())
    talk.advance(LIMIT_MS[Timer.STALL] + LIMIT_MS[Timer.RECONCILE])
    assert len(talk.requests("turn/interrupt")) == 1
    assert left(talk.receive(INTERRUPTED)).kind is ErrorKind.STALLED


def test_an_error_that_ends_a_turn_without_a_word_of_its_end_is_followed_by_an_interrupt() -> None:
    talk = shared().started().receive(error_notification("no", will_retry=False))
    talk.advance(LIMIT_MS[Timer.COMPLETION])
    assert len(talk.requests("turn/interrupt")) == 1
    assert left(talk.receive(INTERRUPTED)).kind is ErrorKind.BAD_REQUEST


def test_an_answer_that_comes_while_a_cancelled_turn_is_closed_counts() -> None:
    talk = shared().started().stop().advance(LIMIT_MS[Timer.STOP])
    left(talk.receive(*said("Hello"), COMPLETED))
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")


def test_usage_that_is_reported_while_a_turn_is_closed_counts() -> None:
    talk = shared().started().receive(*said("Hello"), COMPLETED, usage_notification())
    assert talk.outcome_after(CLEAN, LEAVE).usage is not None
    assert replay(talk.events)[0].usage == talk.outcome.usage


def test_a_stopped_turn_that_was_never_sent_only_lets_go_of_its_thread() -> None:
    talk = shared().reply("initialize").checked(config={"model_provider": "x"})
    talk.stop()
    assert talk.kind is ErrorKind.CANCELLED  # there is no thread yet
    assert talk.requests(LEAVE) == []


def test_a_refused_turn_is_looked_for_and_its_thread_released() -> None:
    talk = shared().opened().reply("turn/start", error={"code": -32600, "message": "Input exceeds the maximum"})
    assert talk.requests("thread/turns/list") == [{"threadId": THREAD, "limit": 1, "itemsView": "full"}]
    left(talk.reply("thread/turns/list", {"data": []}))
    assert talk.kind is ErrorKind.BAD_INPUT


def test_a_turn_whose_start_was_never_answered_is_found_and_interrupted() -> None:
    talk = shared().opened().advance(LIMIT_MS[Timer.REQUEST])
    ours = {"id": "found", "status": "inProgress", "items": [{"type": "userMessage", "clientId": TURN_ID}]}
    talk.reply("thread/turns/list", {"data": [ours]})
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": "found"}]
    talk.advance(LIMIT_MS[Timer.CLOSING])
    assert talk.kind is ErrorKind.PROTOCOL


def test_a_stop_while_an_overloaded_server_has_not_taken_the_turn_sends_nothing_of_it() -> None:
    talk = shared().opened().reply("turn/start", error=TOO_BUSY).stop()
    assert talk.requests("turn/interrupt") == talk.requests(CLEAN) == []
    assert talk.reply(LEAVE).kind is ErrorKind.CANCELLED
    assert len(talk.requests("turn/start")) == 1


def test_a_lost_connection_ends_the_closing_of_a_turn_that_is_over() -> None:
    talk = shared().started().receive(*said("Hello"), COMPLETED).lose()
    assert (talk.outcome.state, len(talk.server_starts)) == (State.COMPLETE, 1)


def test_the_end_of_the_worker_ends_it_too() -> None:
    talk = shared().started().receive(*said("Hello"), COMPLETED).end()
    assert talk.outcome.state is State.COMPLETE


def test_a_turn_that_may_still_run_is_connected_to_once_more_and_interrupted() -> None:
    talk = shared().started().stop().advance(LIMIT_MS[Timer.STOP]).lose()
    assert talk.session.is_closing
    talk.reconnected()
    assert talk.requests("turn/interrupt")[-1] == {"threadId": THREAD, "turnId": TURN}
    page = {"data": [{"id": TURN, "status": "interrupted", "completedAt": 1, "items": []}]}
    talk.reply("thread/resume", {"thread": {"status": {"type": "idle"}}, "initialTurnsPage": page})
    talk.reply(CLEAN).reply("thread/resume").reply(LEAVE)
    assert talk.kind is ErrorKind.CANCELLED


def test_one_that_was_being_stopped_without_a_connection_is_interrupted_over_the_next() -> None:
    talk = shared().started().lose(is_final=False).stop()
    assert talk.requests("turn/interrupt") == []
    talk.advance(40).stop()
    talk.reconnected()
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
    talk.receive(INTERRUPTED)
    assert talk.outcome_after(CLEAN, "thread/resume", LEAVE).error is not None
    assert talk.kind is ErrorKind.CANCELLED


def test_no_connection_in_time_ends_it() -> None:
    talk = shared().started().lose().stop()
    for _ in range(40):
        talk.advance(100)
        if len(talk.server_starts) > 1 and not talk.has_ended:
            talk.lose()
    assert talk.kind is ErrorKind.CANCELLED


def test_other_shells_are_told_that_the_turn_has_ended() -> None:
    talk = shared().started().receive(*said("Hello"), COMPLETED).serve("steer", text="more")
    error = talk.replies[-1].error
    assert error is not None
    assert "it has ended" in str(error)
    assert talk.requests("turn/steer") == []
    asked = {"id": 3, "method": "item/commandExecution/requestApproval", "params": {"threadId": THREAD}}
    talk.receive(asked)
    assert talk.session.approvals.pending == ()


def test_what_streams_on_while_a_turn_is_closed_is_recorded() -> None:
    talk = shared().started().receive(message_started()).stop().advance(LIMIT_MS[Timer.STOP]).receive(delta("more"))
    talk.receive(item_notification("item/completed", "reasoning", "r"), STARTED)
    assert talk.text == "more"
    assert replay(talk.events)[1] == "more"
