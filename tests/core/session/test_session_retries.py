"""What a session retries: the start of an app-server, and what Codex was too busy for. And what it never retries."""

from __future__ import annotations

import json

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.core.session.backoff import RETRY_LIMIT_MS
from codex_server_cli.core.session.session import Session
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import CRASH, STARTED, THREAD, TURN, Dialogue, Json, message_completed, said, turn_notification

TOO_BUSY = {"code": -32001, "message": "Server overloaded; retry later."}
COMPLETED = turn_notification("turn/completed", status="completed", error=None, items=[])
OPENERS = [
    ({}, "thread/start"),
    ({"thread_id": "t"}, "thread/resume"),
    ({"thread_id": "t", "is_fork": True}, "thread/fork"),
]


def _collide(talk: Dialogue) -> Dialogue:
    return talk.end(is_collision=True)


def _starts(talk: Dialogue) -> int:
    return len(talk.requests("initialize"))


# --- another app-server


def test_an_app_server_is_asked_for_before_anything_is_said_to_it() -> None:
    talk = Dialogue()
    assert talk.server_starts == [0]
    assert _starts(talk) == 1


def test_a_collision_at_the_start_leads_to_another_start_after_a_short_while() -> None:
    talk = _collide(Dialogue())
    assert (talk.has_ended, talk.session.record.phase) == (False, Phase.STARTING)
    talk.advance(49)
    assert _starts(talk) == 1
    talk.advance(101)
    assert (_starts(talk), len(talk.server_starts)) == (2, 2)
    talk.started().receive(*said("Hello"), COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer, talk.text) == (State.COMPLETE, "Hello", "Hello\n")


def test_the_log_counts_on_and_replays_to_the_last_app_server_alone() -> None:
    talk = _collide(_collide(Dialogue().reply("initialize").receive(b'{"torn')).advance(200)).advance(300)
    talk.started().receive(*said("Hello"), COMPLETED)
    lines = [json.loads(line) for line in talk.events.splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    record, text = replay(talk.events)
    assert (record.status, record.answer, record.thread_id, record.turn_id) == ("completed", "Hello", THREAD, TURN)
    assert (record.error, text) == (None, "Hello\n")


def test_what_the_first_app_server_said_of_its_thread_no_longer_counts() -> None:
    talk = Dialogue().reply("initialize", {"userAgent": "codex_server/0.1 (x)"})
    _collide(talk.reply("thread/start", {"thread": {"id": "of-the-first"}, "model": "old"})).advance(200)
    for record in (talk.session.record, replay(talk.events)[0]):
        assert (record.thread_id, record.settings, record.codex.version) == (None, {}, None)
    talk.reply("initialize").checked()
    assert talk.requests("turn/start") == []  # the first one's thread has not led to a turn, either
    talk.reply("thread/start", {"thread": {"id": THREAD}})
    assert [params["threadId"] for params in talk.requests("turn/start")] == [THREAD]


def test_the_account_is_looked_at_with_each_app_server() -> None:
    talk = _collide(Dialogue().reply("initialize").checked()).advance(200).reply("initialize")
    talk.reply("thread/start", {"thread": {"id": THREAD}})
    assert talk.requests("turn/start") == []
    talk.checked({"account": {"type": "apiKey"}, "requiresOpenaiAuth": True})
    assert (talk.kind, talk.requests("turn/start")) == (ErrorKind.AUTH, [])


def test_the_backoff_ends_and_tells_how_often_it_was_tried() -> None:
    talk, began_ms = Dialogue(), 1_000_000.0
    while not _collide(talk).has_ended:
        assert talk.now_ms - began_ms < RETRY_LIMIT_MS + 2_000
        talk.advance((talk.session.wakeup_ms or 0) - talk.now_ms)
    assert talk.now_ms - began_ms >= RETRY_LIMIT_MS
    assert (talk.kind, talk.outcome.state) == (ErrorKind.CODEX_CRASHED, State.FAILED)
    assert talk.outcome.error is not None
    assert talk.outcome.error.message == f"{CRASH.message} (started {_starts(talk)} times)"
    assert talk.session.wakeup_ms is None


def test_what_is_no_collision_ends_the_turn_at_once() -> None:
    talk = Dialogue().end()
    assert (talk.kind, _starts(talk)) == (ErrorKind.CODEX_CRASHED, 1)
    assert talk.outcome.error is not None
    assert talk.outcome.error.message == CRASH.message


def test_nothing_is_started_again_once_the_prompt_is_out() -> None:
    talk = _collide(Dialogue().opened())
    assert (talk.kind, len(talk.server_starts)) == (ErrorKind.CODEX_CRASHED, 1)


@for_each(
    ("cause", "kind"),
    [
        (Cause.CANCELLED, ErrorKind.CANCELLED),
        (Cause.WORKER_STOPPED, ErrorKind.WORKER_DIED),
    ],
)
def test_a_stop_between_two_attempts_ends_the_turn_at_once(cause: Cause, kind: ErrorKind) -> None:
    talk = _collide(Dialogue()).stop(cause)
    assert talk.kind is kind
    assert talk.advance(60_000).server_starts == [0]


def test_a_stop_before_the_first_attempt_starts_nothing() -> None:
    session = Session(TurnRequest("", "/project"), "hi", "1")
    step = session.stop(Cause.CANCELLED, 1.0)
    assert (step.starts_server, step.sends, step.events) == (False, b"", b"")
    assert step.outcome is not None
    assert step.outcome.state is State.CANCELLED


def test_the_deadline_counts_from_the_first_attempt_and_holds_between_two() -> None:
    talk = Dialogue(deadline_s=0.2)
    _collide(talk.advance(190)).advance(9)
    assert not talk.has_ended
    assert talk.advance(1).kind is ErrorKind.DEADLINE


def test_a_reply_of_the_first_app_server_is_not_waited_for() -> None:
    talk = _collide(Dialogue()).advance(200).advance(LIMIT_MS[Timer.REQUEST] - 200)
    assert not talk.has_ended
    assert talk.advance(200).kind is ErrorKind.PROTOCOL


# --- too busy


@for_each(("asked", "method"), OPENERS)
def test_what_codex_was_too_busy_for_is_asked_again(asked: Json, method: str) -> None:
    talk = Dialogue(**asked)
    before = ("thread/queue/list", "thread/goal/get") if method == "thread/resume" else ()
    looks = ("account/read", "config/read", "configRequirements/read")
    for refused in ("initialize", *looks, *before, method, "turn/start"):
        assert len(talk.requests(refused)) == 1
        talk.reply(refused, error=TOO_BUSY).advance(24)
        assert len(talk.requests(refused)) == 1
        talk.advance(51).reply(refused, error=TOO_BUSY).advance(230)
        assert talk.requests(refused) == [talk.requests(refused)[0]] * 3
        result: Json = {"account": None, "requiresOpenaiAuth": False, "thread": {"id": THREAD}}
        talk.reply(refused, {"turn": {"id": TURN}} if refused == "turn/start" else result)
    talk.receive(STARTED, message_completed("Hello"), COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")
    assert replay(talk.events)[0].answer == "Hello"


def test_two_requests_at_once_are_asked_again_each_in_its_time() -> None:
    talk = Dialogue().reply("initialize")
    talk.reply("account/read", error=TOO_BUSY).reply("config/read", error=TOO_BUSY).advance(150)
    assert [len(talk.requests(method)) for method in ("account/read", "config/read")] == [2, 2]
    talk.checked().reply("thread/start", {"thread": {"id": THREAD}})
    assert len(talk.requests("turn/start")) == 1


@for_each(
    "method", ["initialize", "account/read", "config/read", "configRequirements/read", "thread/start", "turn/start"]
)
def test_a_codex_that_stays_too_busy_ends_the_turn_as_overloaded(method: str) -> None:
    talk = Dialogue()
    for before in ("initialize", "account/read", "config/read", "configRequirements/read", "thread/start"):
        if before == method:
            break
        talk.reply(before, {"thread": {"id": THREAD}, "requiresOpenaiAuth": False})
    began_ms = talk.now_ms
    while not talk.reply(method, error=TOO_BUSY).has_ended:
        talk.advance((talk.session.wakeup_ms or 0) - talk.now_ms)
    assert RETRY_LIMIT_MS <= talk.now_ms - began_ms < RETRY_LIMIT_MS + 2_000
    assert (talk.kind, talk.outcome.state) == (ErrorKind.OVERLOADED, State.FAILED)
    assert talk.outcome.error is not None
    assert talk.outcome.error.retryable
    times = len(talk.requests(method))
    assert talk.outcome.error.message == f"Codex refused {method} {times} times: Server overloaded; retry later."
    assert times > 10


ACTIVE_WRITER = {"code": -32600, "message": "thread t already has an active writer"}


def test_a_thread_that_somebody_else_has_open_for_a_moment_is_asked_for_again() -> None:
    talk = Dialogue(thread_id="t").reply("initialize").checked().queue_empty()
    talk.reply("thread/resume", error=ACTIVE_WRITER)
    assert not talk.has_ended
    talk.advance(150).reply("thread/resume", {"thread": {"id": "t"}})
    assert len(talk.requests("thread/resume")) == 2
    assert len(talk.requests("turn/start")) == 1


def test_a_thread_that_somebody_else_keeps_open_is_busy_within_a_second_or_two() -> None:
    talk = Dialogue(thread_id="t").reply("initialize").queue_empty()
    waited_ms = 0
    while not talk.reply("thread/resume", error=ACTIVE_WRITER).has_ended:
        talk.advance(600)
        waited_ms += 600
    error = talk.outcome.error
    assert error is not None
    assert error.kind is ErrorKind.THREAD_BUSY
    assert "already has an active writer" in error.message
    assert len(talk.requests("thread/resume")) == 5
    assert waited_ms <= 2400


@for_each(
    "message",
    [
        "failed to prepare paginated fork: thread-store internal error: thread history projection for t is behind "
        "durable rollout",
        "failed to open the thread store: database is locked",
    ],
)
def test_a_thread_that_is_just_being_written_is_forked_a_moment_later(message: str) -> None:
    talk = Dialogue(thread_id="t", is_fork=True).reply("initialize").checked()
    for _ in range(8):  # for longer than a writer is waited for
        talk.reply("thread/fork", error={"code": -32603, "message": message})
        assert not talk.has_ended
        talk.advance(2_000)
    talk.reply("thread/fork", {"thread": {"id": THREAD}})
    assert len(talk.requests("turn/start")) == 1


def test_silence_is_never_answered_by_asking_again() -> None:
    talk = Dialogue().opened().advance(LIMIT_MS[Timer.REQUEST])
    assert (talk.kind, len(talk.requests("turn/start"))) == (ErrorKind.PROTOCOL, 1)


def test_another_refusal_is_not_asked_again() -> None:
    talk = Dialogue().opened().reply("turn/start", error={"code": -32600, "message": "Server overloaded; retry later."})
    assert (talk.has_ended, len(talk.requests("turn/start"))) == (True, 1)


def test_a_stop_takes_a_turn_back_that_was_refused() -> None:
    talk = Dialogue().opened().reply("turn/start", error=TOO_BUSY).stop()
    assert talk.outcome.state is State.CANCELLED
    assert len(talk.advance(60_000).requests("turn/start")) == 1


def test_a_stop_of_a_turn_that_was_asked_for_again_waits_for_its_end() -> None:
    talk = Dialogue().opened().reply("turn/start", error=TOO_BUSY).advance(150).stop()
    assert not talk.has_ended
    talk.reply("turn/start", {"turn": {"id": TURN}}).receive(STARTED)
    assert len(talk.requests("turn/interrupt")) == 1


def test_an_app_server_that_collides_while_it_is_too_busy_is_not_asked_for_its_answer() -> None:
    talk = _collide(Dialogue().reply("initialize").reply("thread/start", error=TOO_BUSY)).advance(150)
    assert [message.get("method") for message in talk.sent][-1] == "initialize"
    assert len(talk.advance(2_000).requests("thread/start")) == 1


def test_an_interrupt_that_codex_is_too_busy_for_is_sent_again_by_its_own_clock() -> None:
    talk = Dialogue().started().stop().reply("turn/interrupt", error=TOO_BUSY).advance(LIMIT_MS[Timer.INTERRUPT])
    assert len(talk.requests("turn/interrupt")) == 2


# --- no reply


def test_the_message_names_every_request_without_a_reply() -> None:
    talk = Dialogue().reply("initialize").advance(LIMIT_MS[Timer.REQUEST])
    assert talk.outcome.error is not None
    methods = "account/read and config/read and configRequirements/read"
    assert talk.outcome.error.message == f"Codex did not answer {methods} within 60 s."
    assert "codex-server doctor" in talk.outcome.error.hint


def test_a_request_without_a_reply_is_not_waited_for_longer_because_of_another_one() -> None:
    talk = Dialogue().reply("initialize").advance(30_000)
    talk.reply("configRequirements/read", error=TOO_BUSY).advance(29_999)
    assert not talk.has_ended
    assert talk.advance(1).kind is ErrorKind.PROTOCOL
    assert talk.outcome.error is not None
    assert talk.outcome.error.message == "Codex did not answer account/read and config/read within 60 s."
