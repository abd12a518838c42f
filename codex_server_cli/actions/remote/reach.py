"""How remote control reaches the shared app-server. Owns the connections; must never decide what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from codex_server_cli import __version__
from codex_server_cli.actions.read.read import check_codex_home
from codex_server_cli.actions.shared_route import shared_key
from codex_server_cli.codex.client import no_answer
from codex_server_cli.codex.server.asking import ask
from codex_server_cli.codex.server.shared import Lease, ensure_shared
from codex_server_cli.codex.server.state import CURRENT, directory_of, generations_of, read_generation
from codex_server_cli.core.protocol.query import Query, T, initialize
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

TIMEOUT_S = 40.0
"""For one request; Codex itself gives an enrollment 30 s."""
CONNECT_S = 5.0
"""For each step of its connection to ChatGPT, which takes 0.2 s in all."""


class Server(Protocol):
    """An app-server that answers queries; these begin after the handshake."""

    def run(self, query: Query[T], timeout_s: float) -> T:
        """Run one query."""


class Reach(Protocol):
    """How a server is reached."""

    def __call__(self, settings: Settings, *, starts: bool) -> AbstractContextManager[Server | None]:
        """The shared server; None where none runs and `starts` is False."""


class _SharedGeneration:
    """A generation of the shared server. Each query opens a connection of its own, which takes 3 ms."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path

    def run(self, query: Query[T], timeout_s: float) -> T:
        """See `Server`.

        Raises:
            CodexServerError: the server does not answer, or as the query.
        """
        return ask(self._socket_path, _after_handshake(query), timeout_s)


def _after_handshake(query: Query[T]) -> Query[T]:
    if (yield from initialize(__version__)) is None:
        raise no_answer()
    return (yield from query)


@contextmanager
def shared_server(settings: Settings, *, starts: bool) -> Iterator[Server | None]:
    """The shared server of this environment; see `Reach`. With `starts`, a lease keeps it from stopping meanwhile.

    Without `starts`, a running server that is outdated (after another login, for instance) counts, too: it is connected
    to the service all the same.

    Raises:
        CodexServerError: no usable codex, or it does not start.
    """
    config = read_config(settings.config_path)
    key = shared_key(settings, config)
    if not starts:
        found = read_generation(f"{directory_of(settings.home, key.name)}/{CURRENT}")
        yield _SharedGeneration(found.socket_path) if found is not None and found.is_alive() else None
        return
    check_codex_home(settings)
    found = ensure_shared(settings.home, key, idle_s=config.server_idle)
    lease = Lease(found)
    try:
        yield _SharedGeneration(found.socket_path)
    finally:
        lease.release()


def living_servers(settings: Settings) -> list[Server]:
    """Every running generation of this home's shared servers, including other environments' and draining ones."""
    found = generations_of(settings.home)
    return [_SharedGeneration(each.socket_path) for each in found if each.is_alive() and each.socket_path]
