"""Whatever an app-server of another version sends, a session neither raises nor loses track of its log."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.result.outcome import Cause, decide
from codex_server_cli.core.session.session import Session
from tests.kit.captures import TURN_ID, CapturedTurn, capture_names, captured_turns
from tests.kit.cases import examples

_TURNS = {name: captured_turns(name)[0] for name in capture_names()}
_ODD_VALUES: list[Any] = [None, True, -1, 0, 2**53, 0.5, "", "odd", [], ["odd"], [{}], {}, {"odd": None}, [[]]]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every member of a JSON value at any depth, as (container, key)."""
    members: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    return [place for key, inner in members for place in [(value, key), *_places(inner)]]


@st.composite
def _changed_turns(draw: st.DrawFn) -> CapturedTurn:
    """A recorded turn in which some members of the incoming messages hold other values."""
    turn = _TURNS[draw(st.sampled_from(sorted(_TURNS)))]
    messages = list(turn.messages)
    coming = [index for index, (is_ours, _) in enumerate(messages) if not is_ours]
    for index in draw(st.lists(st.sampled_from(coming), min_size=1, max_size=4)):
        message = copy.deepcopy(messages[index][1])
        container, key = draw(st.sampled_from(_places(message)))
        container[key] = draw(st.sampled_from(_ODD_VALUES))
        messages[index] = (False, message)
    return CapturedTurn(turn.name, tuple(messages))


@examples(300)
@given(_changed_turns())
def test_a_turn_whose_messages_have_changed_shape_still_ends_and_replays(turn: CapturedTurn) -> None:
    session = Session(_TURNS[turn.name].request, "go", "0")
    events, text = turn.play(session)
    assert session.outcome is not None
    assert session.outcome.state.is_end
    json.dumps(session.outcome.error.to_json() if session.outcome.error else None)
    record, replayed = replay(events)
    assert replayed == text
    assert decide(record, Cause.WORKER_DIED, TurnRequest(TURN_ID, "/project")).answer == session.outcome.answer


@examples(300)
@given(st.sampled_from(sorted(_TURNS)), st.data())
def test_a_turn_whose_messages_come_twice_in_part_or_in_another_order_still_replays(
    name: str, data: st.DataObject
) -> None:
    messages = list(_TURNS[name].messages)
    chosen = data.draw(st.lists(st.integers(0, len(messages) - 1), min_size=1, max_size=2 * len(messages)))
    turn = CapturedTurn(name, tuple(messages[index] for index in chosen))
    session = Session(_TURNS[name].request, "go", "0")
    events, text = turn.play(session)
    assert session.outcome is not None
    assert replay(events)[1] == text


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_at_all_are_recorded_and_survived(chunks: list[bytes]) -> None:
    session = Session(_TURNS["basic_turn"].request, "go", "0")
    session.start(0)
    events = b"".join(session.feed(chunk, 1).events for chunk in chunks)
    for line in events.split(b"\n")[:-1]:
        assert json.loads(line)["dir"] in ("in", "out")
