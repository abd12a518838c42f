"""Log text without its colours, wherever it is cut."""

from __future__ import annotations

from codex_server_cli.core.result.plain_log import PlainLog, without_sequences
from tests.kit.cases import for_each

COLOURED = (
    b"\x1b[2m2026-11-29T08:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[38;2;1;2;3mcodex\x1b[39;49m: \xc3\xa9\n"
    b"\x1b]8;;https://x.y\x1b\\link\x1b]8;;\x07 \x1b[2K\x1b(B\x1bMend\n"
)
PLAIN = b"2026-11-29T08:00:00Z ERROR codex: \xc3\xa9\nlink end\n"


@for_each("size", [1, 2, 3, 5, 7, 1000])
def test_sequences_are_taken_out_wherever_the_stream_is_cut(size: int) -> None:
    log = PlainLog()
    pieces = [COLOURED[at : at + size] for at in range(0, len(COLOURED), size)]
    assert b"".join(log.feed(piece) for piece in pieces) == PLAIN
    assert without_sequences(COLOURED) == PLAIN


def test_what_is_no_sequence_stays_and_one_without_an_end_holds_nothing_up() -> None:
    log = PlainLog()
    assert log.feed(b"a[31m b\n") == b"a[31m b\n"
    assert log.feed(b"x\x1b") == b"x"
    assert log.feed(b"\n") == b"\x1b\n"
    endless = b"\x1b]" + b"t" * 1000
    assert log.feed(endless) == endless
    assert log.feed(b"more\n") == b"more\n"
