"""Where a turn works: its worktree, if it has one, and the state of its work tree before it and after it.

Must import nothing that a turn without them does not need.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from codex_server_cli.core.model.server.record import is_elsewhere
from codex_server_cli.core.model.turn import State, TurnError
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.disk.turn.writer import LockLostError
from codex_server_cli.errors import CodexServerError, ErrorKind
from codex_server_cli.worker.live_file import write_starting
from codex_server_cli.worker.log import log_traceback

if TYPE_CHECKING:
    from codex_server_cli.core.model.request import TurnRequest
    from codex_server_cli.core.result.outcome import Outcome
    from codex_server_cli.disk.turn.layout import TurnDir
    from codex_server_cli.disk.turn.writer import TurnWriter
    from codex_server_cli.worker.git.snapshot import Snapshot
    from codex_server_cli.worker.leases import Leases

_LATE = "The turn's deadline passed as its worktree was made."


class NoWorktreeError(Exception):
    """The turn's worktree cannot be made, for the reason in `error`."""

    def __init__(self, error: TurnError) -> None:
        super().__init__(error.message)
        self.error = error


class Workplace:
    """Where one turn works. For the worker.

    Args:
        meta: `meta.json`; `enter` adds the directory in the worktree, `leave` adds whether that was removed.

    Attributes:
        snapshot: finds what commands write; None where no command may write.
    """

    def __init__(self, directory: TurnDir, writer: TurnWriter, meta: dict[str, Any]) -> None:
        self.snapshot: Snapshot | None = None
        self._directory, self._writer, self._meta = directory, writer, meta
        self._worktree_fd: int | None = None

    def enter(self, request: TurnRequest, leases: Leases) -> TurnRequest:
        """Make the turn's worktree, if it is to have one.

        Returns:
            The request, with the directory to work in, and a deadline reduced by the time that this took.

        Raises:
            NoWorktreeError: it cannot be made.
        """
        if self._meta.get("worktree") is not None:
            started_s = time.monotonic()
            self._worktree_fd = self._enter_worktree(leases, request.deadline_s)
            request = request._replace(worktree_cwd=self._meta["cwd"]).after(time.monotonic() - started_s)
        if request.may_write and not is_elsewhere(self._meta.get("server")):
            from codex_server_cli.worker.git.snapshot import Snapshot

            self.snapshot = Snapshot(self._directory, request.work_dir)
        return request

    def _enter_worktree(self, leases: Leases, deadline_s: float | None) -> int:
        from codex_server_cli.worker.git import turn_worktree

        write_starting(self._directory, time.time_ns() // 1_000_000)
        leases.leave_queue()  # a checkout may take long, and the next turns need not wait for it
        until_s = None if deadline_s is None else time.monotonic() + deadline_s
        try:
            return turn_worktree.enter(self._directory, self._meta, self._writer.write_meta, until_s=until_s)
        except CodexServerError as error:
            is_late = until_s is not None and time.monotonic() >= until_s
            kind, message = (ErrorKind.DEADLINE, _LATE) if is_late else (error.kind, error.message)
            raise NoWorktreeError(make_error(kind, message)) from error

    def leave(self, outcome: Outcome) -> Outcome:
        """Find what has changed, and remove an unchanged worktree. Called after all processes of the turn have ended.

        Returns:
            The outcome, with what commands wrote, if that is known.
        """
        outcome = self._with_all_changes(outcome)
        if self._worktree_fd is not None:
            from codex_server_cli.worker.git import turn_worktree
            from codex_server_cli.worker.git.worktree import READ_TIMEOUT_S

            is_cancelled = outcome.state is State.CANCELLED
            timeout_s = turn_worktree.CANCEL_TIMEOUT_S if is_cancelled else READ_TIMEOUT_S
            handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # so that git's exit codes are not lost
            turn_worktree.leave(self._meta, self._worktree_fd, timeout_s=timeout_s)
            signal.signal(signal.SIGCHLD, handler)
        return outcome

    def _with_all_changes(self, outcome: Outcome) -> Outcome:
        try:
            if self.snapshot is None or not self._writer.may_write():
                return outcome
            found = self.snapshot.finish()
            return outcome if found is None else outcome.with_work_tree(found, os.path.realpath(self.snapshot.cwd))
        except LockLostError:  # the directory belongs to the next reader
            return outcome
        except Exception:  # the changes of patches are known anyway
            log_traceback()
            return outcome
