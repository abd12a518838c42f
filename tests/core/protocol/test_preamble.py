"""What a login shell prints before the app-server speaks, and where that begins."""

from __future__ import annotations

from codex_server_cli.core.protocol.preamble import Preamble
from tests.kit.cases import for_each

FIRST = b'{"id":1,"result":{"a":{"b":"c"}}}\n'


@for_each(
    ("noise", "kept"),
    [
        (b"", b""),
        (b"Welcome!\n", b"Welcome!\n"),
        (b'Welcome {to} {\n{}\n{"x": 1}\n[]\n', b'Welcome {to} {\n{}\n{"x": 1}\n[]\n'),
        (b"no newline $ ", b"no newline $ \n"),
        (b'{} {"a" ', b'{} {"a" \n'),
        (b"\xff\x1b[0m\r\n", b"\xff\x1b[0m\r\n"),
        (b"{" * 100 + b"\n", b"{" * 100 + b"\n"),
    ],
)
def test_what_stands_before_the_first_message_is_kept_apart(noise: bytes, kept: bytes) -> None:
    preamble = Preamble()
    assert preamble.feed(noise + FIRST + b'{} after\n{"half') == (FIRST + b'{} after\n{"half', kept)
    assert preamble.is_over
    assert preamble.feed(b"anything\n") == (b"anything\n", b"")


@for_each("size", [1, 3, 7])
def test_it_is_the_same_in_any_pieces(size: int) -> None:
    preamble, stream = Preamble(), b"one\ntwo " + FIRST + b"rest"
    pieces = [preamble.feed(stream[start : start + size]) for start in range(0, len(stream), size)]
    assert b"".join(data for data, _ in pieces) == FIRST + b"rest"
    assert b"".join(noise for _, noise in pieces) == b"one\ntwo \n"


def test_a_notification_or_a_request_is_a_first_message_too() -> None:
    for line in (b'{"method":"x"}\n', b'{"id":0,"method":"x"}\n'):
        assert Preamble().feed(b"x\n" + line) == (line, b"x\n")


def test_a_stream_that_ends_before_has_no_message() -> None:
    preamble = Preamble()
    assert preamble.feed(b"This account is not available.") == (b"", b"")
    assert preamble.flush() == b"This account is not available."
    assert (preamble.flush(), preamble.is_over) == (b"", False)
