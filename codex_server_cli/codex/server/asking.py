"""Asking a shared app-server something. Owns the way there; for verbs, and for the keeper's question in a process of
its own."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from codex_server_cli.codex.client import CodexClient
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route, connect
from codex_server_cli.core.model.server.address import ServerAddress, ServerKind
from codex_server_cli.core.protocol.query import Query

T = TypeVar("T")
SHARED = ServerAddress(ServerKind.SHARED, "shared")


class _SharedClient(CodexClient):
    def __init__(self, socket_path: str, timeout_s: float) -> None:
        self._route, self._timeout_s = Route(SHARED, socket_path), timeout_s
        super().__init__(Path("codex"), Path("/"))

    def _spawn(self) -> Link:
        return connect(self._route, timeout_s=self._timeout_s)


def ask(socket_path: str, query: Query[T], timeout_s: float) -> T:
    """Run a query, within twice `timeout_s`: once for the connection, once for the answer.

    Raises:
        CodexServerError: it cannot be reached, or does not answer in time.
    """
    with _SharedClient(socket_path, timeout_s) as client:
        return client.run(query, timeout_s)
