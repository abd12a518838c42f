"""The routes of the bridge: `/rpc`, `/stream`, `/ws`, and the named calls."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route, WebSocketRoute

from codex_server_cli.gateway.bridge.calls import NamedCalls
from codex_server_cli.gateway.bridge.messages import MessageGate
from codex_server_cli.gateway.bridge.requests import ServerRequests
from codex_server_cli.gateway.bridge.rpc import Rpc
from codex_server_cli.gateway.bridge.shared_connection import BridgeConnection
from codex_server_cli.gateway.bridge.stream import Streams
from codex_server_cli.gateway.bridge.ws import Sockets, refuse_plain
from codex_server_cli.gateway.state import Gateway


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The routes of this face."""
    shared, gate, requests = BridgeConnection(gateway), MessageGate(gateway), ServerRequests()
    rpc = Rpc(gateway, shared, gate, requests)
    streams = Streams(gateway, shared, gate, requests)
    return [
        Route("/rpc", rpc.post, methods=["POST"]),
        Route("/stream", streams.post, methods=["POST"]),
        Route("/stream", streams.resume, methods=["GET"]),
        WebSocketRoute("/ws", Sockets(gateway, shared, gate, requests).serve),
        Route("/ws", refuse_plain, methods=["GET"], include_in_schema=False),
        Route("/skills/invoke/{name}", NamedCalls(gateway, rpc).post, methods=["POST"]),
    ]
