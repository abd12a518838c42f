"""What an ended turn's events say twice: it can go, and the turn reads as before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.protocol import superfluous as superfluous_lines
from codex_server_cli.core.protocol.event_log import is_delta, read_events
from codex_server_cli.core.protocol.rpc import encode
from codex_server_cli.core.record.agent_messages import AgentMessage
from codex_server_cli.core.record.replay import replay
from tests.kit.captures import CapturedTurn
from tests.kit.cases import examples, for_each
from tests.kit.turn_logs import (
    BEGIN,
    LIMITS,
    PLANNED,
    PRINTED,
    SUMMED,
    THOUGHT,
    TURNS,
    Json,
    completed,
    delta,
    diff,
    disturbed_turns,
    event,
    left_of,
    single_lines,
    started,
    whole_items,
)


def left(*events: Json) -> list[int]:
    """Which of these events are left, by their place."""
    log = b"".join(encode({"seq": seq, **event_}) for seq, event_ in enumerate(events))
    return [seen["seq"] for seen in read_events(left_of(log))]


_SAID_TWICE: dict[str, tuple[list[Json], list[int]]] = {
    "a message": ([started(), delta("a"), delta("b"), completed(text="ab")], [0, 3]),
    "a message that had a beginning": ([started(text="a"), delta("b"), completed(text="ab")], [0, 2]),
    "more than its deltas had": ([started(), delta("a"), completed(text="ab")], [0, 2]),
    "a command": ([started("x"), delta("b", PRINTED), completed("x", aggregatedOutput="ab\n")], [0, 2]),
    "a plan": ([started("plan"), delta("ab", PLANNED), completed("plan", text="ab")], [0, 2]),
    "a summary of two parts": (
        [
            started("reasoning"),
            delta("a", SUMMED, summaryIndex=0),
            delta("b", SUMMED, summaryIndex=1),
            completed("reasoning", summary=["a", "b"]),
        ],
        [0, 3],
    ),
    "reasoning": (
        [started("reasoning"), delta("a", THOUGHT, contentIndex=0), completed("reasoning", content=["a"])],
        [0, 2],
    ),
    "two items at once": (
        [
            started(),
            delta("a"),
            delta("1", PRINTED, itemId="command"),
            LIMITS,
            delta("x", itemId="theirs", threadId="another"),
            delta("b"),
            completed(text="ab"),
        ],
        [0, 2, 3, 4, 6],
    ),
    "diffs": ([diff(), diff("d"), diff(), diff("d")], [2, 3]),
}


@for_each("events, kept", _SAID_TWICE.values(), ids=[*_SAID_TWICE])
def test_what_another_line_has_whole_is_superfluous(events: list[Json], kept: list[int]) -> None:
    assert left(*events) == kept


_SAID_ONCE: dict[str, list[Json]] = {
    "other text": [started(), delta("b"), completed(text="ab")],
    "an open item": [started(), delta("a")],
    "an unknown start": [delta("a"), completed(text="a")],
    "an unknown start of a command": [delta("a", PRINTED), completed("x", aggregatedOutput="a")],
    "another item": [started(), delta("a"), completed(item_id="j", text="a")],
    "another type": [started(), delta("a"), completed("plan", text="a")],
    "a type without text": [started("x"), delta("a"), completed(text="a")],
    "another message between": [started(), delta("a"), delta("b", itemId="j"), delta("c"), completed(text="ac")],
    "a warning between": [started(), delta("a"), event("warning"), completed(text="a")],
    "a request between": [started(), delta("a"), {**event("item/tool/call"), "id": 0}, completed(text="a")],
    "a reply of ours between": [started(), delta("a"), {"dir": "out", "id": 0}, completed(text="a")],
    "a line without a thread between": [
        started(),
        delta("a"),
        {"dir": "in", "method": "configWarning"},
        completed(text="a"),
    ],
    "a retry": [started(), delta("a"), event("error", willRetry=True), delta("a"), completed(text="a")],
    "no output": [started("x"), delta("a", PRINTED), completed("x", aggregatedOutput=None)],
    "output that was cut": [started("x"), delta("abc", PRINTED), completed("x", aggregatedOutput="a … c")],
    "a text that begins later": [
        started("reasoning"),
        delta("b", THOUGHT, contentIndex=0),
        completed("reasoning", content=["ab"]),
    ],
    "a part that ends otherwise": [
        started("reasoning"),
        delta("a", SUMMED, summaryIndex=0),
        delta("b", SUMMED, summaryIndex=1),
        completed("reasoning", summary=["ac", "b"]),
    ],
    "a retry of reasoning": [
        started("reasoning"),
        delta("a", SUMMED, summaryIndex=0),
        event("error", willRetry=True),
        completed("reasoning", summary=["a"]),
    ],
    "no such part": [started("reasoning"), delta("a", SUMMED, summaryIndex=1), completed("reasoning", summary=["a"])],
    "no part": [started("reasoning"), delta("a", SUMMED), completed("reasoning", summary=["a"])],
    "an odd part": [started("reasoning"), delta("a", SUMMED, summaryIndex=[]), completed("reasoning", summary=["a"])],
    "an item without an id": [started(item_id=None), delta("a", itemId=""), completed(item_id=None, text="a")],
    "deltas of another kind": [started("x"), delta("a", "item/fileChange/outputDelta"), completed("x", text="a")],
    "one diff": [diff()],
    "diffs of no turn": [diff(""), diff("")],
    "a diff before something else of that name": [diff(), event("turn/diff/updated", files=[])],
}


@for_each("events", _SAID_ONCE.values(), ids=[*_SAID_ONCE])
def test_what_may_be_the_only_one_is_kept(events: list[Json]) -> None:
    assert left(*events) == list(range(len(events)))


def test_a_message_that_starts_again_is_judged_from_there() -> None:
    events = [started(), delta("a"), event("error", willRetry=True), started(), delta("a"), completed(text="a")]
    assert left(*events) == [0, 1, 2, 3, 5]


def test_a_text_that_is_too_long_to_be_remembered_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = [started("x"), delta("ab", PRINTED), delta("cd", PRINTED), completed("x", aggregatedOutput="abcd")]
    thought = [started("reasoning"), *(delta(text, SUMMED, summaryIndex=0) for text in ("ab", "cd"))]
    for most, kept in ((4, [0, 3]), (3, [0, 1, 2, 3])):
        monkeypatch.setattr(superfluous_lines, "MOST_CHARS", most)
        assert left(*printed) == kept
        assert left(*thought, completed("reasoning", summary=["abcd"])) == kept


def test_lines_that_are_no_messages_are_kept() -> None:
    log = b'{"dir":"in","method":["odd"]}\nodd\n\n[1]\n\xff\xfe\n{"dir":"in","method":"x","params":[]}\n{"torn'
    assert left_of(log) == log


def facts_of(value: Any) -> Any:
    """Everything that a record holds, less what is held back for as long as the turn has no id."""
    if isinstance(value, dict):
        return {key: facts_of(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [facts_of(member) for member in value]
    if isinstance(value, AgentMessage):
        return value.phase, value.text, value.is_complete
    if type(value).__module__.startswith("codex_server_cli.core.record."):
        return {name: facts_of(member) for name, member in vars(value).items() if name != "_early"}
    return value


def assert_reads_the_same(log: bytes) -> None:
    shorter = left_of(log)
    (record, text), (record_of_shorter, text_of_shorter) = replay(log), replay(shorter)
    assert text_of_shorter == text
    assert facts_of(record_of_shorter) == facts_of(record)


@for_each("turn", TURNS, ids=[turn.name for turn in TURNS])
def test_a_recorded_turn_reads_the_same_without_it(turn: CapturedTurn) -> None:
    log = turn.events()
    assert_reads_the_same(log)
    if turn.name == "basic_turn":
        assert any(map(is_delta, log.split(b"\n")))
        assert not any(map(is_delta, left_of(log).split(b"\n")))


@examples(300)
@given(disturbed_turns())
def test_a_turn_that_went_otherwise_reads_the_same_without_it_too(turn: CapturedTurn) -> None:
    assert_reads_the_same(turn.events())


@examples(600)
@given(st.lists(st.one_of(whole_items, single_lines.map(lambda line: [line])), max_size=12))
def test_whatever_order_its_lines_come_in_a_turn_reads_the_same(parts: list[list[Json]]) -> None:
    assert_reads_the_same(BEGIN + b"".join(encode(line) for part in parts for line in part))
