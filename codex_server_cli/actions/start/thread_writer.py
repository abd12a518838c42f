"""The present writer of a Codex thread, and what Codex would run in it before our turn. Must never write either."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.actions.read.read import status
from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.core.model.view import may_ask
from codex_server_cli.core.session.queued_messages import what_waits
from codex_server_cli.disk import lock
from codex_server_cli.disk.codex_queue import read_goal, read_queue
from codex_server_cli.disk.lock_holder import holder_pid
from codex_server_cli.disk.queue import thread_locks
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import meta_of
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import HomeError
from codex_server_cli.settings.places import Settings

_RELEASE_S = 2.0
_POLL_S = 0.02


class Holder(NamedTuple):
    """The writer of a thread: as text, and the turn's id if it is a turn of ours that has recorded it.

    Attributes:
        pid: of the process, if it is another codex that is visible to us.
        may_ask: whether that turn may have to wait for an answer.
    """

    words: str
    turn_id: str | None = None
    pid: int | None = None
    may_ask: bool = False


def holder_of_thread(settings: Settings, thread_id: str, *, has_own_server: bool = True) -> Holder | None:
    """The writer of a thread: one of our turns, or another codex; None where there is none.

    Args:
        has_own_server: whether the next turn will spawn its own app-server. Any other server may have the thread open
            itself, which does not block a turn on it, and it checks for other writers itself.

    Codex's own writer lock is a flock that any reader can probe (protocol notes, section 12). Our probe is a momentary
    shared lock, and a codex that opens the thread in that moment would be refused: so we ask the kernel for a holder
    first, and probe only if there seems to be one.
    """
    try:
        turn_id = thread_locks.holder(settings.turns_path, thread_id)
    except PermissionError as error:
        raise _unknown_holder(thread_id, error) from error
    if turn_id:
        meta = meta_of(TurnDir(settings.turns_path / turn_id))
        return Holder(f"turn {turn_id}", turn_id, may_ask=may_ask(meta))
    if turn_id is not None:
        return Holder("a turn that is just starting")
    writer_lock = settings.codex_home / "thread-writer-locks" / f"{thread_id}.lock"
    if not has_own_server or _writer_pid(writer_lock) is None:
        return None
    _end_dead_writers(settings, thread_id)
    pid = _writer_pid(writer_lock)
    if pid is not None and _is_being_released(settings, thread_id):
        pid = _writer_after(writer_lock, _RELEASE_S)
    if pid is None:
        return None
    return Holder(f"another codex process (pid {pid})", pid=pid) if pid else Holder("another codex process")


def _unknown_holder(thread_id: str, error: PermissionError) -> HomeError:
    hint = "Another user's turn made it: wait for that one, or go on from a copy with --fork."
    return HomeError(f"it is not known who writes thread {thread_id}: {error.filename}: {error.strerror}", hint=hint)


def what_waits_in_thread(settings: Settings, thread_id: str) -> str | None:
    """What Codex would run in this thread before our turn, as text; None where nothing is known to be pending."""
    return what_waits(read_queue(settings.codex_home, thread_id), read_goal(settings.codex_home, thread_id))


def _writer_pid(writer_lock: Path) -> int | None:
    pid = holder_pid(writer_lock)
    try:
        return pid if pid is not None and lock.is_held(writer_lock) else None
    except PermissionError:  # another user's: only the kernel's answer is available
        return pid


def _is_being_released(settings: Settings, thread_id: str) -> bool:
    """Whether the newest turn of the thread has just ended on a shared or foreign server, which releases the thread
    about a second later (transport notes, section 3)."""
    for turn, meta in lookup.iter_meta(settings.turns_path):
        if meta.get("thread_id") == thread_id:
            finished_ms = parse_time_ms(meta.get("finished_at"))
            is_recent = finished_ms is not None and time.time() * 1000 - finished_ms < _RELEASE_S * 1000
            return meta.get("server") is not None and turn.marker is not None and is_recent
    return False


def _writer_after(writer_lock: Path, timeout_s: float) -> int | None:
    """The thread's writer after the present one has released it, or after the timeout."""
    deadline = time.monotonic() + timeout_s
    while (pid := _writer_pid(writer_lock)) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return pid


def _end_dead_writers(settings: Settings, thread_id: str) -> None:
    """End the codex of a killed worker, which survives it for a moment: reading the turn's status ends it."""
    for turn_id in lookup.turn_ids(settings.turns_path):
        turn = TurnDir(settings.turns_path / turn_id)
        if turn.marker is None and meta_of(turn).get("thread_id") == thread_id:
            status(turn)
