"""What the routes of turns share: the gateway, its hub, and running blocking calls off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.feed import Turn
from codex_server_cli.core.documents.turn import dump
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.errors import AmbiguousError, NotFoundError
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns.consent import Consent
from codex_server_cli.gateway.turns.hub import Hub

P = ParamSpec("P")
T = TypeVar("T")
_MOST_READERS, _MOST_ACTIONS = 8, 24
"""Threads for short reads, as every stream does, and for calls that may take long, such as waiting for a worker."""


class TurnsFace:
    """The turns of one gateway; get it from `gateway.shared`.

    Attributes:
        settings: where the turns are.
        consent: what callers may have turns do.
        hub: follows running turns.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.settings = gateway.settings
        self.consent = Consent.of(gateway.options)
        self.hub = Hub(self.look, self.act)
        gateway.on_stop(self.hub.stop)

    @cached_property
    def _readers(self) -> CapacityLimiter:
        return CapacityLimiter(_MOST_READERS)

    @cached_property
    def _actions(self) -> CapacityLimiter:
        return CapacityLimiter(_MOST_ACTIONS)

    async def look(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short read off the event loop."""
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._readers)

    async def act(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run off the event loop what may take long, or wait for other processes."""
        return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._actions)

    async def find(self, request: Request) -> Turn:
        """The turn in the path, by id, unique prefix or name, or `last` of the gateway's directory.

        Raises:
            ApiError: no turn matches, or several do.
        """
        return await self.look(self.found, request.path_params["turn"])

    def found(self, selector: str) -> Turn:
        """As `find`, given the selector; called off the event loop."""
        try:
            return read.find(self.settings, selector, self.consent.cwd)
        except AmbiguousError as error:
            raise ApiError(404, error.message, type="not_found", code="turn_ambiguous") from error
        except NotFoundError as error:
            raise ApiError(404, error.message, type="not_found", code="turn_not_found") from error


def document_answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response with a document of `core.documents`, as the command line prints it into a pipe."""
    body = dump(document, is_indented=False).encode() + b"\n"
    return Response(body, status, headers, "application/json")
