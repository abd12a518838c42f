"""A request of either face, with what is computed from it once: off the event loop if it is long. Owns that choice."""

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
"""Bodies from this length on (`LONG_CHARACTERS`) are processed off the event loop."""
LONG_CHARACTERS = 10 ** (_LONG_DIGITS - 1)
_LARGE = 4 * 1024 * 1024
_MANY = 1000


class Asked(NamedTuple):
    """A parsed request.

    Attributes:
        request: the request itself.
        history: its conversation, hashed.
        name: of the model, as the client calls it.
        is_large: too large for a shared connection: if its connection breaks, no other request is affected.
    """

    request: ChatRequest
    history: History
    name: str
    is_large: bool


async def read_understood(request: Request, understand: Callable[[Any], T]) -> T:
    """Parse the body of a request; a long one off the event loop, so that other requests go on.

    Raises:
        ApiError: the request is invalid.
    """
    return await beside(request, partial(understand, await read_json(request, may_have_halves=True)))


async def beside(request: Request, work: Callable[[], T], *, is_long: bool = False) -> T:
    """Run work whose duration grows with the request's body; raises what the work raises.

    Args:
        is_long: it may take longer than the body's length suggests.
    """
    length = request.headers.get("content-length", "")
    if not is_long and length.isdigit() and len(length) < _LONG_DIGITS and "content-encoding" not in request.headers:
        return work()
    return await to_thread.run_sync(work)


def understood(body: Any, options: ServeOptions) -> Asked:
    """Parse the JSON value of a chat completion's body.

    Raises:
        ApiError: the request is invalid.
    """
    request = parse_chat(body, aliases=options.model_aliases, is_strict=options.is_strict)
    return asked_by(request, sound_text(body.get("model") or ""))


def asked_by(request: ChatRequest, name: str | None) -> Asked:
    """A request with what is computed from it.

    Args:
        name: of the model, as the client calls it; None for the default.
    """
    is_large = len(request.items) > _MANY or characters(request.items) > _LARGE
    return Asked(request, history_of(request), name or "", is_large)
