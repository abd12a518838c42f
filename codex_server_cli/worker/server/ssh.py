"""The app-server of one turn on another host, over ssh: it belongs to the turn, and ends with it. See `connection`."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route
from codex_server_cli.codex.transport.ssh import SshServer
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.failures import error_of
from codex_server_cli.errors import ServerError
from codex_server_cli.worker.codex_process import CodexProcess
from codex_server_cli.worker.log import write_log
from codex_server_cli.worker.server.connection import start_error


class SshCodex(CodexProcess):
    """The turn's own app-server on another host."""

    adopts_orphans = False  # the user's ssh may leave a process that later connections share (`ControlPersist`)

    def __init__(self, request: TurnRequest, route: Route) -> None:
        super().__init__(Path(), request)
        self._route = route

    def open(self, provider: str | None) -> Link:
        """Start ssh."""
        request = self.request
        try:
            return SshServer(
                self._route,
                request.cwd,
                may_bill_api_key=request.may_bill_api_key,
                turn_id=request.turn_id,
                on_stderr=write_log,
                provider=provider,
            )
        except ServerError as error:
            raise start_error(error) from error

    def end(self, link: Link) -> tuple[TurnError, bool]:
        """See `CodexProcess.end`."""
        error, is_collision = super().end(link)
        if isinstance(link, SshServer):
            error = error_of(link.problem(), " Then: {go_on}")
        return error, is_collision

    def may_leave(self, record: TurnRecord) -> bool:
        """See `CodexProcess.may_leave`: only a sandbox would end processes that are detached there."""
        return record.is_turn_requested and self.request.may_write
