"""The routes of this face."""

from __future__ import annotations

from starlette.routing import BaseRoute

from codex_server_cli.gateway.state import Gateway


def routes(gateway: Gateway) -> list[BaseRoute]:
    """What this face answers."""
    return []
