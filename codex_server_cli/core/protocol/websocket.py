"""The client side of RFC 6455, as far as an app-server needs it: upgrade, frames, masks. Owns bytes ↔ messages.

No extension and no subprotocol is offered. The JSON parser checks that text is UTF-8. Pure: the caller passes keys and
masks.

Why no library: on top of a worker's other imports this costs 0.6 ms of CPU and 0.05 MB; `websockets.client` 45 ms and
9 MB, its core without the package around it 30 ms and 6.9 MB, `wsproto` 31 ms and 5.8 MB. A whole turn on a warm server
takes Codex itself 93 ms. A text delta of 200 bytes takes 2 µs here. The tests use `websockets` as their oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from codex_server_cli.core.protocol.jsonl import MAX_LINE_BYTES

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_KNOWN = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
_MOST_IN_ONE_FRAME = 8 * 1024 * 1024
"""A longer message is sent in fragments: an app-server closes the connection at a frame of more than 16 MiB."""
_FRAGMENT_BYTES = 1024 * 1024
_MOST_HEAD_BYTES = 64 * 1024
_MOST_CONTROL_BYTES = 125
_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

SAMPLE_KEY, SAMPLE_ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The pair of the RFC's section 1.3. A new key each time guards against a caching proxy; a unix socket has none, and a
hash would be the only reason to load OpenSSL (4 ms and 3.7 MB)."""


class WebSocketError(ValueError):
    """The peer violates the protocol. The text continues "the other side …" for people."""


class Received(NamedTuple):
    """A whole message, its fragments joined; or a control frame."""

    opcode: int
    payload: bytes


class Head(NamedTuple):
    """The head of an HTTP response; header names are lower-case."""

    status: int
    headers: dict[str, str]

    def is_upgrade(self, accept: str) -> bool:
        """Whether it accepts our upgrade to WebSocket, without any extension.

        Args:
            accept: the expected value for our key, of `accept_of`.
        """
        options = [option.strip().lower() for option in self.headers.get("connection", "").split(",")]
        return (
            self.status == 101
            and "upgrade" in options
            and self.headers.get("upgrade", "").lower() == "websocket"
            and self.headers.get("sec-websocket-accept") == accept
            and not self.headers.keys() & {"sec-websocket-extensions", "sec-websocket-protocol"}
        )


def get_request(host: str, resource: str, headers: dict[str, str]) -> bytes:
    """A GET of HTTP/1.1."""
    lines = [f"GET {resource} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def upgrade_request(host: str, resource: str, key: str, token: str | None = None) -> bytes:
    """The request that opens a connection.

    Args:
        key: 16 random bytes in base64.
        token: sent as a bearer token.
    """
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    return get_request(host, resource, headers | ({} if token is None else {"Authorization": f"Bearer {token}"}))


def accept_of(key: str) -> str:
    """The value that proves that a response is for this key."""
    from base64 import b64encode
    from hashlib import sha1

    return b64encode(sha1(key.encode() + _ACCEPT_SALT, usedforsecurity=False).digest()).decode()


def read_head(data: bytes) -> tuple[Head, bytes] | None:
    """Parse the head of a response.

    Args:
        data: all bytes so far.

    Returns:
        The head, and the bytes after it; None while it is incomplete.

    Raises:
        WebSocketError: it is not HTTP/1.
    """
    start = b"HTTP/1."
    if data[: len(start)] != start[: len(data)]:
        raise WebSocketError("does not speak HTTP")
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        if len(data) > _MOST_HEAD_BYTES:
            raise WebSocketError("sends headers without end")
        return None
    status_line, *lines = head.decode("latin-1").split("\r\n")
    status = status_line.split(" ")[1:2]
    if not status or not (status[0].isascii() and status[0].isdigit() and len(status[0]) == 3):
        raise WebSocketError("does not speak HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return Head(int(status[0]), headers), rest


def message_frames(text: bytes, random: Callable[[int], bytes]) -> bytes:
    """The frames of one text message.

    Args:
        random: returns that many unpredictable bytes, like `os.urandom`.
    """
    if len(text) <= _MOST_IN_ONE_FRAME:
        return frame(TEXT, text, random(4))
    starts = range(0, len(text), _FRAGMENT_BYTES)
    return b"".join(
        frame(
            CONTINUATION if start else TEXT,
            text[start : start + _FRAGMENT_BYTES],
            random(4),
            is_last=start == starts[-1],
        )
        for start in starts
    )


def frame(opcode: int, payload: bytes, mask: bytes, *, is_last: bool = True) -> bytes:
    """One frame, masked as required of a client.

    Args:
        mask: four bytes.
    """
    size = len(payload)
    first = opcode | (0x80 if is_last else 0)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    # As two large numbers: a loop over the bytes would take a second for 8 MiB.
    repeated = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "little") ^ int.from_bytes(repeated, "little")
    return b"".join((head, mask, masked.to_bytes(size, "little")))


def close_words(payload: bytes) -> str:
    """The code and reason of a close frame, for people: `1001 going away`; empty if it has none."""
    if len(payload) < 2:
        return ""
    reason = " ".join(payload[2:].decode("utf-8", "replace").split())
    return f"{int.from_bytes(payload[:2], 'big')} {reason}".rstrip()


class FrameDecoder:
    """Parse a byte stream, however it was chunked, into messages and control frames."""

    def __init__(self, most_bytes: int = MAX_LINE_BYTES) -> None:
        """Begin after the head of the response.

        Args:
            most_bytes: the longest message that is accepted; the same limit as for a line on stdio.
        """
        self._most_bytes = most_bytes
        self._buffer = bytearray()
        self._opcode = CONTINUATION  # of the message that has begun
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Received]:
        """The messages that `data` completes, oldest first.

        Raises:
            WebSocketError: the peer violated the protocol; nothing more can be read.
        """
        self._buffer += data
        received: list[Received] = []
        at = 0
        with memoryview(self._buffer) as view:
            while (bounds := self._bounds(view, at)) is not None:
                start, end = bounds
                self._take(view[at], bytes(view[start:end]), received)
                at = end
        del self._buffer[:at]
        return received

    def _bounds(self, view: memoryview, at: int) -> tuple[int, int] | None:
        """Where the payload of the frame at `at` begins and ends; None while it is incomplete."""
        start = at + 2
        if len(view) < start:
            return None
        size = view[at + 1]
        if size >= 0x80:
            raise WebSocketError("sends masked frames")
        if size >= 126:
            start += 2 if size == 126 else 8
            if len(view) < start:
                return None
            size = int.from_bytes(view[at + 2 : start], "big")
        if size > self._most_bytes:
            raise WebSocketError(f"sends a message of {size} bytes")
        return (start, start + size) if start + size <= len(view) else None

    def _take(self, first: int, payload: bytes, received: list[Received]) -> None:
        opcode = first & 0x0F
        if first & 0x70 or opcode not in _KNOWN:
            raise WebSocketError(f"sends a frame of an unknown kind ({first:#x})")
        is_last = first >= 0x80
        if opcode >= CLOSE:
            if not is_last or len(payload) > _MOST_CONTROL_BYTES:
                raise WebSocketError("sends a control frame that is too long")
            received.append(Received(opcode, payload))
            return
        if (opcode == CONTINUATION) != bool(self._opcode):
            raise WebSocketError("sends the parts of a message in a wrong order")
        self._opcode = self._opcode or opcode
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > self._most_bytes:
            raise WebSocketError("sends a message without end")
        if is_last:
            received.append(Received(self._opcode, b"".join(self._parts)))
            self._opcode, self._parts, self._size = CONTINUATION, [], 0
