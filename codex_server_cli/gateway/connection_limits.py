"""Limits on connections: how many there are, how long one may be silent, how much memory its messages take.

Owns the limits that uvicorn does not have.

An idle connection is closed after a timeout, and so is one whose request head arrives too slowly; at the maximum, the
connection that has been idle for longest is closed for a new one. A connection whose peer reads nothing is aborted.
Unread WebSocket messages are limited for all connections together, as bodies are (`bodies`).
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import h11
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from codex_server_cli.gateway.http_answers import error_document

HEAD_S = 20.0
"""From the first byte of a request, or from accepting the connection, to the end of the request head."""
IDLE_S = 75.0
"""Between two requests; uvicorn enforces this one."""
STUCK_S = 60.0
"""How long a peer may read nothing of what is written to it."""
_SWEEP_S = 1.0
MOST_MESSAGE_BYTES = 16 * 1024 * 1024
"""Of one WebSocket message: pictures in a turn are the largest."""
MOST_UNREAD_BYTES = 256 * 1024 * 1024
"""Of the messages of all WebSockets, from their first byte until the next message is asked for."""
_TRY_AGAIN_LATER = 1013


class ConnectionLimits:
    """All connections of one gateway.

    Attributes:
        all: HTTP and WebSocket.
        unread_bytes: received from WebSockets and not processed yet.
    """

    def __init__(self, most: int) -> None:
        self.unread_bytes = 0
        self._most = most
        self.all: set[Any] = set()
        self._idle: dict[LimitedProtocol, None] = {}  # longest idle first
        self._stuck: dict[Any, tuple[int, float]] = {}

    def has_room(self) -> bool:
        """Whether one more connection may come in; at the maximum, the one that has been idle for longest is closed for
        it."""
        if len(self.all) < self._most:
            return True
        if not self._idle:
            return False
        oldest = next(iter(self._idle))
        self.leave(oldest)
        oldest.transport.abort()
        return True

    def rest(self, connection: LimitedProtocol) -> None:
        """Mark a connection as idle."""
        self._idle.pop(connection, None)
        self._idle[connection] = None

    def leave(self, connection: LimitedProtocol) -> None:
        """Mark a connection as no longer idle."""
        self._idle.pop(connection, None)

    async def sweep(self) -> None:
        """Close idle and stuck connections for as long as this runs."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            for each in tuple(self.all):
                if (isinstance(each, LimitedProtocol) and each.is_late(now)) or self._is_stuck(each, now):
                    each.transport.abort()
            self._stuck = {each: found for each, found in self._stuck.items() if each in self.all}

    def _is_stuck(self, each: Any, now: float) -> bool:
        size = each.transport.get_write_buffer_size()
        before, since = self._stuck.get(each, (0, now))
        if size == 0 or size != before:
            self._stuck[each] = size, now
            return False
        return bool(now - since > STUCK_S)


class LimitedConfig(uvicorn.Config):
    """uvicorn's configuration, with the connection limits.

    Attributes:
        limits: see the class.
    """

    limits: ConnectionLimits


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol, which also records since when it waits for a request head.

    Attributes:
        awaits_since: None while a request is answered, and between two requests.
    """

    awaits_since: float | None = None
    _is_half = False  # the client has closed its sending side, and may still read
    _has_begun = False  # part of a request has arrived

    @property
    def is_at_work(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _limits(self) -> ConnectionLimits:
        assert isinstance(self.config, LimitedConfig)
        return self.config.limits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        self._limits.all = self.connections
        self._application, self.app = self.app, self._until_half
        has_room = self._limits.has_room()
        super().connection_made(transport)
        self._limits.rest(self)
        self.awaits_since = time.monotonic()
        if not has_room:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._limits.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if not (self.is_at_work or self._has_begun):
            self._has_begun = True
            self.awaits_since = time.monotonic()
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """See `asyncio.Protocol`. A client that half-closes may still want its response, or may have left: both look
        the same. So requests that wait long, or stream, are told of a disconnect."""
        if not self.is_at_work or self.cycle.more_body:
            return False
        self._is_half = True
        self.cycle.message_event.set()
        return True

    async def _until_half(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_whole = False

        async def receive_until_half() -> Message:
            nonlocal is_whole
            message: Message = {"type": "http.disconnect"}
            if not (is_whole and self._is_half):
                got = await receive()
                message = message if is_whole and self._is_half else got
            is_whole = not message.get("more_body")
            return message

        await self._application(scope, receive_until_half, send)

    def handle_events(self) -> None:
        """See `H11Protocol`."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and self.is_at_work:
            self.awaits_since = None
            self._limits.leave(self)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """See `H11Protocol`: from now on another protocol serves the connection."""
        self._limits.leave(self)
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """See `H11Protocol`."""
        self._has_begun = False
        self._limits.rest(self)
        super().on_response_complete()
        if self._is_half and not self.is_at_work:  # no further request can come
            self.transport.close()

    def is_late(self, now: float) -> bool:
        """Whether the request head is overdue."""
        return self.awaits_since is not None and now - self.awaits_since > HEAD_S

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP in the same form as every other error."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # the request has been answered already
            self.transport.close()
            return
        error = error_document("this is no HTTP request", type="invalid_request_error", code="invalid_http")
        body = json.dumps(error).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which also counts the bytes it has received."""

    _unread_bytes = 0
    _has_failed = False

    @property
    def _limits(self) -> ConnectionLimits:
        assert isinstance(self.config, LimitedConfig)
        return self.config.limits

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._has_failed:
            return
        self._unread_bytes += len(data)
        self._limits.unread_bytes += len(data)
        if self._limits.unread_bytes <= MOST_UNREAD_BYTES or self.transport.is_closing():
            super().data_received(data)
            return
        self.conn.fail(_TRY_AGAIN_LATER, "too many large messages at once")
        self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Send the close frame, then discard input until the client closes, or for `close_timeout` at most.

        If the socket were closed with unread input, the kernel would reset it, and the client would lose the frame.
        """
        self._forget()
        close = self.conn.close_sent
        if close is not None:  # else it fails before the end of the handshake, and has no application yet
            self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.close_sent = self._has_failed = True
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._forget()
        super().connection_lost(exc)

    async def receive(self) -> Any:
        """The next event. Asking for it means that the messages before it are processed."""
        if self.queue.empty():
            self._forget()
        return await super().receive()

    def handle_ping(self) -> None:
        """See `WebSocketsSansIOProtocol`."""
        self._forget_control()
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """See `WebSocketsSansIOProtocol`."""
        self._forget_control()
        super().handle_pong(event)

    def _forget_control(self) -> None:
        """A control frame was processed: unless a fragmented message is incomplete, nothing else is buffered."""
        if not self.frames:
            self._forget()

    def _forget(self) -> None:
        self._limits.unread_bytes -= self._unread_bytes
        self._unread_bytes = 0
