"""The connection of one turn to an app-server that is not spawned here: connecting, reconnecting, disconnecting.

Each class replaces `CodexProcess`. Owns that a foreign server is never ended, and that a lease on our own shared one is
held while a turn uses it. The session decides when there is another attempt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route, connect
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.address import ServerKind
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.failures import error_of, make_error
from codex_server_cli.core.session.outbox import Step
from codex_server_cli.core.session.session import Session
from codex_server_cli.errors import CodexServerError, ErrorKind, ServerError
from codex_server_cli.worker.codex_process import CodexProcess, StartError
from codex_server_cli.worker.log import say
from codex_server_cli.worker.server.buffered import BufferedLink

_CONNECT_S = 4.0
"""Less than a `cancel` waits before it kills the worker; a unix socket answers within milliseconds."""


class ServerConnection(CodexProcess):
    """The connection to a server that others use, and that outlives the turn.

    Args:
        route: to the server.
        record: `server` of `meta.json`.
    """

    again = "connecting again"
    after_a_crash = "{kept}{to_go_on}"  # the usual hint refers to the stderr of our own codex

    def __init__(self, request: TurnRequest, route: Route, record: dict[str, Any]) -> None:
        super().__init__(Path(), request)
        self._route = route
        self._record = record

    def open(self, provider: str | None) -> Link:
        """Connect; `provider` has no effect, because the server has its own configuration."""
        try:
            return BufferedLink(connect(self.route(), timeout_s=_CONNECT_S))
        except CodexServerError as error:
            raise start_error(error) from error

    def route(self) -> Route:
        """The route to connect to now.

        Raises:
            CodexServerError: there is nothing to connect to.
        """
        return self._route

    def end(self, link: Link) -> tuple[TurnError, bool]:
        """Close a lost connection; return the error, and that another attempt may succeed."""
        how = link.end()
        link.close()
        self.link = None
        name = "the shared app-server" if self._route.address.kind is ServerKind.SHARED else self._record["url"]
        say(f"{name}: {how}")
        message = f"{name}: {how} before the turn had ended"
        if self._route.address.kind is ServerKind.WS:
            return make_error(ErrorKind.NETWORK, message), True
        return make_error(ErrorKind.CODEX_CRASHED, message, hint=self.after_a_crash), True

    def report(self, session: Session, error: TurnError, is_passing: bool, now_ms: float) -> Step:
        """See `CodexProcess.report`: the turn may still run there."""
        if self.is_turn_there and error.kind is not ErrorKind.CODEX_CRASHED:
            error = error._replace(hint="")  # the hint is for a turn that never began: this one can be recovered
        return session.lost(error, now_ms, is_final=not is_passing)

    def may_leave(self, record: TurnRecord) -> bool:
        """See `CodexProcess.may_leave`: after a final loss of the connection, or a full disk."""
        return record.is_turn_requested and record.status is None

    def close(self, *, has_farewell: bool = False) -> None:
        """Close the connection; the server keeps running."""
        if self.link is not None:
            self.link.end()


def start_error(error: CodexServerError) -> StartError:
    """The error of a failed attempt; only a server that does not answer is retried."""
    is_passing = isinstance(error, ServerError) and error.kind.is_retryable
    return StartError(error_of(error), is_passing=is_passing)
