"""The routes of the bridge: `/rpc`, `/stream`, `/ws`, and the named calls."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route, WebSocketRoute

from codex_server_cli.gateway.bridge.calls import NamedCalls
from codex_server_cli.gateway.bridge.line import SharedLine
from codex_server_cli.gateway.bridge.messages import MessageGate
from codex_server_cli.gateway.bridge.requests import ServerRequests
from codex_server_cli.gateway.bridge.rpc import Rpc
from codex_server_cli.gateway.bridge.stream import Streams
from codex_server_cli.gateway.bridge.ws import Sockets, refuse_plain
from codex_server_cli.gateway.state import Gateway


def routes(gateway: Gateway) -> list[BaseRoute]:
    """What this face answers."""
    line, gate, requests = SharedLine(gateway), MessageGate(gateway), ServerRequests()
    rpc = Rpc(gateway, line, gate, requests)
    streams = Streams(gateway, line, gate, requests)
    return [
        Route("/rpc", rpc.post, methods=["POST"]),
        Route("/stream", streams.post, methods=["POST"]),
        Route("/stream", streams.resume, methods=["GET"]),
        WebSocketRoute("/ws", Sockets(gateway, line, gate, requests).serve),
        Route("/ws", refuse_plain, methods=["GET"], include_in_schema=False),
        Route("/skills/invoke/{name}", NamedCalls(gateway, rpc).post, methods=["POST"]),
    ]
