"""The lines of `events.jsonl`: the message verbatim after our three members, and parsed back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.protocol.event_log import MAX_INVALID_CHARS, EventLog, is_delta, read_events, seq_of
from codex_server_cli.core.protocol.rpc import encode, parse_line
from codex_server_cli.core.record.replay import replay
from tests.kit.cases import for_each

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_MESSAGES = st.dictionaries(st.text(max_size=8).filter(lambda key: key not in ("seq", "ts", "dir")), _JSON, max_size=5)


def _line_in(raw: bytes) -> bytes:
    return EventLog().line_in(raw, parse_line(raw), 1_795_193_701_482)


@for_each(
    ("raw", "line"),
    [
        (b'{"method":"m","id":0}', b'{"seq":0,"ts":1795193701482,"dir":"in","method":"m","id":0}\n'),
        (b'{"id":0,"method":"m"}', b'{"seq":0,"ts":1795193701482,"dir":"in","id":0,"method":"m"}\n'),
        (b'  { "n" : 1e5 , "n2":0.10 } \r', b'{"seq":0,"ts":1795193701482,"dir":"in","n" : 1e5 , "n2":0.10 }\n'),
        (b"{}", b'{"seq":0,"ts":1795193701482,"dir":"in"}\n'),
        (b"{ }", b'{"seq":0,"ts":1795193701482,"dir":"in"}\n'),
    ],
)
def test_a_message_stands_verbatim_behind_our_members(raw: bytes, line: bytes) -> None:
    assert _line_in(raw) == line


@given(_MESSAGES, st.booleans(), st.booleans())
def test_a_line_less_our_members_is_the_message_in_its_own_order(message: Any, is_spaced: bool, is_ascii: bool) -> None:
    separators = (", ", ": ") if is_spaced else (",", ":")
    raw = json.dumps(message, separators=separators, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    line = json.loads(_line_in(raw))
    ours = [line.pop(name) for name in ("seq", "ts", "dir")]
    assert ours == [0, 1_795_193_701_482, "in"]
    assert line == message
    assert list(line) == list(message)


def test_lines_are_numbered_across_both_directions() -> None:
    log = EventLog(next_seq=7)
    log.line_out(encode({"method": "initialized"}), 1)
    line = json.loads(log.line_in(b"{}", {}, 2))
    assert line == {"seq": 8, "ts": 2, "dir": "in"}
    assert log.next_seq == 9


def test_what_we_send_is_recorded_as_it_was_sent() -> None:
    line = EventLog().line_out(encode({"id": 1, "method": "m", "params": {"text": "a\u2028b"}}), 5)
    assert line == b'{"seq":0,"ts":5,"dir":"out","id":1,"method":"m","params":{"text":"a\\u2028b"}}\n'


@for_each(
    "raw", [b"not json", b"[1]", b'{"torn":', b"\xff\xfe", b'\xef\xbb\xbf{"method":"m"}', b'{"method":"m"} trailing']
)
def test_what_is_no_message_stands_as_text(raw: bytes) -> None:
    line = json.loads(_line_in(raw))
    assert line["invalid"] == raw.decode("utf-8", "replace")
    assert list(read_events(_line_in(raw))) == []


@for_each("raw", [b"x" * 3_000_000, "ü€😀".encode() * 100_000, b"\xff" * 100_000])
def test_text_that_is_no_message_is_bounded(raw: bytes) -> None:
    line = _line_in(raw)
    assert len(json.loads(line)["invalid"]) == MAX_INVALID_CHARS
    assert len(line) < 13 * MAX_INVALID_CHARS


@for_each("name", ["dir", "seq", "ts"])
def test_a_message_cannot_pass_for_our_members(name: str) -> None:
    raw = encode({"method": "turn/completed", name: "out", "params": {}})
    line = json.loads(_line_in(raw))
    assert (line["seq"], line["ts"], line["dir"]) == (0, 1_795_193_701_482, "in")
    assert line["invalid"] == raw.decode()


def test_a_member_called_invalid_makes_no_message_invalid() -> None:
    (event,) = read_events(_line_in(b'{"method":"m","invalid":"x"}'))
    assert event["method"] == "m"


def test_a_line_of_three_megabytes_is_kept_whole() -> None:
    raw = encode({"method": "item/completed", "params": {"text": "x" * 3_000_000}})
    assert _line_in(raw).endswith(raw[1:])


@for_each(
    "line",
    [
        b"",
        b"\n\n",
        b'{"seq":0,"ts":1,"dir":"in","met',
        b"[]\n",
        b'{"dir":"sideways","method":"m"}\n',
        b'{"method":"m"}\n',
    ],
)
def test_torn_and_foreign_lines_are_skipped(line: bytes) -> None:
    good = EventLog().line_out(encode({"method": "initialized"}), 1)
    assert [event["method"] for event in read_events(good + line)] == ["initialized"]


def test_an_empty_log_is_a_turn_of_which_nothing_is_known() -> None:
    record, text = replay(b"")
    assert (record.thread_id, record.status, record.answer, text) == (None, None, None, "")


@for_each(
    ("method", "expected"),
    [
        ("item/agentMessage/delta", True),
        ("item/commandExecution/outputDelta", True),
        ("item/reasoning/summaryTextDelta", True),
        ("item/completed", False),
        ("item/delta/of/a/newer/version", False),
    ],
)
def test_a_piece_of_a_stream_is_told_by_its_method(method: str, expected: bool) -> None:
    assert is_delta(_line_in(encode({"method": method, "params": {"delta": "x"}}))) is expected


def test_a_text_that_looks_like_a_method_makes_no_piece_of_a_stream() -> None:
    assert not is_delta(_line_in(encode({"method": "warning", "params": {"message": '"method":"x/delta"'}})))


def test_the_number_of_a_line_is_told_without_decoding_it() -> None:
    line = EventLog(next_seq=1234).line_out(encode({"method": "initialized"}), 1)
    assert seq_of(line) == 1234
    assert seq_of(b'{"method":"m"}') is None
