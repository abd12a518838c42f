"""Every input gives a result: lines of the wire, logs on disk, facts of a state, the newest id."""

from __future__ import annotations

import json
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.model.turn import Facts, Marker, State, derive_state, is_turn_id
from codex_server_cli.core.model.turn_id import make_turn_id
from codex_server_cli.core.protocol.event_log import is_delta, read_events, seq_of
from codex_server_cli.core.protocol.rpc import MessageType, message_type, objects_in, params_of, parse_line, text_in
from codex_server_cli.core.record.replay import replay
from codex_server_cli.errors import ErrorKind
from tests.kit.captures import captured_turns

_WHOLE = captured_turns("basic_turn")[0].events()
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = ["id", "method", "params", "result", "error", "seq", "dir"]
_messages = st.dictionaries(st.sampled_from(_KEYS), _values, max_size=5)
_lines = st.one_of(
    st.binary(max_size=80),
    _messages.map(json.dumps).map(str.encode),
    _values.map(json.dumps).map(str.encode),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe{}", b"\xef\xbb\xbf{}", b" {} ", b"{}{}", b"{}\0"]),
)


@given(_lines)
def test_a_line_is_one_message_or_none(line: bytes) -> None:
    message = parse_line(line)
    if message is not None:
        assert message_type(message) in MessageType
        assert isinstance(params_of(message), dict)


@given(_messages)
def test_a_message_is_told_apart_by_what_it_has(message: dict[str, object]) -> None:
    found = message_type(message)
    if found in (MessageType.REQUEST, MessageType.NOTIFICATION):
        assert isinstance(message["method"], str)
        assert ("id" in message) == (found is MessageType.REQUEST)
    elif found is MessageType.RESPONSE:
        assert "method" not in message
        assert isinstance(message["id"], str | int)


@given(_values)
def test_what_is_taken_out_of_a_message_has_its_shape(value: object) -> None:
    assert all(isinstance(member, dict) for member in objects_in(value))
    assert isinstance(text_in(value), str)


@given(st.lists(_lines | st.integers(0, len(_WHOLE)).map(lambda end: _WHOLE[:end]), max_size=4))
def test_any_log_of_events_replays(pieces: list[bytes]) -> None:
    data = b"\n".join(pieces)
    record, text = replay(data)
    assert isinstance(text, str)
    assert record.answer is None or isinstance(record.answer, str)
    assert all(event["dir"] in ("in", "out") for event in read_events(data))
    for line in data.split(b"\n"):
        assert seq_of(line) is None or line.startswith(b'{"seq":')
        assert is_delta(line) in (True, False)


def test_every_combination_of_facts_is_one_state_or_a_case_for_the_repairer() -> None:
    kinds = [None, "unheard of", *map(str, ErrorKind)]
    ends = {"cancelled": State.CANCELLED, "worker_died": State.ABANDONED}
    for exists, is_held, marker, kind in product([True, False], [True, False], [None, *Marker], kinds):
        state = derive_state(Facts(exists, is_held, marker, kind))
        if not exists:
            assert state is State.MISSING
        elif marker is Marker.DONE:
            assert state is State.COMPLETE
        elif marker is Marker.ERROR:
            assert state is ends.get(str(kind), State.FAILED)
        else:
            assert state is (State.RUNNING if is_held else None)


_ids = st.from_regex(r"[0-9]{8}-[0-9]{6}-[0-9]{3}-[0-9a-f]{4}", fullmatch=True)
_odd_ids = st.sampled_from(["99991231-235959-999-ffff", "99991231-999999-999-0000", "00000000-000000-000-0000"])


@given(st.integers(0, 4_102_444_799_999), st.integers(), _ids | _odd_ids | st.text(max_size=30))
def test_whatever_stands_for_the_newest_id_the_next_one_is_an_id(now_ms: int, bits: int, newest: str) -> None:
    made = make_turn_id(now_ms, bits, newest)
    assert is_turn_id(made)
    if made < "9999":
        assert make_turn_id(now_ms, bits, made) > made
