"""`GET /openapi.json`."""

from __future__ import annotations

from functools import cache

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codex_server_cli.gateway.http_answers import json_answer
from codex_server_cli.gateway.openapi.document import document_of
from codex_server_cli.gateway.state import Gateway


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The routes of this module."""

    @cache
    def document(app: Starlette) -> Response:
        return json_answer(document_of(app.routes, gateway.options))

    async def openapi(request: Request) -> Response:
        """This API, as an OpenAPI document."""
        return document(request.app)

    return [Route("/openapi.json", openapi)]
