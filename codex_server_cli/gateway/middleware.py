"""What surrounds every request: its id, the guard, its log line, its metrics, its errors.

Plain ASGI around the application: it must see streams as they are sent, and WebSockets.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.bodies import BodyRoom, skip_body
from codex_server_cli.gateway.errors import CLIENT_GONE, client_gone, stopping
from codex_server_cli.gateway.guard import OPEN_PATHS, Guard, cors_headers, methods_of, preflight_headers
from codex_server_cli.gateway.http_answers import DEFECT, answer_of, error_answer, refusal_of
from codex_server_cli.gateway.page.sessions import sessions_of
from codex_server_cli.gateway.state import Gateway

_MOST_SHOWN = 200
_INDEX = "GET / lists what there is"
_SLASHES = re.compile(r"/{2,}")
_AUTHORITY = re.compile(r"https?://[^/]*", re.IGNORECASE)
_UNSHARED = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})


class RequestMiddleware:
    """The outermost ASGI application."""

    def __init__(self, gateway: Gateway, app: Starlette, log: AccessLog) -> None:
        self._gateway, self._app, self._log = gateway, app, log
        self._guard = Guard(gateway.options, gateway.shared(sessions_of))
        self._body_room = BodyRoom()
        self._routes = [route for route in app.routes if isinstance(route, Route | WebSocketRoute)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one WebSocket."""
        tracked = _TrackedRequest(scope, send, self._guard)
        scope["body_room"] = self._body_room
        try:
            await self._pass(tracked, receive)
        except ClientDisconnect:
            tracked.error = "client_gone"
            if tracked.status is None and scope["type"] == "http":
                await tracked.refuse(answer_of(client_gone()), receive)  # it may only have closed its sending side
        except asyncio.CancelledError:
            tracked.error = "gateway_stopping"
            if tracked.status is not None or scope["type"] != "http":
                raise
            await tracked.refuse(answer_of(stopping()), receive)  # instead of the server's own 500
        except Exception as error:
            scope["failure"] = error
            if tracked.status is None:
                await tracked.refuse(answer_of(error), receive)
        finally:
            self._body_room.release(scope)
            self._tell(tracked)

    async def _pass(self, tracked: _TrackedRequest, receive: Receive) -> None:
        scope = tracked.scope
        _normalise(scope)
        try:
            self._guard.check(scope)
            self._check_stopping(scope["path"])
        except ApiError as error:
            tracked.error, answer = error.code, answer_of(error)
            if scope["type"] == "http" and answer.headers.get("connection") == "close":
                await skip_body(receive)
            await tracked.refuse(answer, receive)
            return
        if scope.get("method") == "OPTIONS":
            methods = methods_of(self._routes, scope["path"])
            granted = Response(status_code=204, headers=preflight_headers(Headers(scope=scope), methods))
            await granted(scope, receive, tracked.send)
        else:
            await self._app(scope, receive, tracked.send)

    def _check_stopping(self, path: str) -> None:
        if self._gateway.is_stopping and path not in OPEN_PATHS:
            raise stopping()

    def _tell(self, tracked: _TrackedRequest) -> None:
        scope, seconds = tracked.scope, time.monotonic() - tracked.began
        failure = scope.get("failure")
        if failure is not None:
            tracked.error = refusal_of(failure)[0].code
            if tracked.error == DEFECT:
                self._log.defect(failure, id=tracked.request_id)
        method = scope.get("method", "WEBSOCKET")
        route = self._route_of(scope)
        status = str(tracked.status or CLIENT_GONE)
        self._gateway.metrics.requests.labels(route, method if method in _METHODS else "other", status).inc()
        self._gateway.metrics.seconds.labels(route).observe(seconds)
        client = scope.get("client")
        facts = {
            "id": tracked.request_id,
            "method": method,
            "path": scope["path"],
            "status": int(status),
            "ms": round(seconds * 1000, 1),
            "bytes": tracked.sent_bytes,
            "client": client[0] if client else None,
            "error": tracked.error,
        }
        self._log.say("request", **{**scope["log"], **facts})  # a face adds facts, but overrides none

    def _route_of(self, scope: Scope) -> str:
        """The declared path of the route that has answered; one endpoint may serve several."""
        found = (
            route.path
            for route in self._routes
            if route.endpoint is scope.get("endpoint") and route.path_regex.match(scope["path"])
        )
        return next(found, "none")


class _TrackedRequest:
    """One request and its response.

    Attributes:
        request_id: assigned by us.
        status: None until the response starts.
        sent_bytes: of the body.
        error: a word for the log.
    """

    def __init__(self, scope: Scope, send: Send, guard: Guard) -> None:
        self.scope, self._send = scope, send
        self.began = time.monotonic()
        self.request_id = f"req_{os.urandom(12).hex()}"
        self.status: int | None = None
        self.sent_bytes = 0
        self.error: str | None = None
        scope["request_id"] = self.request_id
        scope["log"] = {}
        origin = Headers(scope=scope).get("origin")
        # A turn's text must never be run as a script, nor be loaded by a page of another site.
        self._headers = {"x-request-id": self.request_id, **_UNSHARED}
        self._depends_on_origin = origin is not None and guard.is_allowed(origin)
        if origin is not None and self._depends_on_origin:
            self._headers |= cors_headers(origin)

    async def send(self, message: Message) -> None:
        """Send a message to the client."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")  # it is for one user, and changes
            if self._depends_on_origin:
                headers.add_vary_header("Origin")
        elif kind == "websocket.accept":
            self.status = 101
            MutableHeaders(scope=message)["x-request-id"] = self.request_id
        elif kind == "websocket.close" and self.status is None:
            if "endpoint" not in self.scope:  # there is no such route
                words = f"there is no WebSocket {self.scope['path'][:_MOST_SHOWN]} here"
                await self._refuse_socket(error_answer(404, words, type="not_found", code="unknown_url", hint=_INDEX))
                return
            self.status = 403
        elif kind == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, answer: Response, receive: Receive) -> None:
        """Answer instead of the application."""
        if self.scope["type"] == "http":
            await answer(self.scope, receive, self.send)
        else:
            await self._refuse_socket(answer)

    async def _refuse_socket(self, answer: Response) -> None:
        head: dict[str, Any] = {"status": answer.status_code, "headers": answer.raw_headers}
        await self.send({"type": "websocket.http.response.start", **head})
        await self.send({"type": "websocket.http.response.body", "body": bytes(answer.body)})


def _normalise(scope: Scope) -> None:
    """`//v1/models/` becomes `/v1/models`: clients' base URLs often have a slash too many or too few. So does
    `http://localhost/v1/models`, which a client sends that uses the gateway as its proxy (RFC 9112, 3.2.2)."""
    authority = _AUTHORITY.match(scope["path"])
    path = _SLASHES.sub("/", scope["path"][authority.end() if authority else 0 :])
    scope["path"] = path.rstrip("/") or "/"
