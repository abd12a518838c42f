"""Running a query on a shared app-server. Owns the connection; for verbs, and for the keeper, which asks in separate
processes."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from codex_server_cli.codex.client import run_query_on
from codex_server_cli.codex.transport.connect import Route, connect, route_of
from codex_server_cli.core.model.server.address import ServerAddress, ServerKind, parse_address
from codex_server_cli.core.protocol.query import Query

T = TypeVar("T")
SHARED = ServerAddress(ServerKind.SHARED, "shared")


def ask(where: str, query: Query[T], timeout_s: float, token_file: str | None = None) -> T:
    """Run a query, within twice `timeout_s`: once for the connection, once for the answer.

    Args:
        where: the path of its socket, or its URL on a TCP port of this machine.
        token_file: the file with the token for that port.

    Raises:
        CodexServerError: it cannot be reached, or does not answer in time.
    """
    if where.startswith("/"):
        route = Route(SHARED, where)
    else:  # the token does not leave this machine, even where the server listens at 0.0.0.0
        route = route_of(parse_address(where), codex_home=Path(), token_file=token_file, is_insecure=True)
    return run_query_on(lambda: connect(route, timeout_s=timeout_s), "the shared app-server", query, timeout_s)
