"""The application: the routes of all faces, and what becomes of an exception."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.errors import CodexServerError
from codex_server_cli.gateway import health
from codex_server_cli.gateway.answers import answer_of
from codex_server_cli.gateway.bridge import routes as bridge
from codex_server_cli.gateway.openai import routes as openai
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns import routes as turns
from codex_server_cli.gateway.upstream.connection import UpstreamError
from codex_server_cli.gateway.upstream.feed import FeedOverflow
from codex_server_cli.gateway.upstream.wire import UpstreamGone


def make_app(gateway: Gateway) -> Starlette:
    """The application of one gateway, without the guard before it."""
    return Starlette(
        routes=[*health.routes(gateway), *openai.routes(gateway), *bridge.routes(gateway), *turns.routes(gateway)],
        exception_handlers={
            kind: _answer for kind in (ApiError, CodexServerError, UpstreamError, UpstreamGone, FeedOverflow, 404, 405)
        },
    )


async def _answer(_: Request, error: Exception) -> Response:
    return answer_of(error)
