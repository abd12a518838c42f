"""A request of either face, with all that is computed from it once: for a long one beside the loop. Owns where."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from anyio import to_thread
from starlette.requests import Request

from codex_server_cli.core.openai.chat_request import ChatRequest, parse_chat, sound_text
from codex_server_cli.core.openai.conversation import History, history_of
from codex_server_cli.gateway.http_answers import read_json
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.upstream.weight import characters

T = TypeVar("T")

_LONG_DIGITS = 6
"""Of the length of a body that takes a while to understand: `LONG_CHARACTERS`."""
LONG_CHARACTERS = 10 ** (_LONG_DIGITS - 1)
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


async def read_understood(request: Request, understand: Callable[[Any], T]) -> T:
    """What the body of a request asks for; a long one is understood beside the loop, where other requests go on.

    Raises:
        ApiError: nothing that can be done.
    """
    return await beside(request, partial(understand, await read_json(request, may_have_halves=True)))


async def beside(request: Request, work: Callable[[], T], *, is_long: bool = False) -> T:
    """The result of work on the body of a request, which is as long as the body; raises what the work raises.

    Args:
        is_long: it may take longer than the body tells.
    """
    length = request.headers.get("content-length", "")
    if not is_long and length.isdigit() and len(length) < _LONG_DIGITS and "content-encoding" not in request.headers:
        return work()
    return await to_thread.run_sync(work)


def understood(body: Any, options: ServeOptions) -> Asked:
    """What the JSON value of the body of a chat completion asks for.

    Raises:
        ApiError: nothing that can be done.
    """
    request = parse_chat(body, aliases=options.model_aliases, is_strict=options.is_strict)
    return asked_by(request, sound_text(body.get("model") or ""))


def asked_by(request: ChatRequest, name: str | None) -> Asked:
    """A request, with what is computed from it.

    Args:
        name: the model's, as the client calls it; None for the default.
    """
    is_large = len(request.items) > _MANY or characters(request.items) > _LARGE
    return Asked(request, history_of(request), name or "", is_large)
