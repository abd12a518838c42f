"""Logs of turns as tests make them up: lines, recorded turns that went otherwise, and what the end leaves of a log.

Asserts nothing.
"""

from __future__ import annotations

import copy
import io
from typing import Any

from hypothesis import strategies as st

from codex_server_cli.core.protocol.rpc import encode
from codex_server_cli.core.protocol.superfluous import superfluous
from tests.kit.captures import CapturedTurn, capture_names, captured_turns

Json = dict[str, Any]
ITEM = {"threadId": "t", "turnId": "c", "itemId": "i"}
SAID, PLANNED = "item/agentMessage/delta", "item/plan/delta"
PRINTED, SUMMED, THOUGHT = (
    "item/commandExecution/outputDelta",
    "item/reasoning/summaryTextDelta",
    "item/reasoning/textDelta",
)
LIMITS: Json = {"dir": "in", "method": "account/rateLimits/updated", "params": {}}
TURNS = [turn for name in capture_names() for turn in captured_turns(name)]


def event(method: str, **params: Any) -> Json:
    """A notification of the turn."""
    return {"dir": "in", "method": method, "params": {"threadId": "t", "turnId": "c", **params}}


def delta(text: str, method: str = SAID, **more: Any) -> Json:
    """A piece of an item's text."""
    return event(method, **{"itemId": "i", "delta": text, **more})


def started(type_: str = "agentMessage", item_id: Any = "i", **members: Any) -> Json:
    """An item begins."""
    return event("item/started", item={"type": type_, "id": item_id, **members})


def completed(type_: str = "agentMessage", item_id: Any = "i", **members: Any) -> Json:
    """An item is complete."""
    return event("item/completed", item={"type": type_, "id": item_id, **members})


def diff(turn_id: str = "c") -> Json:
    """The whole diff so far."""
    return event("turn/diff/updated", turnId=turn_id, diff="all of it")


def left_of(log: bytes) -> bytes:
    """The log without what is superfluous."""
    for start, end in reversed(superfluous(io.BytesIO(log))):
        log = log[:start] + log[end:]
    return log


@st.composite
def disturbed_turns(draw: st.DrawFn) -> CapturedTurn:
    """A recorded turn of which some messages are lost, repeated, moved, or of another item."""
    turn = draw(st.sampled_from(TURNS))
    messages = list(turn.messages)
    for _ in range(draw(st.integers(1, 6))):
        at, to = (draw(st.integers(0, len(messages) - 1)) for _ in range(2))
        match draw(st.sampled_from(["lose", "repeat", "move", "change", "retry"])):
            case "lose":
                del messages[at]
            case "repeat":
                messages.insert(to, messages[at])
            case "move":
                messages.insert(to, messages.pop(at))
            case "retry":
                messages.insert(at, (False, {"method": "error", "params": _retry_of(messages)}))
            case _:
                messages[at] = (messages[at][0], _changed(copy.deepcopy(messages[at][1]), draw))
    return CapturedTurn(turn.name, tuple(messages))


def _retry_of(messages: list[tuple[bool, Json]]) -> Json:
    params: Json = next((m["params"] for _, m in messages if "turnId" in (m.get("params") or {})), {})
    return {**{name: params.get(name) for name in ("threadId", "turnId")}, "willRetry": True, "error": {"message": "x"}}


def _changed(message: Json, draw: st.DrawFn) -> Json:
    params = message.get("params")
    if isinstance(params, dict) and params:
        inner = params["item"] if isinstance(params.get("item"), dict) else params
        inner[draw(st.sampled_from(sorted(inner)))] = draw(st.sampled_from([None, "", "odd", 1]))
    return message


BEGIN = encode({"dir": "out", "id": 1, "method": "turn/start", "params": {"threadId": "t"}}) + encode(
    {"dir": "in", "id": 1, "result": {"turn": {"id": "c"}}}
)
_WORDS = ["", "a", "b", "ab", "aba\n"]
_IDS, _TYPES = ["i", "j"], ["agentMessage", "agentMessage", "reasoning", "reasoning", "commandExecution", "plan"]
_words, _ids, _types = st.sampled_from(_WORDS), st.sampled_from(_IDS), st.sampled_from(_TYPES)
_parts = st.sampled_from([0, 0, 0, 1, 1, 2, -1, None])
_others = [
    event("error", willRetry=True, error={"message": "x"}),
    event("thread/tokenUsage/updated", tokenUsage={"last": {"totalTokens": 1}}),
    event("warning", message="x"),
    diff(),
    LIMITS,
    completed("userMessage", "u", content=[{"text": "x"}]),
    completed("enteredReviewMode", "r", review="x"),
    event("thread/status/changed", status={"type": "idle"}),
    event("turn/started", turn={"id": "c"}),
    {"dir": "out", "id": 2, "method": "turn/steer", "params": {}},
    {**event("item/commandExecution/requestApproval", itemId="i"), "id": 0},
]
thoughts = st.builds(lambda text, id_, n: delta(text, SUMMED, itemId=id_, summaryIndex=n), _words, _ids, _parts)
"""Pieces of summaries."""
single_lines = st.one_of(
    st.builds(lambda text, id_: delta(text, itemId=id_), _words, _ids),
    st.builds(lambda text, id_: delta(text, PRINTED, itemId=id_), _words, _ids),
    st.builds(lambda type_, id_, text: started(type_, id_, text=text), _types, _ids, st.sampled_from(["", "", "a"])),
    st.builds(
        lambda type_, id_, text, parts: completed(type_, id_, text=text, aggregatedOutput=text, summary=parts),
        *(_types, _ids, _words, st.lists(_words, max_size=3)),
    ),
    thoughts,
    st.sampled_from(_others),
)
whole_messages = st.builds(
    lambda id_, pieces, rest: [started(item_id=id_), *pieces, completed(item_id=id_, text=_said(pieces) + rest)],
    _ids,
    st.lists(st.one_of(st.builds(delta, _words), st.builds(delta, _words, st.just(PRINTED))), max_size=4),
    _words,
).map(lambda events: [{**each, "params": {**each["params"], "itemId": _id_of(events)}} for each in events])

whole_reasonings = st.builds(
    lambda id_, pieces, parts: [started("reasoning", id_), *pieces, completed("reasoning", id_, summary=parts)],
    _ids,
    st.lists(st.one_of(thoughts, thoughts, st.builds(delta, _words, st.just(PRINTED))), max_size=4),
    st.lists(_words, max_size=3),
).map(lambda events: [{**each, "params": {**each["params"], "itemId": _id_of(events)}} for each in events])
whole_items = st.one_of(whole_messages, whole_reasonings)


def _said(pieces: list[Json]) -> str:
    return "".join(piece["params"]["delta"] for piece in pieces if piece["method"] == SAID)


def _id_of(events: list[Json]) -> str:
    return str(events[0]["params"]["item"]["id"])
