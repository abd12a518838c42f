"""A connection to an app-server over asyncio: text messages in and out. Owns the socket.

The caller drives the reads, so a slow client puts back-pressure on the app-server, and costs no memory here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable

from anyio import to_thread

from codex_server_cli.core.protocol.websocket import (
    CLOSE,
    PING,
    PONG,
    SAMPLE_ACCEPT,
    SAMPLE_KEY,
    TEXT,
    FrameDecoder,
    Received,
    WebSocketError,
    close_words,
    frame,
    message_frames,
    read_head,
    upgrade_request,
)
from codex_server_cli.gateway.upstream.weight import LONG

_READ_BYTES = 256 * 1024
_CLOSE_S = 0.5
_NORMAL_CLOSURE = (1000).to_bytes(2, "big")
LOST = "the connection to the app-server was lost"


class UpstreamGone(Exception):
    """The connection was lost, or the app-server is dead or cannot be started.

    Attributes:
        reason: for people.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RawConnection:
    """A connection after the WebSocket upgrade, on which nothing has been sent.

    Attributes:
        is_open: whether it is neither closed nor lost.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_close: Callable[[], None]
    ) -> None:
        """See `open`."""
        self._reader, self._writer, self._on_close = reader, writer, on_close
        self._decoder = FrameDecoder()
        self._received: deque[bytes] = deque()
        self._reason: str | None = None

    @classmethod
    async def open(cls, sock: socket.socket, on_close: Callable[[], None], timeout_s: float) -> RawConnection:
        """Upgrade a socket that is connected to an app-server, and own it from now on, even if this fails.

        Args:
            on_close: is called when it is closed; may be called again.

        Raises:
            UpstreamGone: the upgrade fails or times out.
        """
        try:
            reader, writer = await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            on_close()
            raise
        connection = cls(reader, writer, on_close)
        try:
            async with asyncio.timeout(timeout_s):
                await connection._upgrade()
        except BaseException as error:
            connection.abort()
            if isinstance(error, TimeoutError):
                raise UpstreamGone(f"the app-server does not answer within {timeout_s:g} s") from error
            raise
        return connection

    async def _upgrade(self) -> None:
        data = b""
        try:
            self._writer.write(upgrade_request("localhost", "/", SAMPLE_KEY))
            while (answer := read_head(data)) is None:
                more = await self._reader.read(_READ_BYTES)
                if not more:
                    raise UpstreamGone(LOST)
                data += more
        except OSError as error:
            raise UpstreamGone(LOST) from error
        except WebSocketError as error:
            raise UpstreamGone(f"what listens in place of the app-server {error}") from error
        head, rest = answer
        if not head.is_upgrade(SAMPLE_ACCEPT):
            raise UpstreamGone(f"the app-server refuses the connection (HTTP {head.status})")
        self._take(rest)

    @property
    def is_open(self) -> bool:
        """See the class."""
        return self._reason is None

    async def send(self, text: str | bytes) -> None:
        """Send one message; waits while the app-server is slow to read.

        Raises:
            UpstreamGone: the connection was lost.
        """
        if self._reason is not None:
            raise UpstreamGone(self._reason)
        data = text.encode() if isinstance(text, str) else text
        if len(data) > LONG:  # off the event loop
            frames = await to_thread.run_sync(message_frames, data, os.urandom)
            if self._reason is not None:
                raise UpstreamGone(self._reason)
        else:
            frames = message_frames(data, os.urandom)
        self._writer.write(frames)
        try:
            await self._writer.drain()
        except OSError as error:
            self._end(LOST)
            raise UpstreamGone(LOST) from error

    async def receive_bytes(self) -> bytes:
        """The next message, unparsed; cancellation loses nothing.

        Raises:
            UpstreamGone: the connection has ended.
        """
        while not self._received:
            if self._reason is not None:
                raise UpstreamGone(self._reason)
            try:
                data = await self._reader.read(_READ_BYTES)
            except OSError:  # reset, because the server was killed
                data = b""
            if data:
                self._take(data)
            else:
                self._end(LOST)
        return self._received.popleft()

    async def close(self) -> None:
        """Close it. Idempotent."""
        if self._reason is None:
            self._writer.write(frame(CLOSE, _NORMAL_CLOSURE, os.urandom(4)))
        self._end("the connection was closed")
        self._writer.close()
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._writer.wait_closed()
        finally:
            self.abort()

    def abort(self) -> None:
        """Close it at once. Idempotent."""
        self._end(LOST)
        self._writer.transport.abort()
        self._on_close()

    def _take(self, data: bytes) -> None:
        try:
            received = self._decoder.feed(data)
        except WebSocketError as error:
            self._end(f"{LOST}: it {error}")
            return
        for each in received:
            if each.opcode == TEXT:
                self._received.append(each.payload)
            else:
                self._hear(each)

    def _hear(self, received: Received) -> None:
        """Handle a control frame; binary messages are ignored."""
        if received.opcode == PING:
            self._writer.write(frame(PONG, received.payload, os.urandom(4)))
        elif received.opcode == CLOSE:
            words = close_words(received.payload)
            self._end(f"the app-server closed the connection{f' ({words})' if words else ''}")

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
