"""The routes of `/v1/responses`, with and without `/v1`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.openai.responses.turn_document import turn_id_in
from codex_server_cli.gateway.answers import read_json
from codex_server_cli.gateway.responses.background import Background
from codex_server_cli.gateway.state import Gateway

OfTurn = Callable[[Request, str], Awaitable[Response]]


def routes(gateway: Gateway) -> list[BaseRoute]:
    """What this face answers."""
    background = gateway.shared(Background)

    async def create(request: Request) -> Response:
        body = await read_json(request)
        if isinstance(body, dict) and body.get("background") is True:
            return await background.create(request, body)
        raise invalid("Only `background` is possible.", "background")

    return [
        *_on("/responses", create, "POST"),
        *_on("/responses/{id}", _of_turn(background.retrieve), "GET"),
        *_on("/responses/{id}", _of_turn(background.remove), "DELETE"),
        *_on("/responses/{id}/cancel", _of_turn(background.cancel), "POST"),
        *_on("/responses/{id}/input_items", _of_turn(background.list_input), "GET"),
    ]


def _of_turn(answer: OfTurn) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        id_ = request.path_params["id"]
        turn_id = turn_id_in(id_)
        if turn_id is None:
            raise ApiError(404, f"Response {id_[:80]} does not exist.", code="response_not_found", param="id")
        return await answer(request, turn_id)

    return handler


def _on(path: str, handler: Callable[[Request], Awaitable[Response]], method: str) -> list[BaseRoute]:
    return [
        Route(f"/v1{path}", handler, methods=[method]),
        Route(path, handler, methods=[method], include_in_schema=False),
    ]
