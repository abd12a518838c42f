"""`GET /ws`: a client's own connection to the app-server, message by message. Owns what passes, and the close.

Nothing is buffered here: while one side does not read, nothing is read from the other. With the filter, a client
receives messages about its own threads and the account only; the app-server notifies every connection of all threads.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, NoReturn

from anyio import to_thread
from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.relay import INVALID_REQUEST, PARSE_ERROR
from codex_server_cli.core.protocol.rpc import Message, MessageType
from codex_server_cli.errors import CodexServerError
from codex_server_cli.gateway.bridge.messages import MessageGate, checked
from codex_server_cli.gateway.bridge.requests import ServerRequests
from codex_server_cli.gateway.bridge.shared_connection import BridgeConnection
from codex_server_cli.gateway.bridge.threads import ClientThreads
from codex_server_cli.gateway.http_answers import answer_of
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.wire import RawConnection, UpstreamGone

MOST_SOCKETS = 128
_LONG = 1024 * 1024
_LONGEST_ID = 1000
_ABNORMAL = 1006
TAKEN_S = 60.0
"""A client that reads nothing for this long is dropped; by then its pings have failed (close code 1011)."""
_LAST_REPLY_S = 5.0
GOING_AWAY, UNSUPPORTED, UPSTREAM_LOST = 1001, 1003, 1014


class Sockets:
    """The WebSockets of one gateway."""

    def __init__(self, gateway: Gateway, shared: BridgeConnection, gate: MessageGate, requests: ServerRequests) -> None:
        self._gateway, self._shared, self._gate, self._requests = gateway, shared, gate, requests
        self._open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Serve one client, from its upgrade to its close."""
        try:
            raw = await self._connect()
        except (ApiError, UpstreamGone) as error:
            with suppress(OSError):  # it has disconnected
                await socket.send_denial_response(answer_of(error))
            return
        client = _Client(socket, raw, self._gate)
        try:
            await socket.accept()
            await client.run(self._gateway.stopping)
        except (WebSocketDisconnect, OSError):  # before the upgrade was accepted
            pass
        finally:
            self._open -= 1
            self._gateway.task(self._end(client, raw))

    async def _connect(self) -> RawConnection:
        """Connect to the app-server before the client's upgrade is accepted.

        Raises:
            ApiError, UpstreamGone: no connection is available.
        """
        if self._open >= MOST_SOCKETS:
            message = f"this gateway has {MOST_SOCKETS} WebSockets open, as many as it may"
            again = (("Retry-After", "5"),)
            raise ApiError(429, message, type="rate_limit_error", code="gateway_busy", headers=again)
        self._open += 1
        try:
            return await self._gateway.app_server.connect_raw()
        except BaseException:
            self._open -= 1
            raise

    async def _end(self, client: _Client, raw: RawConnection) -> None:
        """Interrupt the client's running turns, and nothing else."""
        try:
            with suppress(UpstreamGone, TimeoutError):
                async with asyncio.timeout(_LAST_REPLY_S):
                    await client.hear_replies()
            for thread_id, turn_id in client.threads.running():
                if not self._requests.is_attended(turn_id):  # else it has joined another client's turn
                    await self._shared.interrupt(thread_id, turn_id)
        finally:
            await raw.close()


async def refuse_plain(_: Request) -> NoReturn:
    """Refuse a plain HTTP request for this path."""
    again = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
    raise ApiError(426, "this is a WebSocket: ws://…/ws", code="upgrade_required", headers=again)


class _Client:
    """One client and its connection to the app-server.

    Attributes:
        threads: the client's threads.
    """

    def __init__(self, socket: WebSocket, raw: RawConnection, gate: MessageGate) -> None:
        self.threads = ClientThreads()
        self._socket, self._raw, self._gate = socket, raw, gate

    async def run(self, stopping: asyncio.Event) -> None:
        """Forward messages until one side ends; the close code tells the client why."""
        tasks = [asyncio.ensure_future(each) for each in (self._up(), self._down(), _gone_away(stopping))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            code, reason = next(task.result() for task in tasks if task in done)
        except (WebSocketDisconnect, TimeoutError):  # it has disconnected; or it reads nothing, not even the close code
            return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(RuntimeError, TimeoutError, WebSocketDisconnect):  # it may have disconnected meanwhile
            async with asyncio.timeout(_LAST_REPLY_S):
                await self._socket.close(code, reason)

    async def _up(self) -> tuple[int, str]:
        """From the client to the app-server."""
        try:
            while True:
                received = await self._socket.receive()
                if received["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(received["code"])
                text = received.get("text")
                if text is None:
                    return UNSUPPORTED, "a message is JSON in a text frame"
                await self._take(text)
        except UpstreamGone as error:
            return UPSTREAM_LOST, _short(error.reason)

    async def _take(self, text: str) -> None:
        data = text.encode()
        message = rpc.parse_line(data)
        if message is None:
            await self._refuse(None, PARSE_ERROR, "this is no JSON object: a message is one")
            return
        try:
            if len(text) < _LONG:
                checked(message)
            else:
                await to_thread.run_sync(checked, message)  # off the event loop
            _check_id(message)
            let_through = await self._gate.let_through(message)
        except (ApiError, CodexServerError) as error:
            is_request = "method" in message
            await self._refuse(message.get("id") if is_request else None, INVALID_REQUEST, error.message)
            return
        self.threads.note_sent(let_through)
        await self._raw.send(data if let_through is message else json.dumps(let_through, ensure_ascii=False))

    async def _down(self) -> tuple[int, str]:
        """From the app-server to the client."""
        try:
            while True:
                data = await self._raw.receive_bytes()
                message = rpc.parse_line(data)
                if message is None:
                    continue
                told = self.threads.told(message, data)
                for each in [data] if self._gate.is_open else told:
                    await self._send(each.decode("utf-8", "replace"))
                if not told and not self._gate.is_open and rpc.message_type(message) is MessageType.REQUEST:
                    await self._raw.send(rpc.encode(rpc.refusal(message, "no client attends this")).decode())
        except UpstreamGone as error:
            return UPSTREAM_LOST, _short(error.reason)

    async def hear_replies(self) -> None:
        """After the client has disconnected: wait for the replies that name the turns it has started.

        Raises:
            UpstreamGone: the connection has ended.
        """
        while self.threads.has_unanswered:
            message = rpc.parse_line(await self._raw.receive_bytes())
            if message is not None:
                self.threads.note_received(message)

    async def _refuse(self, request_id: Any, code: int, words: str) -> None:
        answer: Message = {"id": request_id, "error": {"code": code, "message": words}}
        await self._send(json.dumps(answer))

    async def _send(self, text: str) -> None:
        """Send a message to the client.

        Raises:
            TimeoutError: the client does not read.
            WebSocketDisconnect: it has disconnected, or uvicorn closed it after a missed pong or an invalid frame.
        """
        try:
            async with asyncio.timeout(TAKEN_S):
                await self._socket.send_text(text)
        except RuntimeError as error:
            raise WebSocketDisconnect(_ABNORMAL) from error


async def _gone_away(stopping: asyncio.Event) -> tuple[int, str]:
    await stopping.wait()
    return GOING_AWAY, "this gateway is being stopped"


def _check_id(message: Message) -> None:
    """Refuse an id that the app-server cannot read: it would drop the message without a reply.

    Raises:
        ApiError: it cannot be read.
    """
    request_id = message.get("id")
    is_number = isinstance(request_id, int) and not isinstance(request_id, bool) and -(2**63) <= request_id < 2**63
    is_text = isinstance(request_id, str) and len(request_id) <= _LONGEST_ID
    if "id" in message and not is_number and not is_text:
        what = f"an `id` is a text of at most {_LONGEST_ID} characters, or an integer of 64 bits"
        raise ApiError(400, what, code="invalid_message")


def _short(reason: str) -> str:
    """Truncate a reason to what fits into a close frame."""
    return reason.encode()[:120].decode(errors="ignore")
