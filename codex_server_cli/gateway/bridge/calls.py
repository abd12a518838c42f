"""The named calls of `POST /skills/invoke/NAME`. Owns their names, their input and their documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.gateway.bridge.chat import ChatCall
from codex_server_cli.gateway.bridge.messages import checked, client_of
from codex_server_cli.gateway.bridge.rpc import Rpc
from codex_server_cli.gateway.http_answers import json_answer, read_json
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.wire import UpstreamGone

_CALLER_CODES = range(-32602, -32599)
"""Error codes that are the caller's fault: almost all that the app-server returns."""
STATUS, CHAT, RAW = "codex-status", "codex-chat", "codex-rpc"
FORWARDED = {"codex-thread-start": "thread/start", "codex-thread-list": "thread/list", "codex-models": "model/list"}
"""Calls whose input is the method's parameters, and whose response is its result."""
Call = Callable[[Request, dict[str, Any]], Awaitable[Response]]


class NamedCalls:
    """The named calls of one gateway."""

    def __init__(self, gateway: Gateway, rpc: Rpc) -> None:
        self._rpc = rpc
        self._calls: dict[str, Call] = {
            STATUS: self._status,
            **{name: self._forwarded(method) for name, method in FORWARDED.items()},
            CHAT: ChatCall(gateway).post,
            RAW: self._raw,
        }

    async def post(self, request: Request) -> Response:
        """Run the call that the path names."""
        call = self._calls.get(request.path_params["name"])
        if call is None:
            message = f"there is no such call; there are {', '.join(self._calls)}"
            raise ApiError(404, message, type="not_found", code="unknown_call")
        return await call(request, await _read_input(request))

    async def _status(self, request: Request, _: dict[str, Any]) -> Response:
        """How the app-server is reached, and whether it answers; succeeds even if it does not."""
        try:
            reply = await self._rpc.answer(request, {"id": 1, "method": "account/read", "params": {}}, "")
            probe = {"ok": "result" in (reply or {}), **(reply or {})}
        except UpstreamGone as error:
            probe = {"ok": False, "error": {"message": error.reason}}
        return json_answer({"authMode": "app-server", "appServerTransport": "websocket", "appServerProbe": probe})

    def _forwarded(self, method: str) -> Call:
        async def call(request: Request, given: dict[str, Any]) -> Response:
            return await self._forward(request, {"id": 1, "method": method, "params": given})

        return call

    async def _forward(self, request: Request, message: Message) -> Response:
        """Forward a call; the response is the result only.

        Raises:
            ApiError: the app-server replied with an error.
        """
        reply = await self._rpc.answer(request, checked(message), client_of(request)) or {}
        if "error" in reply:
            error = reply["error"]
            raise ApiError(
                400 if error["code"] in _CALLER_CODES else 502,
                error["message"],
                type="upstream_error",
                code=str(error["code"]),
            )
        return json_answer(reply.get("result"))

    async def _raw(self, request: Request, given: dict[str, Any]) -> Response:
        """Any permitted method: `{"method": …, "params"?: …}`."""
        method = given.get("method")
        if not isinstance(method, str):
            raise ApiError(400, "`input.method` is the name of a method", code="invalid_input", param="input.method")
        params = {"params": given["params"]} if "params" in given else {}
        return await self._forward(request, {"id": 1, "method": method, **params})


async def _read_input(request: Request) -> dict[str, Any]:
    """The input of a call; empty if there is no body, or no input in it.

    Raises:
        ApiError: it is not an object.
    """
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    document = await read_json(request) if has_body else {}
    given = document.get("input") if isinstance(document, dict) else document
    if given is None and isinstance(document, dict):
        return {}
    if not isinstance(given, dict):
        raise ApiError(400, 'the body is {"input": {…}}', code="invalid_input", param="input")
    return given
