"""The routes of the OpenAI face, with and without `/v1`: clients differ in what they take as the base URL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.guard import methods_of
from codex_server_cli.gateway.http_answers import json_answer
from codex_server_cli.gateway.openai.chat import answer_chat
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.models import find
from codex_server_cli.gateway.responses import routes as responses
from codex_server_cli.gateway.state import Gateway

_EXISTS = (
    "There are: POST /v1/chat/completions, POST /v1/responses, GET and DELETE /v1/responses/ID,"
    " POST /v1/responses/ID/cancel, GET /v1/responses/ID/input_items, GET /v1/models, GET /v1/models/ID."
)


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The routes of this face."""
    state = ChatMemory(gateway)

    async def chat(request: Request) -> Response:
        """Answer a chat completion request."""
        return await answer_chat(state, request)

    async def models(_: Request) -> Response:
        """List the models."""
        backend = await state.backend()
        shown = [each.document() for each in (await backend.models()).values() if not each.model.is_hidden]
        return json_answer({"object": "list", "data": shown})

    async def model(request: Request) -> Response:
        """Describe one model."""
        backend = await state.backend()
        name = request.path_params["name"]
        name = gateway.options.model_aliases.get(name, name).partition(":")[0]
        return json_answer(find(await backend.models(), name).document())

    return [
        *_on("/chat/completions", chat, "POST"),
        *(route for each in responses.endpoints(state) for route in _on(each.path, each.answer, each.method)),
        *_on("/models", models, "GET"),
        *_on("/models/{name:path}", model, "GET"),
        Route("/v1", _absent, methods=["GET"], include_in_schema=False),
        Route("/v1/{rest:path}", _absent, methods=["GET", "POST", "DELETE"], include_in_schema=False),
    ]


def _on(path: str, handler: Callable[[Request], Awaitable[Response]], method: str) -> list[BaseRoute]:
    return [
        Route(f"/v1{path}", handler, methods=[method]),
        Route(path, handler, methods=[method], include_in_schema=False),
    ]


async def _absent(request: Request) -> NoReturn:
    if request.method not in methods_of(request.app.routes, request.url.path):  # another route has this path
        raise HTTPException(405)
    message = f"There is no {request.method} {request.url.path} here. {_EXISTS}"
    raise ApiError(404, message, type="not_found", code="unknown_url")
