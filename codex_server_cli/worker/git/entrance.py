"""The way into a turn's worktree, and out of it, for the worker. Must import nothing that other turns do not need."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.errors import CodexServerError
from codex_server_cli.worker.live_file import write_starting

if TYPE_CHECKING:
    from codex_server_cli.disk.turn.layout import TurnDir
    from codex_server_cli.disk.turn.writer import TurnWriter
    from codex_server_cli.worker.leases import Leases


class NoWorktreeError(Exception):
    """The turn's worktree cannot be made, for the reason in `error`."""

    def __init__(self, error: TurnError) -> None:
        super().__init__(error.message)
        self.error = error


def enter_worktree(directory: TurnDir, writer: TurnWriter, meta: dict[str, Any], leases: Leases) -> int:
    """Make the turn's worktree; `meta` then names the directory in it.

    Returns:
        The descriptor that holds it.

    Raises:
        NoWorktreeError: it cannot be made.
    """
    from codex_server_cli.worker.git import turn_worktree

    write_starting(directory, time.time_ns() // 1_000_000)
    leases.leave_queue()  # a checkout may take long, and those behind need not wait for it
    try:
        return turn_worktree.enter(directory, meta, writer.write_meta)
    except CodexServerError as error:
        raise NoWorktreeError(make_error(error.kind, error.message)) from error


def leave_worktree(meta: dict[str, Any], fd: int) -> None:
    """Remove the worktree where nothing has changed in it, and let go of it; `meta` tells whether it is gone."""
    from codex_server_cli.worker.git import turn_worktree

    turn_worktree.leave(meta, fd)
