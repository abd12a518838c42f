"""The facts of one turn: its answer, its tokens, its errors, its phase."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import Phase
from codex_server_cli.core.record.turn_record import TurnRecord
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    RETRY,
    THREAD,
    TURN,
    Json,
    delta,
    error_notification,
    item_notification,
    message_completed,
    message_started,
    notification,
    running,
    said,
    turn_notification,
    usage_notification,
)

# --- answers


@for_each(
    ("messages", "answer"),
    [
        ([], None),
        (said("c", "1", "commentary"), None),
        (said("p", "1", "partial_answer"), None),
        (said("n", "1", None), "n"),
        ([*said("n", "1", None), *said("m", "2", None)], "m"),
        ([*said("f", "1"), *said("n", "2", None)], "f"),
        ([*said("n", "1", None), *said("f", "2")], "f"),
        ([*said("f", "1"), *said("g", "2")], "g"),
        ([*said("c", "1", "commentary"), *said("n", "2", None), *said("d", "3", "commentary")], "n"),
        ([*said("f", "1"), message_started("2"), delta("g", "2")], "f"),
        ([*said("old"), *said("new")], "new"),
        ([*said("f", "1"), *said("n", "2"), *said("again", "1")], "again"),
        ([message_started(), delta("deltas"), message_completed("the authority")], "the authority"),
        ([*said("whole"), delta(" late")], "whole"),
        ([message_completed("unannounced")], "unannounced"),
    ],
)
def test_the_answer_is_the_last_complete_final_message(messages: list[Json], answer: str | None) -> None:
    assert running(*messages).answer == answer


@for_each(
    ("messages", "partial"),
    [
        ([], None),
        ([message_started()], None),
        ([message_started("c", "commentary"), delta("thinking", "c")], None),
        ([message_started(), delta("Hel"), delta("lo")], "Hello"),
        ([message_started(text="Hel"), delta("lo")], "Hello"),
        ([delta("Hel", "never-started")], "Hel"),
        ([message_started(), delta("Hello wor"), RETRY, message_started(), delta("Hel")], "Hel"),
        ([message_started("1"), delta("Hello", "1"), RETRY, message_started("2")], "Hello"),
        ([message_started("1"), delta("Hello", "1"), RETRY, message_started("2"), delta("Hi", "2")], "Hi"),
    ],
)
def test_the_partial_answer_is_what_had_come_of_it(messages: list[Json], partial: str | None) -> None:
    record = running(*messages)
    assert record.partial_answer == partial
    assert record.answer is None


def _completed_with(*items: Any) -> Json:
    return turn_notification("turn/completed", status="completed", error=None, items=list(items))


def test_the_summary_of_the_end_gives_an_answer_that_did_not_come_otherwise() -> None:
    item = {"type": "agentMessage", "id": "msg-1", "text": "Hello", "phase": "final_answer"}
    assert running(_completed_with({"type": "userMessage", "id": "u"}, item)).answer == "Hello"
    assert running(message_started(), delta("Hel"), _completed_with(item)).answer == "Hello"
    assert running(*said("Hello there"), _completed_with(item)).answer == "Hello there"


# --- tokens, limits, errors


def test_tokens_are_summed_and_foreign_ones_ignored() -> None:
    record = running(
        usage_notification(10, 1), usage_notification(99, 99, turnId="an-old-turn"), usage_notification(20, 2)
    )
    assert record.usage is not None
    assert (record.usage["input_tokens"], record.usage["output_tokens"]) == (30, 3)


def test_limits_are_merged_whenever_they_come() -> None:
    record = TurnRecord()
    for limits in ({"limitId": "codex", "primary": {"usedPercent": 1}}, {"primary": None, "planType": "pro"}):
        record.feed_in({"method": "account/rateLimits/updated", "params": {"rateLimits": limits}})
    assert record.limits == {"limitId": "codex", "primary": {"usedPercent": 1}, "planType": "pro"}


def test_a_retry_is_no_error() -> None:
    record = running(RETRY)
    assert record.error is None
    assert record.retry == RETRY["params"]["error"]


def test_a_finished_response_makes_the_retries_before_it_history() -> None:
    assert running(RETRY, usage_notification()).retry is None


def test_the_error_of_the_end_is_kept() -> None:
    record = running(error_notification("first", will_retry=False))
    assert record.error == {"message": "first", "codexErrorInfo": "other"}
    record.feed_in(turn_notification("turn/completed", status="failed", error={"message": "second"}, items=[]))
    assert (record.status, record.error) == ("failed", {"message": "second"})


@for_each("turn", [{"status": "inProgress"}, {"status": None}, {}])
def test_a_completion_without_an_end_is_none(turn: Json) -> None:
    assert running(turn_notification("turn/completed", **turn)).status is None


def test_after_the_end_late_items_are_still_replayed() -> None:
    record = running(*said("Hello"), COMPLETED, item_notification("item/completed", "commandExecution", "c"))
    assert (record.status, record.answer) == ("completed", "Hello")


# --- phases


@for_each(
    ("messages", "phase"),
    [
        ([], Phase.THINKING),
        ([item_notification("item/started", "reasoning")], Phase.THINKING),
        ([item_notification("item/started", "aTypeOfANewerVersion")], Phase.THINKING),
        ([item_notification("item/started", "commandExecution")], Phase.RUNNING_COMMAND),
        ([item_notification("item/started", "fileChange")], Phase.EDITING),
        ([message_started()], Phase.ANSWERING),
        ([message_started(), item_notification("item/started", "commandExecution")], Phase.RUNNING_COMMAND),
        ([message_started(), message_completed("x")], Phase.THINKING),
        ([RETRY], Phase.RETRYING),
        ([message_started(), RETRY], Phase.RETRYING),
        ([message_started(), RETRY, message_started()], Phase.ANSWERING),
        ([message_started(), RETRY, delta("x")], Phase.THINKING),
        ([COMPLETED], Phase.FINISHING),
    ],
)
def test_the_phase_is_what_the_open_items_say(messages: list[Json], phase: Phase) -> None:
    assert running(*messages).phase is phase


def test_a_command_stays_open_through_a_retry_of_the_network() -> None:
    record = running(item_notification("item/started", "commandExecution", "c"), message_started(), RETRY)
    assert list(record.open_items) == ["c"]


@for_each(
    "message",
    [
        notification("item/started", item=None),
        notification("item/completed", item=[]),
        notification("error", error="odd"),
        notification("thread/settings/updated", threadSettings=None),
        turn_notification("turn/completed") | {"params": {"threadId": THREAD, "turnId": TURN, "turn": None}},
        {"method": "thread/status/changed", "params": {"threadId": THREAD, "status": None}},
        notification("item/agentMessage/delta", delta=7, itemId="m"),
    ],
)
def test_a_changed_shape_is_no_fact(message: Json) -> None:
    record = running(message)
    assert (record.status, record.error, record.answer, record.is_idle) == (None, None, None, False)
    assert record.open_items == {}


# --- Codex's own record


def test_the_stored_turn_fills_what_the_stream_left_out() -> None:
    record = running(message_started(), delta("Hel"))
    items = [
        {"type": "userMessage", "id": "u"},
        {"type": "agentMessage", "id": "msg-1", "text": "Hello", "phase": None},
    ]
    record.adopt_stored_turns(
        [{"id": "an-old-turn", "status": "failed"}, {"id": TURN, "status": "completed", "items": items}]
    )
    assert (record.status, record.answer) == ("completed", "Hello")


@for_each("turns", [None, [], "x", [{"id": "an-old-turn", "status": "completed"}], [None]])
def test_a_record_without_our_turn_tells_nothing(turns: Any) -> None:
    record = running()
    record.adopt_stored_turns(turns)
    assert record.status is None
