"""The connection of a turn to our own shared app-server, which is started where none runs. See `connection`.

Owns which generation of it a turn uses: that which it was sent to, as long as that lives; it may be draining. Every
other turn gets the current one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codex_server_cli.codex.server.key import ServerKey
from codex_server_cli.codex.server.shared import Generation, Lease, ensure_shared, retire
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.codex_process import StartError
from codex_server_cli.worker.server.buffered import BufferedLink
from codex_server_cli.worker.server.connection import ServerConnection
from codex_server_cli.worker.server.early import take

_START_S = 20.0
_MOST_SILENCES = 2


class SharedConnection(ServerConnection):
    """The connection to a generation of our shared server.

    Args:
        note: stores `meta.json`, whose `server` is `record`: a repairer has to know where the turn runs.
    """

    after_a_crash = "What the server has said: `codex-server server logs`; {to_go_on}"

    def __init__(
        self,
        request: TurnRequest,
        route: Route,
        record: dict[str, Any],
        key: ServerKey,
        settings: Settings,
        note: Callable[[], None],
    ) -> None:
        super().__init__(request, route, record)
        self._key, self._settings, self._note = key, settings, note
        self._generation: Generation | None = None
        self._silences = 0
        self._lease: Lease | None = None

    def open(self, provider: str | None) -> Link:
        """Connect. A generation that accepts and then is silent, twice, is made to drain: it would stop every turn."""
        begun = take(self._key)
        if begun is not None:
            self._use(begun.generation, begun.lease)
            return BufferedLink(begun.link, begun.sent, begun.heard)
        try:
            return super().open(provider)
        except StartError as failure:
            self._silences += failure.is_passing
            if self._generation is not None and not self.is_turn_there and self._silences >= _MOST_SILENCES:
                retire(self._generation)
            raise

    def route(self) -> Route:
        """See `ServerConnection.route`."""
        found = self._generation
        if found is None or not (self.is_turn_there and found.is_alive()):
            found = self._take_generation()
        return self._route._replace(socket_path=found.socket_path)

    def _take_generation(self) -> Generation:
        idle_s = read_config(self._settings.config_path).server_idle
        found = ensure_shared(self._settings.home, self._key, idle_s=idle_s, timeout_s=_START_S)
        if found != self._generation:
            if self._lease is not None:
                self._lease.release()
            self._use(found, Lease(found))
        return found

    def _use(self, generation: Generation, lease: Lease) -> None:
        self._generation, self._lease = generation, lease  # until our exit, which is after the sweep
        self._record |= {"path": generation.socket_path, "pid": generation.pid, "generation": generation.number}
        self._note()
