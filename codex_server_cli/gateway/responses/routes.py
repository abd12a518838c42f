"""The endpoints of the Responses API. Owns their paths and methods; OpenAI's face has them with and without `/v1`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.responses.turn_document import turn_id_in
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.responses import reading
from codex_server_cli.gateway.responses.background import Background
from codex_server_cli.gateway.responses.create import create
from codex_server_cli.gateway.responses.face import ResponsesFace

ResponseEndpoint = Callable[[ResponsesFace, Request], Awaitable[Response]]
TurnEndpoint = Callable[[Background, Request, str], Awaitable[Response]]


class Endpoint(NamedTuple):
    """The handler of a method on a path."""

    method: str
    path: str
    answer: Callable[[Request], Awaitable[Response]]


_ENDPOINTS: tuple[tuple[str, str, ResponseEndpoint, TurnEndpoint | None], ...] = (
    ("POST", "/responses", create, None),
    ("GET", "/responses/{response}", reading.retrieve, Background.retrieve),
    ("DELETE", "/responses/{response}", reading.remove, Background.remove),
    ("POST", "/responses/{response}/cancel", reading.cancel, Background.cancel),
    ("GET", "/responses/{response}/input_items", reading.input_items, Background.input_items),
)
"""The handlers for a remembered response, and for one that is a turn."""


def endpoints(chats: ChatMemory) -> list[Endpoint]:
    """All endpoints, over the threads and turns of `chats`."""
    face = ResponsesFace(chats)
    return [Endpoint(method, path, _bound(face, answer, of_turn)) for method, path, answer, of_turn in _ENDPOINTS]


def _bound(
    face: ResponsesFace, endpoint: ResponseEndpoint, of_turn: TurnEndpoint | None
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        turn_id = turn_id_in(request.path_params.get("response", ""))
        if of_turn is not None and turn_id is not None:
            return await of_turn(face.background, request, turn_id)
        return await endpoint(face, request)

    answer.__doc__ = endpoint.__doc__
    return answer
