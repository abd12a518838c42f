"""A connection that has been upgraded to WebSocket, as a `Link`: JSON lines on our side, frames on the other.

Owns the socket, unsent bytes, pings and the closing handshake; must never know what a line means. Never blocks, except
in `end`.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from _socket import SHUT_RDWR  # the module around it takes 1 ms
from typing import Protocol

from codex_server_cli.core.protocol.websocket import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameDecoder,
    Received,
    WebSocketError,
    close_words,
    frame,
    message_frames,
)

GRACE_S = 0.5
"""For the closing handshake; an app-server answers it within a few milliseconds."""
PING_AFTER_S = 20.0
"""Of silence."""
PONG_WITHIN_S = 20.0
CLOSED = "the connection was closed"
LOST = "the connection was lost"
_READ_BYTES = 256 * 1024
_MOST_UNSENT_FOR_PONGS = 1024 * 1024
_NORMAL_CLOSURE = (1000).to_bytes(2, "big")


class Wire(Protocol):
    """The part of a non-blocking socket that we need; a plain socket satisfies it."""

    def fileno(self) -> int:
        """Its descriptor."""

    def recv(self, bufsize: int, /) -> bytes:
        """As of a socket, but returns all that is available without the descriptor becoming readable again."""

    def send(self, data: bytearray, /) -> int:
        """As of a socket."""

    def shutdown(self, how: int, /) -> None:
        """As of a socket."""

    def close(self) -> None:
        """As of a socket."""


class WebSocketLink:
    """An upgraded connection. Reading never waits for writing: unsent bytes are queued.

    Attributes:
        pid: None: the server is not ours to end.
    """

    pid: int | None = None

    def __init__(self, wire: Wire, rest: bytes = b"", *, has_pings: bool) -> None:
        """Take over a non-blocking socket.

        Args:
            rest: the bytes received after the response to the upgrade.
            has_pings: send pings after silence: the kernel does not report a dead TCP peer, as it does a unix one.
        """
        self._wire = wire
        self._decoder = FrameDecoder()
        self._unsent = bytearray()
        self._how: str | None = None  # how it ended
        self._is_open = True
        self._is_closing = False
        self._is_deaf = False  # further input is ignored
        self._has_pings = has_pings
        self._alive_s = time.monotonic()
        self._pinged_s: float | None = None
        self._early = self._lines_of(rest)  # empty in practice: an app-server does not send first

    def fds(self) -> tuple[int, ...]:
        """See `Link`."""
        return (self._wire.fileno(),) if self._is_open else ()

    def write_fd(self) -> int | None:
        """See `Link`."""
        return self._wire.fileno() if self._unsent and self._is_open else None

    def read(self, fd: int) -> bytes | None:
        """See `Link`: each text message becomes a line."""
        early, self._early = self._early, b""
        try:
            data = b"" if self._is_deaf else self._wire.recv(_READ_BYTES)
        except BlockingIOError:  # nothing more just now
            return early
        except OSError:  # reset, by a server that was killed
            data = b""
        if not data:
            self._end_as(LOST)
            return early or None
        self._alive_s, self._pinged_s = time.monotonic(), None
        return early + self._lines_of(data)

    def send(self, data: bytes) -> None:
        """See `Link`: each line becomes a text message.

        Raises:
            BrokenPipeError: the connection was lost.
        """
        was_waiting, lines = bool(self._unsent), [line for line in data.split(b"\n") if line]
        if self._how is None:
            for line in lines:
                self._unsent += message_frames(line, os.urandom)
            if self._flush() and was_waiting:
                self._alive_s = time.monotonic()  # a peer that accepts queued bytes is alive, though busy
        if self._how not in (None, CLOSED) and (lines or was_waiting):
            raise BrokenPipeError(self._how)

    def tick(self) -> float | None:
        """See `Link`."""
        if not self._has_pings or self._how is not None:
            return None
        now_s = time.monotonic()
        if self._pinged_s is None:
            rest_s = self._alive_s + PING_AFTER_S - now_s
            if rest_s > 0:
                return rest_s
            self._pinged_s = now_s
            self._control(PING, b"")
        since_s = max(self._pinged_s, self._alive_s)
        if now_s >= since_s + PONG_WITHIN_S and not _is_ready(self._wire, select.POLLIN, 0):
            self._end_as(f"{LOST}: no answer to a ping for {PONG_WITHIN_S:g} s")
        return max(0.0, since_s + PONG_WITHIN_S - now_s)

    def end(self, first_grace_s: float = GRACE_S) -> str:
        """See `Link`. Sends unsent bytes first, within the time."""
        if self._how is None:
            until_s = time.monotonic() + first_grace_s
            self._control(CLOSE, _NORMAL_CLOSURE)
            self._is_closing = True
            while self._is_open and self._how is None and (rest_s := until_s - time.monotonic()) > 0:
                _is_ready(self._wire, select.POLLIN | (select.POLLOUT if self._unsent else 0), rest_s)
                self._flush()
                self.read(self._wire.fileno())  # until its answer: unread bytes would cause a reset
            self._how = CLOSED
            self._shut()
        return self._how

    def stderr_tail(self) -> str:
        """See `Link`: not available here."""
        return ""

    def close(self) -> None:
        """See `Link`."""
        self._is_open = False
        self._wire.close()

    def _lines_of(self, data: bytes) -> bytes:
        try:
            received = self._decoder.feed(data)
        except WebSocketError as error:
            self._is_deaf = True
            self._end_as(f"{LOST}: the app-server {error}")
            return b""
        lines = []
        for each in received:
            if each.opcode == TEXT:
                lines += [each.payload.replace(b"\n", b" "), b"\n"]
            else:
                self._hear(each)
        return b"".join(lines)

    def _hear(self, received: Received) -> None:
        """Handle a control frame; a binary message is ignored."""
        if received.opcode == PING and len(self._unsent) < _MOST_UNSENT_FOR_PONGS:
            self._control(PONG, received.payload)
        elif received.opcode == CLOSE:
            words = close_words(received.payload)
            if not self._is_closing:
                self._control(CLOSE, received.payload[:2])
            self._is_deaf = True
            self._end_as(f"the app-server closed the connection{f' ({words})' if words else ''}")

    def _control(self, opcode: int, payload: bytes) -> None:
        self._unsent += frame(opcode, payload, os.urandom(4))
        self._flush()

    def _flush(self) -> bool:
        """Write what fits; return whether any bytes were sent. The next read reports that the peer is gone."""
        has_sent = False
        while self._unsent and self._is_open:
            try:
                sent = self._wire.send(self._unsent)
            except BlockingIOError:
                break
            except OSError:
                self._end_as(LOST)
                break
            has_sent = True
            del self._unsent[:sent]
        return has_sent

    def _end_as(self, how: str) -> None:
        """Record how it ended, at the first call, and make the descriptor readable: the next `read` returns None."""
        if self._how is None:
            self._how = how
            self._unsent.clear()
            self._shut()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):  # it is gone already
            self._wire.shutdown(SHUT_RDWR)


def _is_ready(wire: Wire, events: int, timeout_s: float) -> bool:
    poll = select.poll()  # `select.select` fails for a descriptor above 1023
    poll.register(wire.fileno(), events)
    return bool(poll.poll(timeout_s * 1000))
