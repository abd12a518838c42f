"""A chat request, with all that is computed from it once. Owns where that is done: for a long one beside the loop."""

from __future__ import annotations

from typing import Any, NamedTuple

from anyio import to_thread
from starlette.requests import Request

from codex_server_cli.core.openai.chat_request import ChatRequest, parse_chat
from codex_server_cli.core.openai.conversation import History, history_of
from codex_server_cli.gateway.answers import read_json
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.upstream.weight import characters

_LONG_DIGITS = 6
"""Of the length of a body that takes a while to understand: 100 kB."""
_LARGE = 4 * 1024 * 1024
_MANY = 1000


class Asked(NamedTuple):
    """A request that was understood.

    Attributes:
        request: it.
        history: its conversation, hashed.
        name: the model's, as the client calls it.
        is_large: so much that it has a connection of its own: what breaks that breaks no other request.
    """

    request: ChatRequest
    history: History
    name: str
    is_large: bool


async def read_asked(request: Request, options: ServeOptions) -> Asked:
    """What the body of a request asks for.

    Raises:
        ApiError: nothing that can be done.
    """
    body = await read_json(request)
    length = request.headers.get("content-length", "")
    if length.isdigit() and len(length) < _LONG_DIGITS and "content-encoding" not in request.headers:
        return understood(body, options)
    return await to_thread.run_sync(understood, body, options)  # other requests go on meanwhile


def understood(body: Any, options: ServeOptions) -> Asked:
    """What the JSON value of a body asks for.

    Raises:
        ApiError: nothing that can be done.
    """
    request = parse_chat(body, aliases=options.model_aliases, is_strict=options.is_strict)
    is_large = len(request.items) > _MANY or characters(request.items) > _LARGE
    return Asked(request, history_of(request), body.get("model") or "", is_large)
