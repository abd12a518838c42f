"""The endpoints of the Responses API. Owns their paths and methods; OpenAI's face has them with and without `/v1`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.responses import reading
from codex_server_cli.gateway.responses.create import create
from codex_server_cli.gateway.responses.face import ResponsesFace

ResponseEndpoint = Callable[[ResponsesFace, Request], Awaitable[Response]]


class Endpoint(NamedTuple):
    """What answers a method on a path."""

    method: str
    path: str
    answer: Callable[[Request], Awaitable[Response]]


_ENDPOINTS: tuple[tuple[str, str, ResponseEndpoint], ...] = (
    ("POST", "/responses", create),
    ("GET", "/responses/{response}", reading.retrieve),
    ("DELETE", "/responses/{response}", reading.remove),
    ("POST", "/responses/{response}/cancel", reading.cancel),
    ("GET", "/responses/{response}/input_items", reading.input_items),
)


def endpoints(chats: ChatMemory) -> list[Endpoint]:
    """All of them, over the threads and turns of `chats`."""
    face = ResponsesFace(chats)
    return [Endpoint(method, path, _bound(answer, face)) for method, path, answer in _ENDPOINTS]


def _bound(endpoint: ResponseEndpoint, face: ResponsesFace) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await endpoint(face, request)

    answer.__doc__ = endpoint.__doc__
    return answer
