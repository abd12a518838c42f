"""Our half of RFC 6455, against the other half of `websockets`."""

from __future__ import annotations

import itertools
import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from codex_server_cli.core.protocol.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    SAMPLE_ACCEPT,
    SAMPLE_KEY,
    TEXT,
    FrameDecoder,
    Head,
    Received,
    WebSocketError,
    accept_of,
    close_words,
    frame,
    get_request,
    message_frames,
    read_head,
    upgrade_request,
)
from tests.kit.cases import for_each

MIB = 1024 * 1024
ANSWER = {"upgrade": "WebSocket", "connection": "keep-alive, Upgrade", "sec-websocket-accept": SAMPLE_ACCEPT}


def connected() -> tuple[ServerProtocol, Head]:
    """A server that has accepted our request, and the head of its answer."""
    server = ServerProtocol(max_size=None)
    server.receive_data(upgrade_request("localhost", "/", SAMPLE_KEY))
    (request,) = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    answer = read_head(b"".join(server.data_to_send()))
    assert answer is not None
    assert answer[1] == b""
    return server, answer[0]


def heard(server: ServerProtocol) -> list[Frame]:
    return [event for event in server.events_received() if isinstance(event, Frame)]


def fed(data: bytes, cuts: list[int] | None = None, decoder: FrameDecoder | None = None) -> list[Received]:
    """What a decoder makes of a stream that is cut at these places."""
    decoder = decoder or FrameDecoder()
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts or []), len(data)]
    return [each for start, end in pairwise(bounds) for each in decoder.feed(data[start:end])]


# --- the upgrade


def test_a_server_accepts_our_request_and_we_its_answer() -> None:
    _, head = connected()
    assert head.status == 101
    assert head.is_upgrade(SAMPLE_ACCEPT)
    assert not head.is_upgrade(accept_of("another key"))


def test_the_answer_to_a_key_is_that_of_the_rfc() -> None:
    assert accept_of(SAMPLE_KEY) == SAMPLE_ACCEPT


def test_a_request_names_host_and_path_and_bears_the_token() -> None:
    request = upgrade_request("host:4500", "/codex", SAMPLE_KEY, "secret").decode()
    assert request.startswith("GET /codex HTTP/1.1\r\nHost: host:4500\r\n")
    assert "\r\nAuthorization: Bearer secret\r\n" in request
    assert request.endswith("\r\n\r\n")
    assert "Authorization" not in upgrade_request("host", "/", SAMPLE_KEY).decode()
    assert get_request("h", "/readyz", {"A": "b"}) == b"GET /readyz HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"


@for_each(
    "change",
    [
        {"connection": "close"},
        {"upgrade": "h2c"},
        {"sec-websocket-accept": "other"},
        {"sec-websocket-extensions": "permessage-deflate"},
        {"sec-websocket-protocol": "chat"},
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_no_upgrade(change: dict[str, str]) -> None:
    assert Head(101, ANSWER).is_upgrade(SAMPLE_ACCEPT)
    assert not Head(101, ANSWER | change).is_upgrade(SAMPLE_ACCEPT)
    assert not Head(200, ANSWER).is_upgrade(SAMPLE_ACCEPT)


HEAD = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nX: a\r\nx: b\r\n\r\n"


@for_each("position", range(len(HEAD)))
def test_a_head_is_read_once_its_end_has_come(position: int) -> None:
    assert read_head(HEAD[:position]) is None
    assert read_head(HEAD + b"body") == (Head(401, {"content-length": "4", "x": "a, b"}), b"body")


def test_a_head_may_have_no_reason_and_no_header() -> None:
    assert read_head(b"HTTP/1.0 204\r\n\r\n") == (Head(204, {}), b"")


@for_each(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH", "HTTP"),
        (b"HTTP/2 200\r\n\r\n", "HTTP"),
        (b"\x15\x03\x01", "HTTP"),
        (b"HTTP/1.1\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 up!\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 " + b"2" * 5000 + b"\r\n\r\n", "HTTP"),
        ("HTTP/1.1 ²²²\r\n\r\n".encode("latin-1"), "HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, "without end"),
    ],
)
def test_what_is_no_answer_of_http_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(WebSocketError, match=words):
        read_head(data)


# --- what we send


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_a_server_reads_what_we_send(payload: bytes, mask: bytes) -> None:
    server, _ = connected()
    server.receive_data(frame(BINARY, payload, mask) + message_frames(payload, lambda size: mask[:size]))
    assert [(each.opcode, each.data) for each in heard(server)] == [(Opcode.BINARY, payload), (Opcode.TEXT, payload)]


@for_each("size", [0, 1, 3, 4, 5, 125, 126, 127, 65_535, 65_536, 8 * MIB])
def test_a_message_of_any_size_up_to_8_mib_is_one_frame(size: int) -> None:
    server, _ = connected()
    text = (b"0123456789" * (size // 10 + 1))[:size]
    server.receive_data(message_frames(text, os.urandom))
    assert [(each.opcode, each.data == text, each.fin) for each in heard(server)] == [(Opcode.TEXT, True, True)]


@for_each("size", [8 * MIB + 1, 9 * MIB])
def test_a_longer_message_goes_in_fragments_of_a_mib(size: int) -> None:
    server, _ = connected()
    text = os.urandom(1000) * (size // 1000) + b"x" * (size % 1000)
    server.receive_data(message_frames(text, os.urandom))
    frames = heard(server)
    assert b"".join(each.data for each in frames) == text
    assert max(len(each.data) for each in frames) == MIB
    assert [each.opcode for each in frames] == [Opcode.TEXT] + [Opcode.CONT] * (len(frames) - 1)
    assert [each.fin for each in frames] == [False] * (len(frames) - 1) + [True]


def test_each_frame_has_a_mask_of_its_own() -> None:
    masks = itertools.count(1)
    sent = message_frames(b"\0" * (9 * MIB), lambda size: next(masks).to_bytes(size, "big"))
    assert next(masks) == 10
    assert b"\0\0\0\x01" * 9 in sent
    assert b"\0\0\0\x09" * 9 in sent


def test_control_frames_are_understood() -> None:
    server, _ = connected()
    server.receive_data(frame(PING, b"are you there", os.urandom(4)) + frame(CLOSE, b"\x03\xe8", os.urandom(4)))
    ping, close = heard(server)
    assert (ping.opcode, ping.data) == (Opcode.PING, b"are you there")
    assert (close.opcode, close.data) == (Opcode.CLOSE, b"\x03\xe8")


# --- what we receive


def stream() -> tuple[bytes, list[Received]]:
    """What a server sends, of every kind and every form of length, and what it means."""
    server, _ = connected()
    server.send_text(b"short")
    server.send_text(b"m" * 300)
    server.send_ping(b"there?")
    server.send_text(b"one ", fin=False)
    server.send_pong(b"within")
    server.send_continuation(b"two ", fin=False)
    server.send_continuation(b"three", fin=True)
    server.send_binary(b"\0\1")
    server.send_text(b"")
    server.send_close(1001, "going away")
    return b"".join(server.data_to_send()), [
        Received(TEXT, b"short"),
        Received(TEXT, b"m" * 300),
        Received(PING, b"there?"),
        Received(PONG, b"within"),
        Received(TEXT, b"one two three"),
        Received(BINARY, b"\0\1"),
        Received(TEXT, b""),
        Received(CLOSE, b"\x03\xe9going away"),
    ]


STREAM, MEANING = stream()


@for_each("position", range(len(STREAM) + 1))
def test_a_stream_that_is_torn_at_any_byte_means_the_same(position: int) -> None:
    assert fed(STREAM, [position]) == MEANING


def test_a_stream_that_comes_byte_by_byte_means_the_same() -> None:
    assert fed(STREAM, list(range(len(STREAM)))) == MEANING


@given(st.lists(st.tuples(st.binary(max_size=400), st.booleans()), max_size=6), st.lists(st.integers(0, 3000)))
def test_any_messages_in_any_fragments_and_chunks_arrive_whole(
    parts: list[tuple[bytes, bool]], cuts: list[int]
) -> None:
    server, _ = connected()
    expected, open_parts = [], list[bytes]()
    for data, is_last in [*parts, (b"end", True)]:
        (server.send_continuation if open_parts else server.send_text)(data, is_last)
        open_parts.append(data)
        if is_last:
            expected.append(Received(TEXT, b"".join(open_parts)))
            open_parts.clear()
    assert fed(b"".join(server.data_to_send()), cuts) == expected


@for_each("size", [125, 126, 65_535, 65_536, 20 * MIB])
def test_nothing_that_fits_on_a_line_is_too_long_to_come(size: int) -> None:
    server, _ = connected()
    server.send_text(b"x" * size)
    (received,) = fed(b"".join(server.data_to_send()), list(range(0, size, 256 * 1024)))
    assert received == Received(TEXT, b"x" * size)


def of_server(first: int, payload: bytes = b"") -> bytes:
    return bytes((first, len(payload))) + payload


@for_each(
    ("data", "words"),
    [
        (frame(TEXT, b"x", b"mask"), "masked"),
        (of_server(0xC1), "unknown kind"),
        (of_server(0x83), "unknown kind"),
        (of_server(0x8B), "unknown kind"),
        (of_server(0x09), "control frame"),
        (bytes((0x89, 126, 0, 126)) + b"x" * 126, "control frame"),
        (of_server(0x80, b"rest"), "wrong order"),
        (of_server(0x01, b"a") + of_server(0x81, b"b"), "wrong order"),
        (bytes((0x81, 127)) + b"\xff" * 8, "message of"),
    ],
)
def test_what_breaks_the_protocol_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(WebSocketError, match=words):
        fed(data)


def test_a_message_that_outgrows_the_bound_is_refused_in_one_frame_or_in_many() -> None:
    assert fed(of_server(0x81, b"1234567"), decoder=FrameDecoder(7)) == [Received(TEXT, b"1234567")]
    with pytest.raises(WebSocketError, match="8 bytes"):
        fed(of_server(0x81, b"12345678"), decoder=FrameDecoder(7))
    with pytest.raises(WebSocketError, match="without end"):
        fed(of_server(0x01, b"1234") + of_server(0x00, b"5678"), decoder=FrameDecoder(7))
    small = FrameDecoder(7)  # each message is measured alone
    for _ in range(3):
        assert fed(of_server(0x01, b"123") + of_server(0x80, b"456"), decoder=small) == [Received(TEXT, b"123456")]


@for_each(
    ("payload", "words"),
    [
        (b"", ""),
        (b"\x03", ""),
        (b"\x03\xe8", "1000"),
        (b"\x03\xf1too\nlarge\xff", "1009 too large\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_close_frame_says_why(payload: bytes, words: str) -> None:
    assert close_words(payload) == words
