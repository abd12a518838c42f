"""Lines are cut at newlines alone, however the stream was split."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.protocol.jsonl import LineDecoder
from tests.kit.cases import for_each

STREAM = '{"text":"a b\x85c\\r"}\r\n\n{"n":1}\nwörter\n{"torn":'.encode()


def _feed(decoder: LineDecoder, chunks: list[bytes]) -> list[bytes]:
    return [line for chunk in chunks for line in decoder.feed(chunk)]


def test_only_newlines_end_a_line() -> None:
    decoder = LineDecoder()
    assert decoder.feed(STREAM) == STREAM.split(b"\n")[:-1]
    assert decoder.flush() == b'{"torn":'


@for_each("position", range(len(STREAM) + 1))
def test_a_stream_split_at_any_byte_gives_the_same_lines(position: int) -> None:
    decoder = LineDecoder()
    assert _feed(decoder, [STREAM[:position], STREAM[position:]]) == STREAM.split(b"\n")[:-1]
    assert decoder.flush() == b'{"torn":'


def test_a_torn_line_is_kept_back_until_its_end_arrives() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b'{"a"') == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b":1}\n") == [b'{"a":1}']
    assert decoder.flush() is None


def test_flush_hands_the_rest_over_once() -> None:
    decoder = LineDecoder()
    decoder.feed(b"rest")
    assert decoder.flush() == b"rest"
    assert decoder.flush() is None
    assert decoder.feed(b"next\n") == [b"next"]


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_any_bytes_in_any_chunks_are_cut_as_split_does(data: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = LineDecoder()
    lines = _feed(decoder, [data[start:end] for start, end in pairwise(bounds)])
    *expected, rest = data.split(b"\n")
    assert lines == expected
    assert decoder.flush() == (rest or None)


@given(
    st.lists(st.integers(0, 12), max_size=8),
    st.lists(st.integers(0, 110), max_size=6),
)
def test_lines_over_the_bound_are_dropped_and_counted_however_they_come(sizes: list[int], cuts: list[int]) -> None:
    *lines, rest = [b"x" * size for size in [*sizes, 0]]
    data = b"".join(line + b"\n" for line in lines) + rest
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = LineDecoder(max_line_bytes=6)
    kept = _feed(decoder, [data[start:end] for start, end in pairwise(bounds)])
    assert kept == [line for line in lines if len(line) <= 6]
    assert decoder.dropped_lines == sum(len(line) > 6 for line in lines)


def test_an_endless_last_line_is_dropped_and_counted_too() -> None:
    decoder = LineDecoder(max_line_bytes=4)
    assert decoder.feed(b"12345") == []
    assert decoder.flush() is None
    assert decoder.dropped_lines == 1
    assert decoder.feed(b"ok\n") == [b"ok"]
