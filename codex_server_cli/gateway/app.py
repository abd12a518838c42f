"""The application: the routes of all faces, and how exceptions become responses."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.errors import CodexServerError
from codex_server_cli.gateway import health
from codex_server_cli.gateway.bridge import routes as bridge
from codex_server_cli.gateway.guard import methods_of
from codex_server_cli.gateway.http_answers import answer_of, error_answer
from codex_server_cli.gateway.openai import routes as openai
from codex_server_cli.gateway.openapi import routes as openapi
from codex_server_cli.gateway.page import routes as page
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns import routes as turns
from codex_server_cli.gateway.upstream.connection import UpstreamError
from codex_server_cli.gateway.upstream.feed import FeedOverflow
from codex_server_cli.gateway.upstream.wire import UpstreamGone

_MOST_SHOWN = 200


def make_app(gateway: Gateway) -> Starlette:
    """The application of one gateway, without the guard in front of it."""
    faces = (health, openapi, openai, bridge, turns, page)
    return app_of([route for face in faces for route in face.routes(gateway)])


def app_of(routes: list[BaseRoute]) -> Starlette:
    """An application whose errors all have the same form."""
    # The named ones are expected; any other `Exception` is an internal error, and is raised again behind the handler.
    known = (ApiError, CodexServerError, UpstreamError, UpstreamGone, FeedOverflow, Exception)
    handlers: dict[Any, Any] = dict.fromkeys(known, _answer) | {404: _not_found, 405: _not_allowed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # the middleware has normalised slashes already
    return app


async def _answer(request: Request, error: Exception) -> Response:
    if not isinstance(error, ClientDisconnect):  # not a failure
        request.scope["failure"] = error  # for the log
    return answer_of(error)


async def _not_found(request: Request, error: Exception) -> Response:
    message = f"there is no {request.method} {_shown(request)} here"
    return error_answer(404, message, type="not_found", code="unknown_url", hint="GET / lists what there is")


async def _not_allowed(request: Request, error: Exception) -> Response:
    allowed = ", ".join(sorted(methods_of(request.app.routes, request.url.path)))  # of all routes with this path
    message = f"{_shown(request)} does not take {request.method}, but {allowed}"
    headers = {"Allow": allowed}
    return error_answer(405, message, type="invalid_request_error", code="method_not_allowed", headers=headers)


def _shown(request: Request) -> str:
    return request.url.path[:_MOST_SHOWN]
