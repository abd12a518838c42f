"""The way of one turn to an app-server that is not spawned here: connecting, again where it was lost, and leaving it.

Each class stands in for `CodexProcess`. Owns that somebody else's server is never ended, and that our own shared one is
held while a turn draws on it. When there is another attempt is the session's decision.
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
    """The connection to a server that others use, and that lives on without us.

    Args:
        route: leads to it.
        record: `server` of `meta.json`.
    """

    again = "connecting again"
    after_a_crash = "{kept}{to_go_on}"  # the kind's own words name the stderr of a codex that was ours

    def __init__(self, request: TurnRequest, route: Route, record: dict[str, Any]) -> None:
        super().__init__(Path(), request)
        self._route = route
        self._record = record

    def open(self, provider: str | None) -> Link:
        """Connect; the server's own configuration is what it is, whatever the provider."""
        try:
            return BufferedLink(connect(self.route(), timeout_s=_CONNECT_S))
        except CodexServerError as error:
            raise start_error(error) from error

    def route(self) -> Route:
        """What to connect by now.

        Raises:
            CodexServerError: there is nothing to connect to.
        """
        return self._route

    def end(self, link: Link) -> tuple[TurnError, bool]:
        """The connection was lost: the error, and that another attempt may succeed."""
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
        """See `CodexProcess.report`: the turn may run on without us."""
        if self.is_turn_there and error.kind is not ErrorKind.CODEX_CRASHED:
            error = error._replace(hint="")  # of one that could not begin: this turn can be recovered, or gone on with
        return session.lost(error, now_ms, is_final=not is_passing)

    def may_leave(self, record: TurnRecord) -> bool:
        """See `CodexProcess.may_leave`: where a connection was lost for good, or a full disk ended the turn."""
        return record.is_turn_requested and record.status is None

    def close(self, *, has_farewell: bool = False) -> None:
        """Close the connection; the server goes on."""
        if self.link is not None:
            self.link.end()


def start_error(error: CodexServerError) -> StartError:
    """The same as the failure of an attempt; only a server that does not answer is tried again."""
    is_passing = isinstance(error, ServerError) and error.kind.is_retryable
    return StartError(error_of(error), is_passing=is_passing)
