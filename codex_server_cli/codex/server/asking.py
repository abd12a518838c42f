"""Asking a shared app-server something. Owns the way there; for verbs, and for the keeper's question in a process of
its own."""

from __future__ import annotations

from typing import TypeVar

from codex_server_cli.codex.client import run_query_on
from codex_server_cli.codex.transport.connect import Route, connect
from codex_server_cli.core.model.server.address import ServerAddress, ServerKind
from codex_server_cli.core.protocol.query import Query

T = TypeVar("T")
SHARED = ServerAddress(ServerKind.SHARED, "shared")


def ask(socket_path: str, query: Query[T], timeout_s: float) -> T:
    """Run a query, within twice `timeout_s`: once for the connection, once for the answer.

    Raises:
        CodexServerError: it cannot be reached, or does not answer in time.
    """
    route = Route(SHARED, socket_path)
    return run_query_on(lambda: connect(route, timeout_s=timeout_s), "the shared app-server", query, timeout_s)
