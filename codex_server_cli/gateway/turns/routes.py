"""The routes of turns: the command line's turns, with the same documents. Owns their paths and methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns import acting, events, reading
from codex_server_cli.gateway.turns.face import TurnsFace
from codex_server_cli.gateway.turns.starter import Starter

Endpoint = Callable[[TurnsFace, Request], Awaitable[Response]]

READS: dict[str, Endpoint] = {
    "/turns": reading.list_turns,
    "/turns/{turn}": reading.one_turn,
    "/turns/{turn}/events": events.events,
    "/turns/{turn}/answer": reading.answer,
    "/turns/{turn}/diff": reading.diff,
    "/turns/{turn}/pending": reading.pending,
}
ACTS: dict[str, Endpoint] = {
    "/turns/{turn}/cancel": acting.cancel,
    "/turns/{turn}/steer": acting.steer,
    "/turns/{turn}/approve": acting.approve,
    "/turns/{turn}/decline": acting.decline,
    "/turns/{turn}/reply": acting.reply,
}


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The routes of this face."""
    face, starter = gateway.shared(TurnsFace), gateway.shared(Starter)
    return [
        *(_route(path, "GET", face, endpoint) for path, endpoint in READS.items()),
        Route("/turns", starter.new, methods=["POST"]),
        Route("/turns/{turn}/continue", starter.go_on, methods=["POST"]),
        *(_route(path, "POST", face, endpoint) for path, endpoint in ACTS.items()),
        _route("/turns/{turn}", "DELETE", face, acting.remove),
    ]


def _route(path: str, method: str, face: TurnsFace, endpoint: Endpoint) -> Route:
    async def answer(request: Request) -> Response:
        return await endpoint(face, request)

    answer.__doc__ = endpoint.__doc__
    return Route(path, answer, methods=[method], name=f"turns.{endpoint.__name__}")
