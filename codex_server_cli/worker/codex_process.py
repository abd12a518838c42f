"""The app-server of one turn, which may take several attempts to start. Owns its start, its end, and their errors.

Runs in the worker. The session decides whether and when there is another attempt; must never interpret codex's stdout.
"""

from __future__ import annotations

import errno
import signal
from pathlib import Path

from codex_server_cli.codex.room import is_without_room
from codex_server_cli.codex.transport.base import FAREWELL_S, GRACE_S, Link
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.failures import kind_of_exit, make_error, telling_line
from codex_server_cli.core.session.backoff import is_start_collision
from codex_server_cli.core.session.outbox import Step
from codex_server_cli.core.session.session import Session
from codex_server_cli.errors import ErrorKind
from codex_server_cli.worker.cleanup.sweep import become_subreaper
from codex_server_cli.worker.log import say, write_log

_PASSING_ERRORS = (
    errno.EAGAIN,
    errno.ENOMEM,
    errno.ENFILE,
    errno.ETXTBSY,
)  # no resources, or an update


class StartError(Exception):
    """An attempt started no process.

    Attributes:
        error: the reason, as the turn would report it.
        is_passing: whether another attempt may succeed.
    """

    def __init__(self, error: TurnError, *, is_passing: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.is_passing = is_passing


class CodexProcess:
    """Starts and ends the app-server of a turn; `link` leads to the running one, None where none runs."""

    again = "codex is started again"  # for the log
    adopts_orphans = True  # so that the sweep finds them

    def __init__(self, codex: Path, request: TurnRequest) -> None:
        self.link: Link | None = None
        self._codex = codex
        self.request = request
        self._count = 0
        self.is_turn_there = False
        self._stderr_tail = ""

    def start(self, provider: str | None = None, *, is_turn_there: bool = False) -> Link:
        """Start an app-server, or connect to one.

        Args:
            provider: the model provider to configure, if it is started to report about that one.
            is_turn_there: the turn was sent to the previous server, where it may still run.

        Raises:
            StartError: it cannot be started.
        """
        self._count, self.is_turn_there = self._count + 1, is_turn_there
        if self._count > 1:
            what = f", to tell of the model provider {provider!r}" if provider is not None else ""
            say(f"{self.again}, attempt {self._count}{what}")
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the orphan reaper does not know this child yet
        try:
            self.link = self.open(provider)
        except OSError as error:
            start_error = _start_error(error, self.request.work_dir)
            raise StartError(start_error, is_passing=error.errno in _PASSING_ERRORS) from error
        if self.link.pid is not None and self.adopts_orphans:
            become_subreaper(self.link.pid)  # costs no time while codex starts
        return self.link

    def open(self, provider: str | None) -> Link:
        """Start the app-server, or connect to one.

        Raises:
            StartError, OSError: it fails.
        """
        from codex_server_cli.codex.transport.early import take  # subprocess takes 3 ms, not needed for a shared server
        from codex_server_cli.codex.transport.spawned import AppServer

        begun = take()
        if begun is not None:
            if provider is None:
                return begun
            begun.end()  # it is configured with another one
            begun.close()
        request = self.request
        return AppServer(
            self._codex,
            request.work_dir,
            may_bill_api_key=request.may_bill_api_key,
            turn_id=request.turn_id,
            on_stderr=write_log,
            provider=provider,
        )

    def end(self, link: Link) -> tuple[TurnError, bool]:
        """Reap an app-server after EOF on its stdout.

        Returns:
            Its error, and whether its start collided with another app-server.
        """
        how = link.end()
        self._stderr_tail = link.stderr_tail()
        link.close()
        self.link = None
        # A killed process writes nothing about the signal: its last line is about something else.
        line = "" if how.startswith("signal") else telling_line(self._stderr_tail)
        message = f"codex app-server ended before the turn did ({how})" + (f": {line}" if line else "")
        return make_error(kind_of_exit(self._stderr_tail), message), is_start_collision(self._stderr_tail)

    def report(self, session: Session, error: TurnError, is_passing: bool, now_ms: float) -> Step:
        """Tell the session that the app-server did not start, or has ended.

        Args:
            is_passing: whether another attempt may succeed.
        """
        return session.end(error, now_ms, is_collision=is_passing)

    def may_leave(self, record: TurnRecord) -> bool:
        """Whether a part of the turn may still run where the sweep does not find it, after this is closed."""
        return False

    def stderr_tail(self) -> str:
        """The stderr tail of the last app-server."""
        if self.link is not None:
            return self.link.stderr_tail()
        return self._stderr_tail

    def close(self, *, has_farewell: bool = False) -> None:
        """End what still runs.

        Args:
            has_farewell: whether codex runs the user's hooks before it exits, and gets the time for that.
        """
        if self.link is not None:
            self.link.end(FAREWELL_S if has_farewell else GRACE_S)


def _start_error(error: OSError, cwd: str) -> TurnError:
    """Why there is no process: a limit, or a binary or directory that is gone since the launcher's check."""
    if is_without_room(error):
        return make_error(ErrorKind.OVERLOADED, f"codex cannot be started: {error.strerror}")
    if error.errno == errno.E2BIG:
        return make_error(ErrorKind.BAD_INPUT, "codex cannot be started: the environment of this turn is too large")
    kind = ErrorKind.CODEX_MISSING if Path(cwd).is_dir() else ErrorKind.BAD_INPUT
    return make_error(kind, f"codex cannot be started: {error}")
