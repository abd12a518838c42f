"""`POST /rpc`: one JSON-RPC message in, its reply out. Owns how each of the four kinds of message is handled."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message, MessageType
from codex_server_cli.gateway.bridge.messages import TURN_STARTERS, MessageGate, client_of, read_message
from codex_server_cli.gateway.bridge.requests import ServerRequests
from codex_server_cli.gateway.bridge.shared_connection import BridgeConnection
from codex_server_cli.gateway.errors import client_gone
from codex_server_cli.gateway.http_answers import json_answer, shielded, until_gone
from codex_server_cli.gateway.state import Gateway

_HANDSHAKE_S = 10.0


class Rpc:
    """The `/rpc` calls of one gateway."""

    def __init__(self, gateway: Gateway, shared: BridgeConnection, gate: MessageGate, requests: ServerRequests) -> None:
        self._gateway, self._shared, self._gate, self._requests = gateway, shared, gate, requests

    async def post(self, request: Request) -> Response:
        """Respond to a request with its reply, to any other message with 204."""
        client, message = client_of(request), await read_message(request)
        reply = await self.answer(request, message, client)
        return Response(status_code=204) if reply is None else json_answer({"id": message["id"], **reply})

    async def answer(self, request: Request, message: Message, client: str) -> dict[str, Any] | None:
        """The reply to a message, without its id; None if it has none.

        Raises:
            ApiError: it is refused, or the client has disconnected.
            UpstreamGone: the app-server does not answer.
        """
        message = await self._gate.let_through(message)
        kind = rpc.message_type(message)
        if kind is MessageType.RESPONSE:
            if await self._requests.answer(message):
                return None
            words = "no request of the app-server with this id waits for an answer"
            raise ApiError(404, words, type="not_found", code="no_such_request")
        if kind is MessageType.NOTIFICATION:
            if message["method"] == "initialized":  # the gateway has sent it already
                return None
            words = f"the app-server knows no notification `{message['method']}`; a request has an `id`"
            raise ApiError(400, words, code="invalid_message")
        if message["method"] == "initialize":
            return await self._initialize(message)
        return await self._call(request, message, client)

    async def _call(self, request: Request, message: Message, client: str) -> dict[str, Any]:
        calling = self._gateway.awaited_task(self._shared.call(message, client))
        reply = await until_gone(request, shielded(calling))
        if reply is None:
            if message["method"] in TURN_STARTERS:
                self._gateway.task(self._take_back(message, calling))
            raise client_gone()
        return reply

    async def _take_back(self, message: Message, calling: asyncio.Task[dict[str, Any]]) -> None:
        """Interrupt the turn if its client disconnected before it got the reply."""
        reply = await calling
        turn_id, thread_id = rpc.at(reply, "result.turn.id", str), rpc.at(message, "params.threadId", str)
        if turn_id is not None and thread_id is not None and not self._requests.is_attended(turn_id):
            await self._shared.interrupt(thread_id, turn_id)

    async def _initialize(self, message: Message) -> dict[str, Any]:
        """A client's handshake: on a new connection, since the shared one is initialised already.

        Raises:
            UpstreamGone: the app-server does not answer.
        """
        raw = await self._gateway.app_server.connect_raw()
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                await raw.send(rpc.encode({**message, "id": 1}))
                while True:
                    reply = rpc.parse_line(await raw.receive_bytes())
                    if reply is not None and rpc.message_type(reply) is MessageType.RESPONSE:
                        return {name: reply[name] for name in ("result", "error") if name in reply}
        except TimeoutError as error:
            raise ApiError(504, "the app-server does not answer", type="server_error", code="timeout") from error
        finally:
            await raw.close()
