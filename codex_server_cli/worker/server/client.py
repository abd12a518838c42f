"""Running a query on a turn's app-server, before, during or after the turn. Must never decide what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from codex_server_cli.codex.client import CodexClient
from codex_server_cli.codex.transport.opening import open_link
from codex_server_cli.core.protocol.query import Query
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.server.route import route_to

T = TypeVar("T")
_CONNECT_S = 4.0


def client_to(record: Mapping[str, Any], settings: Settings, *, connect_s: float = _CONNECT_S) -> CodexClient:
    """A client of a turn's app-server, to be used as a context manager.

    Raises:
        CodexServerError: it cannot be reached.
    """
    route = route_to(record, settings)
    return CodexClient(lambda: open_link(route, timeout_s=connect_s), route.address.url)


def run_query_there(record: Mapping[str, Any], settings: Settings, query: Query[T], timeout_s: float) -> T:
    """Run a query on the app-server of a turn.

    Raises:
        CodexServerError: it cannot be reached, or does not answer in time.
    """
    with client_to(record, settings) as client:
        return client.run(query, timeout_s)
