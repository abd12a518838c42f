"""Which messages belong to a turn, and its ids."""

from __future__ import annotations

from codex_server_cli.core.model.turn import Phase
from codex_server_cli.core.record.turn_record import TurnRecord
from tests.kit.captures import captured_turns
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    ASK_THREAD,
    ASK_TURN,
    COMPLETED,
    STARTED,
    THREAD,
    THREAD_REPLY,
    TURN,
    TURN_REPLY,
    Json,
    delta,
    message_started,
    notification,
    requested,
    running,
    said,
    status_notification,
    turn_notification,
    usage_notification,
)

# --- ids and settings


def test_the_replies_name_thread_turn_and_server() -> None:
    record = TurnRecord()
    record.feed_out({"id": 1, "method": "initialize", "params": {}})
    record.feed_in({"id": 1, "result": {"userAgent": "codex_server/0.169.0"}})
    record.feed_out(ASK_THREAD)
    record.feed_in(THREAD_REPLY)
    record.feed_out(ASK_TURN)
    record.feed_in(TURN_REPLY)
    assert (record.codex.version, record.thread_id, record.turn_id) == ("0.169.0", THREAD, TURN)
    assert record.settings == {"model": "gpt", "sandbox": {"type": "readOnly"}}


@for_each("method", ["thread/resume", "thread/fork"])
def test_a_resumed_or_forked_thread_is_named_by_its_reply(method: str) -> None:
    record = TurnRecord()
    record.feed_out({"id": 3, "method": method, "params": {"threadId": "source"}})
    record.feed_in(THREAD_REPLY)
    assert record.thread_id == THREAD


def test_announced_settings_are_merged() -> None:
    record = running(notification("thread/settings/updated", threadSettings={"model": "other", "effort": "low"}))
    assert record.settings == {"model": "other", "effort": "low", "sandbox": {"type": "readOnly"}}


def test_the_thread_of_a_turn_is_known_from_what_was_asked() -> None:
    record = TurnRecord()
    record.feed_out(ASK_TURN)
    assert record.thread_id == THREAD


@for_each(
    "reply",
    [
        {"id": 99, "result": {"turn": {"id": "other"}}},
        {"id": 4, "error": {"code": -32600, "message": "no"}},
        {"id": 4, "result": None},
        {"id": 4, "result": {"turn": None}},
        {"id": 3, "result": {"thread": None}},
    ],
)
def test_a_reply_that_names_no_turn_changes_nothing(reply: Json) -> None:
    record = requested()
    assert record.feed_in(reply) == []
    assert (record.thread_id, record.turn_id) == (THREAD, None)


def test_a_second_reply_does_not_change_the_turn() -> None:
    record = running()
    record.feed_in({"id": 4, "result": {"turn": {"id": "other"}}})
    assert record.turn_id == TURN


def test_our_replies_and_notifications_are_no_requests() -> None:
    record = requested()
    record.feed_out({"id": 0, "error": {}})
    record.feed_out({"method": "initialized"})
    assert record.method_of({"id": 0}) is None


# --- what belongs to the turn


def test_what_comes_before_the_reply_is_held_and_released_in_order() -> None:
    record = requested()
    early = [status_notification("active"), STARTED, message_started(), delta("Hel")]
    assert [record.feed_in(message) for message in early] == [[], [], [], []]
    assert record.phase is Phase.STARTING
    assert record.feed_in(TURN_REPLY) == early
    assert record.partial_answer == "Hel"


def test_early_messages_of_another_turn_are_not_released() -> None:
    record = requested()
    record.feed_in(usage_notification(turnId="an-old-turn"))
    assert record.feed_in(TURN_REPLY) == []
    assert record.usage is None


def test_what_comes_before_the_turn_is_asked_for_is_not_held() -> None:
    record = TurnRecord()
    record.feed_out(ASK_THREAD)
    record.feed_in(THREAD_REPLY)
    record.feed_in(usage_notification(turnId=TURN))
    record.feed_out(ASK_TURN)
    assert record.feed_in(TURN_REPLY) == []


@for_each(
    "message",
    [
        notification("item/agentMessage/delta", delta="x", itemId="m", threadId="a-sub-agent's"),
        notification("item/agentMessage/delta", delta="x", itemId="m", turnId="an-old-turn"),
        usage_notification(turnId="an-old-turn"),
        {"method": "turn/completed", "params": {"threadId": THREAD, "turn": {"id": "an-old-turn", "status": "failed"}}},
        {"method": "thread/status/changed", "params": {"threadId": "another", "status": {"type": "idle"}}},
    ],
)
def test_messages_of_other_threads_and_turns_are_ignored(message: Json) -> None:
    record = running()
    assert record.feed_in(message) == []
    assert (record.status, record.usage, record.partial_answer, record.is_idle) == (None, None, None, False)


@for_each(
    "message",
    [
        {"method": "configWarning", "params": {"summary": "s"}},
        {"method": "warning", "params": {"threadId": THREAD, "message": "m"}},
        {"method": "hook/started", "params": {"threadId": THREAD, "turnId": None}},
        notification("a/method/of/a/newer/version", anything=[1, 2]),
        {"method": "no/params/at/all"},
    ],
)
def test_messages_about_the_thread_as_a_whole_and_unknown_ones_belong_and_change_nothing(message: Json) -> None:
    record = running()
    assert record.feed_in(message) == [message]
    assert record.phase is Phase.THINKING


@for_each(
    "message",
    [{"method": "item/tool/call", "id": 0, "params": {"threadId": THREAD, "turnId": TURN}}, {}, {"id": None}],
)
def test_server_requests_and_nonsense_are_no_own_notifications(message: Json) -> None:
    assert running().feed_in(message) == []


def test_a_reviews_own_turn_belongs_to_ours_as_its_root() -> None:
    record = requested()
    record.feed_in(TURN_REPLY)
    record.feed_in({"method": "turn/started", "params": {"threadId": THREAD, "turn": {"id": "r", "rootTurnId": TURN}}})
    assert record.has_started


# --- the reply that never comes


def test_without_its_reply_a_turn_is_taken_from_what_came_early() -> None:
    record = requested()
    early = [status_notification("active"), STARTED, *said("Hello"), COMPLETED]
    for message in early:
        record.feed_in(message)
    assert record.adopt_early() == early
    assert (record.turn_id, record.status, record.answer) == (TURN, "completed", "Hello")
    assert record.adopt_early() == []


def test_without_its_reply_a_review_is_taken_as_the_root_of_its_own_turn() -> None:
    review = captured_turns("review_and_compact")[1]
    record = TurnRecord()
    for is_ours, message in review.messages:
        if is_ours:
            record.feed_out(message)
        elif "reviewThreadId" not in message.get("result", {}):
            record.feed_in(message)
    assert record.adopt_early() != []
    assert (record.status, record.answer) == ("completed", "Hello from mock")


@for_each("early", [[], [status_notification("active")], [turn_notification("turn/started") | {"params": {}}]])
def test_where_nothing_names_a_turn_there_is_none(early: list[Json]) -> None:
    record = requested()
    for message in early:
        record.feed_in(message)
    assert record.adopt_early() == []
    assert record.turn_id is None
