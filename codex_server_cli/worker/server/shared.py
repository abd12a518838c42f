"""The connection of a turn to our own shared app-server, which is started where none runs. See `connection`.

Owns which generation a turn uses: the one that it was sent to, while that runs, even if it drains. Every other turn
gets the current one; if that refuses the turn because it drains, the next.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from codex_server_cli.codex.server.key import ServerKey
from codex_server_cli.codex.server.shared import Generation, Lease, ensure_shared, retire
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.session.outbox import Step
from codex_server_cli.core.session.session import Session
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.codex_process import StartError
from codex_server_cli.worker.server.buffered import BufferedLink
from codex_server_cli.worker.server.connection import ServerConnection
from codex_server_cli.worker.server.early import take
from codex_server_cli.worker.server.interruption import is_told_to_stop

_START_S = 20.0
_MOST_SILENCES = 2


class SharedConnection(ServerConnection):
    """The connection to a generation of our shared server.

    Args:
        note: stores `meta.json`, whose `server` is `record`: a repairer must know where the turn runs.
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
        self._doubted: Generation | None = None
        self._is_connected = self._has_route = False
        self._silences = 0
        self._lease: Lease | None = None

    def start(self, provider: str | None = None, *, is_turn_there: bool = False) -> Link:
        """See `CodexProcess.start`. A connection that was not lost is replaced if the server does not have our turn: it
        may have refused it, even after the prompt was sent."""
        if self._is_connected:
            self._doubted, self._generation, self._is_connected = self._generation, None, False
        return super().start(provider, is_turn_there=is_turn_there)

    def open(self, provider: str | None) -> Link:
        """Connect. A generation that accepts but does not answer, twice, is made to drain: it would block all turns."""
        begun = take(self._key)
        if begun is not None:
            self._use(begun.generation, begun.lease)
            self._is_connected = True
            return BufferedLink(begun.link, begun.sent, begun.heard)
        self._has_route = False
        try:
            link = super().open(provider)
        except StartError as failure:
            self._silences += failure.is_passing and self._has_route
            if self._generation is not None and not self.is_turn_there and self._silences >= _MOST_SILENCES:
                retire(self._generation)
            raise
        self._is_connected = True
        return link

    def report(self, session: Session, error: TurnError, is_passing: bool, now_ms: float) -> Step:
        """See `ServerConnection.report`."""
        self._is_connected = False
        return super().report(session, error, is_passing, now_ms)

    def route(self) -> Route:
        """See `ServerConnection.route`."""
        found = self._generation
        if found is None or not (self.is_turn_there and found.is_alive()):
            found = self._take_generation()
        self._has_route = True
        return self._route._replace(socket_path=found.socket_path)

    def _take_generation(self) -> Generation:
        found = ensure_shared(
            self._settings.home,
            self._key,
            idle_s=read_config(self._settings.config_path).server_idle,
            timeout_s=_START_S,
            doubted=self._doubted,
            should_give_up=partial(is_told_to_stop, TurnDir(self._settings.turns_path / self.request.turn_id)),
        )
        if found != self._generation:
            self._use(found, Lease(found))
        return found

    def _use(self, generation: Generation, lease: Lease) -> None:
        former, self._lease = self._lease, lease  # until our exit, which is after the sweep
        if former is not None:
            former.release()
        self._generation = generation
        self._record |= {"path": generation.socket_path, "pid": generation.pid, "generation": generation.number}
        self._note()
