"""The connections: how many there may be, how long one may be silent, and what its messages take.

Owns what uvicorn leaves open.

A connection that asks nothing is closed after a while, one whose request comes too slowly, too; where there are too
many, the one that has been idle for longest makes room. One that takes nothing of what is written to it is cut. What
WebSockets send is bounded for all of them together, as bodies are (`bodies`).
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
"""From the first byte of a request, or from the connection's beginning, to the end of its head."""
IDLE_S = 75.0
"""Between two requests; it is uvicorn that looks after this one."""
STUCK_S = 60.0
"""In which nothing of what is written is taken."""
_SWEEP_S = 1.0
MOST_MESSAGE_BYTES = 16 * 1024 * 1024
"""Of one message of a WebSocket: pictures in a turn are the largest."""
MOST_UNREAD_BYTES = 256 * 1024 * 1024
"""Of the messages of all WebSockets, from their first bytes until the next one is asked for."""
_TRY_AGAIN_LATER = 1013


class ConnectionLimits:
    """All connections of one gateway.

    Attributes:
        all: of either protocol.
        unread_bytes: what the WebSockets among them have sent, and nobody is done with.
    """

    def __init__(self, most: int) -> None:
        self.unread_bytes = 0
        self._most = most
        self.all: set[Any] = set()
        self._idle: dict[LimitedProtocol, None] = {}  # that for longest first
        self._stuck: dict[Any, tuple[int, float]] = {}

    def has_room(self) -> bool:
        """Whether one more may come in: where there are as many as may be, the one that has been idle for longest is
        closed for it."""
        if len(self.all) < self._most:
            return True
        if not self._idle:
            return False
        oldest = next(iter(self._idle))
        self.leave(oldest)
        oldest.transport.abort()
        return True

    def rest(self, connection: LimitedProtocol) -> None:
        """From now on it is idle."""
        self._idle.pop(connection, None)
        self._idle[connection] = None

    def leave(self, connection: LimitedProtocol) -> None:
        """It is idle no more."""
        self._idle.pop(connection, None)

    async def sweep(self) -> None:
        """Close what is silent or stuck, for as long as this runs."""
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
    """uvicorn's, with the limits of its connections.

    Attributes:
        limits: see the class.
    """

    limits: ConnectionLimits


class LimitedProtocol(H11Protocol):
    """uvicorn's, which tells since when it waits for the head of a request.

    Attributes:
        awaits_since: None while a request is answered, and between two.
    """

    awaits_since: float | None = None
    _is_half = False  # the client has closed its sending side, and may read its answer
    _has_begun = False  # some of a request has come

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
        """See `asyncio.Protocol`. A client that sends no more may still want its answer; but it may have left as well,
        which looks the same, so that what waits for long, or streams, hears of a disconnect."""
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
        """See `H11Protocol`: from now on it is another protocol's."""
        self._limits.leave(self)
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """See `H11Protocol`."""
        self._has_begun = False
        self._limits.rest(self)
        super().on_response_complete()
        if self._is_half and not self.is_at_work:  # nothing comes any more
            self.transport.close()

    def is_late(self, now: float) -> bool:
        """Whether the head that it waits for should have come."""
        return self.awaits_since is not None and now - self.awaits_since > HEAD_S

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered like everything else."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # the request has its answer already
            self.transport.close()
            return
        error = error_document("this is no HTTP request", type="invalid_request_error", code="invalid_http")
        body = json.dumps(error).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's, which counts what it has received."""

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
        self._forget()
        self.conn.fail(_TRY_AGAIN_LATER, "too many large messages at once")
        self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Send the close frame, then discard input until the client closes, or for `close_timeout` at most.

        If the socket were closed with unread input, the kernel would reset it, and the client would lose the frame.
        """
        close = self.conn.close_sent
        assert close is not None
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
        """The next event: what came before it is done with, and nothing was read meanwhile."""
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
        """A control frame was read: outside of a message in several frames nothing else is kept."""
        if not self.frames:
            self._forget()

    def _forget(self) -> None:
        self._limits.unread_bytes -= self._unread_bytes
        self._unread_bytes = 0
