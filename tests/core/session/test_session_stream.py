"""A turn that runs: its text, its answer, and the app-server's requests meanwhile."""

from __future__ import annotations

import json
from itertools import islice

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.protocol.rpc import encode
from codex_server_cli.core.record.replay import replay
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
    item_notification,
    message_completed,
    message_started,
    notification,
    turn_notification,
    usage_notification,
)

# --- bytes


@for_each("size", [1_000, 4_093, 65_536, 65_537, 1_000_003, 10_000_000])
def test_two_deltas_around_a_line_of_three_megabytes_arrive_in_any_pieces(size: int) -> None:
    huge = item_notification("item/completed", "mcpToolCall", result={"text": "x\u2028" * 1_000_000})
    first, second = delta("Hel"), delta("lo")
    data = b"".join(
        json.dumps(m, ensure_ascii=False).encode() + b"\n" for m in (message_started(), first, huge, second)
    )
    assert len(data) > 3_000_000
    talk = Dialogue().started()
    for start in range(0, len(data), size):
        talk.receive(data[start : start + size])
    talk.receive(message_completed("Hello"), COMPLETED)
    assert talk.outcome.answer == "Hello"
    assert talk.text.replace("\n\n⚙  → ended\n\n", "") == "Hello\n"


def test_bytes_that_come_one_by_one_make_the_same_turn() -> None:
    data = b"".join(map(encode, (message_started(), delta("Hello"), message_completed("Hello"), COMPLETED)))
    talk = Dialogue().started()
    for index in range(len(data)):
        talk.receive(data[index : index + 1])
    assert (talk.outcome.answer, talk.text) == ("Hello", "Hello\n")


def test_separators_of_unicode_in_a_text_split_nothing() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x1cf"
    line = json.dumps(delta(text), ensure_ascii=False).encode() + b"\n"
    talk = Dialogue().started().receive(message_started(), line, message_completed(text), COMPLETED)
    assert (talk.outcome.answer, talk.text) == (text, text + "\n")


@for_each("line", [b"not json\n", b"\n", b"  \r\n", b"[]\n", b"\xff\xfe\n", b'"text"\n', b"{}\n"])
def test_a_line_that_is_no_message_is_recorded_and_passed_over(line: bytes) -> None:
    talk = Dialogue().started().receive(message_started(), delta("Hel"), line, delta("lo"))
    assert talk.text == "Hello"
    is_recorded = b'"invalid"' in talk.events or line.strip() in (b"", b"{}")
    assert is_recorded


def test_everything_is_recorded_in_order_and_numbered() -> None:
    talk = Dialogue().started().receive(delta("x"), {"method": "item/tool/call", "id": 0, "params": {}})
    events = list(read_events(talk.events))
    assert [event["seq"] for event in events] == list(range(len(events)))
    last_three = [(event["dir"], event.get("method")) for event in events[-3:]]
    assert last_three == [("in", "item/agentMessage/delta"), ("in", "item/tool/call"), ("out", None)]


# --- what is unknown


@for_each(
    "message",
    [
        notification("a/method/of/a/newer/version", delta="x", itemId="y"),
        item_notification("item/started", "aTypeOfANewerVersion"),
        item_notification("item/completed", "aTypeOfANewerVersion"),
        {"method": "a/method/without/params"},
        {"method": "turn/completed", "params": None},
    ],
)
def test_unknown_notifications_and_items_are_kept_and_change_nothing(message: Json) -> None:
    talk = Dialogue().started().receive(message_started(), delta("Hel"), message, delta("lo"))
    assert (talk.has_ended, talk.text) == (False, "Hello")
    assert list(read_events(talk.events))[-2]["method"] == message["method"]


@for_each("request_id", [0, 1, 4, 7, "abc"])
@for_each("method", ["item/commandExecution/requestApproval", "a/request/of/a/newer/version"])
def test_every_server_request_is_declined_at_once(method: str, request_id: int | str) -> None:
    """Its ids are a separate name space: ours 1 and 4 are taken, and 0 is an id like any other."""
    talk = Dialogue().started()
    talk.receive({"method": method, "id": request_id, "params": {"threadId": THREAD, "turnId": TURN}})
    refusal = {"code": -32601, "message": f"codex-server does not answer {method}"}
    assert talk.sent[-1] == {"id": request_id, "error": refusal}
    assert not talk.has_ended


def test_a_server_request_is_declined_before_the_turn_runs_and_for_other_threads_too() -> None:
    talk = Dialogue().receive({"method": "attestation/generate", "id": 0, "params": {}})
    assert talk.sent[-1]["id"] == 0
    talk.opened().receive({"method": "item/tool/call", "id": 1, "params": {"threadId": "another"}})
    assert talk.sent[-1]["id"] == 1


def test_a_server_request_with_the_id_of_an_open_request_of_ours_does_not_answer_it() -> None:
    talk = Dialogue()
    talk.receive({"method": "account/chatgptAuthTokens/refresh", "id": 1, "params": {}})
    assert [message.get("method") for message in talk.sent] == ["initialize", None]


# --- what belongs to others


def test_other_threads_and_old_turns_change_nothing() -> None:
    talk = (
        Dialogue()
        .started()
        .receive(
            message_started(),
            delta("Hel"),
            notification("item/agentMessage/delta", threadId="another", itemId="m", delta="noise"),
            notification("error", threadId="another", error={"message": "m"}, willRetry=False),
            {"method": "turn/completed", "params": {"threadId": "another", "turn": {"id": TURN, "status": "failed"}}},
            {"method": "turn/completed", "params": {"threadId": THREAD, "turn": {"id": "old", "status": "failed"}}},
            usage_notification(999, turnId="old"),
            delta("lo"),
            message_completed("Hello"),
            usage_notification(10, 2),
            usage_notification(20, 3),
            COMPLETED,
        )
    )
    assert (talk.outcome.answer, talk.text) == ("Hello", "Hello\n")
    assert talk.outcome.usage is not None
    assert (talk.outcome.usage["input_tokens"], talk.outcome.usage["output_tokens"]) == (30, 5)


def test_the_limits_of_the_account_come_with_the_result() -> None:
    updates = [{"primary": {"usedPercent": 5, "resetsAt": 1}, "planType": "pro"}, {"primary": None, "planType": None}]
    messages = [{"method": "account/rateLimits/updated", "params": {"rateLimits": update}} for update in updates]
    talk = Dialogue().receive(messages[0]).started().receive(messages[1], COMPLETED)
    assert talk.outcome.limits == updates[0]


# --- answers and retries


def test_commentary_is_shown_and_is_not_the_answer() -> None:
    talk = (
        Dialogue()
        .started()
        .receive(message_completed("I will look.", "c", "commentary"), message_completed("Found it.", "m"), COMPLETED)
    )
    assert (talk.outcome.answer, talk.text) == ("Found it.", "I will look.\n\nFound it.\n")


def test_a_turn_may_complete_without_any_message() -> None:
    talk = Dialogue().started().receive(COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer, talk.outcome.error) == (State.COMPLETE, "", None)


@for_each("new_id", ["msg-1", "msg-2"])
@for_each(
    ("again", "text"),
    [
        ("Hello world", "Hello wor\n\n↻ Reconnecting... 1/2\n\nld\n"),
        ("Hello", "Hello wor\n\n↻ Reconnecting... 1/2\n[the answer restarted]\nHello\n"),
        ("Good day", "Hello wor\n\n↻ Reconnecting... 1/2\n[the answer restarted]\nGood day\n"),
    ],
)
def test_a_retry_is_shown_once_and_its_answer_wins(new_id: str, again: str, text: str) -> None:
    talk = Dialogue().started().receive(message_started(), delta("Hello "), delta("wor"), RETRY)
    talk.receive(message_started(new_id), delta(again, new_id), message_completed(again, new_id), COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer, talk.text) == (State.COMPLETE, again, text)
    assert replay(talk.events)[1] == text


def test_an_answer_that_breaks_its_schema_fails_and_is_kept() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    talk = Dialogue(schema=schema).started().receive(message_completed("not json"), COMPLETED)
    assert (talk.kind, talk.outcome.answer) == (ErrorKind.BAD_SCHEMA, "not json")
    talk = Dialogue(schema=schema).started().receive(message_completed('{"n":1}'), COMPLETED)
    assert talk.outcome.state is State.COMPLETE


def test_what_comes_after_the_end_is_recorded_and_changes_no_outcome() -> None:
    talk = Dialogue().started().receive(message_completed("Hello"), COMPLETED)
    outcome, sent = talk.outcome, len(talk.sent)
    talk.receive(
        {"method": "item/tool/call", "id": 3, "params": {}},
        {"id": 99, "result": {}},
        turn_notification("turn/completed", status="failed", error={"message": "m"}, items=[]),
        item_notification("item/completed", "commandExecution", command="sleep 3", exitCode=0),
    )
    talk.stop().end().advance(10**9)
    assert (talk.outcome, len(talk.sent), talk.session.wakeup_ms) == (outcome, sent, None)
    assert "$ sleep 3\n" in talk.text
    assert replay(talk.events)[1] == talk.text


def test_several_ends_in_one_read_leave_the_first() -> None:
    failed = turn_notification("turn/completed", status="failed", error={"message": "m"}, items=[])
    talk = Dialogue().started().receive(message_completed("Hello"), COMPLETED, failed)
    assert talk.outcome.state is State.COMPLETE


def test_sums_of_a_long_stream_stay_whole() -> None:
    talk = Dialogue().started().receive(message_started())
    words = [f"{n} " for n in range(2_000)]
    lines = iter(words)
    while batch := list(islice(lines, 97)):
        talk.receive(*map(delta, batch))
    talk.receive(message_completed("".join(words)), COMPLETED)
    assert talk.outcome.answer == "".join(words)
    assert talk.text == "".join(words) + "\n"
