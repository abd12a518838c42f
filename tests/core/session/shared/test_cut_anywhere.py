"""A connection that is lost anywhere in a turn costs nothing of the turn but what the transport notes name as lost."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.protocol.superfluous import superfluous
from codex_server_cli.core.record.replay import replay
from tests.kit.captures import CapturedTurn, capture_names, captured_turns
from tests.kit.cases import for_each
from tests.kit.played_server import PlayedServer

NAMES = [name for name in capture_names() if name != "interrupt"]  # its turn ends only when it is told to
LOST_METHODS = ("error", "warning", "turn/plan/updated", "turn/diff/updated", "model/rerouted")


def _uncut(turn: CapturedTurn, without: tuple[int, int]) -> PlayedServer:
    """The same turn where nothing is lost, but without what a client that is away never gets to know."""
    server = PlayedServer(turn)
    first, last = without
    resolved = [m["params"]["requestId"] for m in server.stream[:last] if m.get("method") == "serverRequest/resolved"]
    server.stream = [
        message for n, message in enumerate(server.stream) if not (first <= n < last and _is_lost(message, resolved))
    ]
    return server.play()


def _is_lost(message: Message, resolved: list[Any]) -> bool:
    """The start of an item too: its end shows the item, where that may be later than the start did."""
    item = (message.get("params") or {}).get("item") or {}
    is_start = message.get("method") == "item/started" and item.get("type") != "agentMessage"
    return is_start or message.get("method") in LOST_METHODS or ("method" in message and message.get("id") in resolved)


def check(turn: CapturedTurn, cut: int, missed: int, *, has_stand_ins: bool) -> None:
    server = PlayedServer(turn, has_stand_ins=has_stand_ins).play(cut, missed)
    whole = _uncut(turn, (cut, cut + missed))
    record, expected = server.session.record, whole.session.record
    outcome, wanted = server.session.outcome, whole.session.outcome
    assert outcome is not None
    assert wanted is not None
    if _has_broken_responses(server):
        assert (outcome.state, outcome.error and outcome.error.kind) == (
            wanted.state,
            wanted.error and wanted.error.kind,
        )
    elif record.status != "interrupted":  # while no client was connected: then it counts as cut off
        assert outcome == wanted
    assert _facts(record) == _facts(expected)
    if _has_broken_responses(server):  # what a failed response said is stored nowhere
        assert (record.answer or "") in server.text
    else:
        assert server.text.split("\n") == whole.text.split("\n")
    for events in (server.events, _trimmed(server.events)):
        replayed, text = replay(events)
        assert text == server.text
        assert _facts(replayed) == _facts(record)


def _facts(record: Any) -> dict[str, Any]:
    names = ("thread_id", "turn_id", "status", "error", "usage", "limits", "answer", "has_started", "completed_s")
    return {name: getattr(record, name) for name in names} | {"items": sorted({*record.attachment.completed.values()})}


def _trimmed(events: bytes) -> bytes:
    """The log as it is kept once its turn has ended."""
    parts, position = [], 0
    for begin, end in superfluous(events.splitlines(keepends=True)):
        parts.append(events[position:begin])
        position = end
    return b"".join([*parts, events[position:]])


def _has_broken_responses(server: PlayedServer) -> bool:
    """By an error that is retried, or by a steer."""
    return server.name == "steer" or any("Reconnecting" in str(message.get("params")) for message in server.stream)


@for_each("name", NAMES)
@pytest.mark.full
def test_a_turn_whose_connection_is_lost_anywhere_ends_as_it_would_have(name: str) -> None:
    turn, random = captured_turns(name)[0], Random(name)
    length = len(PlayedServer(turn).stream)
    for cut in range(length + 1):
        missed = random.choice([0, 1, 2, random.randrange(length + 1)])
        try:
            check(turn, cut, missed, has_stand_ins=bool(cut % 2))
        except BaseException as error:
            error.add_note(f"cut after {cut} of {length} messages, {missed} missed")
            raise


@pytest.mark.judge
@pytest.mark.parametrize("name", NAMES)
def test_so_does_one_that_misses_anything(name: str) -> None:
    turn = captured_turns(name)[0]
    length = len(PlayedServer(turn).stream)
    for cut in range(length + 1):
        for missed in range(length + 1 - cut):
            check(turn, cut, missed, has_stand_ins=bool(missed % 2))
