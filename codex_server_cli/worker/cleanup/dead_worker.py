"""Cleaning up after a dead worker: ends processes that still run, and puts queued messages back.

For a repairer, which holds the turn's lock (`disk.turn.repair`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from codex_server_cli.core.model import turn_files
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.process import living_worker
from codex_server_cli.disk.turn.contents import append_log
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.worker.cleanup.sweep import sweep
from codex_server_cli.worker.cleanup.user_program import UserProgram

_RESTORE_TIMEOUT_S = 5.0
"""A reader waits for it; after this time the rest is left to `recover`."""


def clean_up(turn: TurnDir) -> None:
    """End what runs, then restore what was taken: the dead worker's app-server may have the thread open until then.

    Takes at most 2 s for the processes, and `_RESTORE_TIMEOUT_S` for the messages; before that at most 3 s for a turn
    that runs on another app-server, or 5 s on another host. Does nothing in a copy of the turn's directory: the
    processes belong to the original.
    """
    meta = read_json(turn.meta) or {}
    if _is_copy(turn, meta):
        return
    if meta.get("server") is not None and turn_files.is_meta(meta):
        from codex_server_cli.worker.server.left_turn import end_there  # for a rare case

        told = end_there(turn, meta)
        if told is not None:
            with contextlib.suppress(OSError):  # a full disk: the processes are ended anyway
                append_log(turn, told)
    sweep(turn.turn_id, meta if "app_server_pid" in meta else None, spared=lambda: _program_of(meta))
    if meta.get("worktree") and turn_files.is_meta(meta):
        from codex_server_cli.worker.git import turn_worktree  # for a rare case

        turn_worktree.clean_up(turn, meta)
    if os.path.lexists(turn.queued):
        from codex_server_cli.worker.cleanup.queue_restore import restore_later  # for a rare case

        restore_later(turn, _RESTORE_TIMEOUT_S)


def _is_copy(turn: TurnDir, meta: Mapping[str, Any]) -> bool:
    """Whether the turn's worker is alive and holds its lock in another directory, of which this one is a copy.

    A deleted lock file does not count as another directory: its worker has lost the turn.
    """
    pid = living_worker(meta)
    if pid is None:
        return False
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:  # macOS; or it has just exited
        for entry in entries:
            with contextlib.suppress(OSError):
                path = os.readlink(entry.path)  # noqa: PTH115 — compared as text
                is_lock = path.endswith(f"/{turn.turn_id}/{turn.lock.name}")
                if is_lock and os.path.realpath(path) != os.path.realpath(turn.lock):
                    return True
    return False


def _program_of(meta: Mapping[str, Any]) -> set[int]:
    """The running processes of the program that the user's own Codex started at the end of the turn, if any."""
    session_id, codex_turn_id = meta.get("app_server_pid"), meta.get("codex_turn_id")
    if not isinstance(session_id, int) or not isinstance(codex_turn_id, str):
        return set()
    return UserProgram(session_id, codex_turn_id).pids()
