"""One writer per thread. Owns the locks in the home's `threads` folder, one file for each thread that our turns write.

A worker holds its thread's lock from before its turn exists until codex has exited; the file names the turn. Codex's
own lock also shows writers other than our turns: `actions.start.threads` checks that one. Must never know a turn
directory.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from codex_server_cli.disk import lock
from codex_server_cli.disk.lock_holder import read_holder, write_holder
from codex_server_cli.disk.safe_open import ensure_directory, opened_regular

_PASSING_S = 0.02
"""Longer than a probe or a collector holds a free lock; neither is a writer."""
_NAMING_S = 0.5
"""How long a reader waits for the name of a writer that has just taken the lock, and is still creating its turn."""
_NAMING_POLL_S = 0.01


class ThreadLock:
    """The right to write a thread, for as long as `fd` is open."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    def name_holder(self, turn_id: str) -> None:
        """Record which turn holds it."""
        write_holder(self.fd, turn_id)

    def release(self) -> None:
        """Release the lock. The file is deleted first, so that the folder holds only files in use."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)


def folder_of(turns_path: Path) -> Path:
    """The folder of a home's thread locks, given its turns folder."""
    return turns_path.parent / "threads"


def claim(turns_path: Path, thread_id: str) -> ThreadLock | None:
    """The right to write a thread; None where another of our turns holds it.

    Raises:
        OSError: the home cannot be written.
    """
    folder = folder_of(turns_path)
    ensure_directory(folder, may_be_link=False)
    path = _path_of(folder, thread_id)
    fd = lock.acquire(path, _PASSING_S)
    return ThreadLock(path, fd) if fd is not None else None


def holder(turns_path: Path, thread_id: str) -> str | None:
    """The id of our turn that writes a thread; "" where the id is unknown, None where there is no writer.

    Raises:
        PermissionError: another user's turn may be writing it.
    """
    path = _path_of(folder_of(turns_path), thread_id)
    deadline = time.monotonic() + _NAMING_S
    while (name := _name_at(path)) == "" and time.monotonic() < deadline:
        time.sleep(_NAMING_POLL_S)
    return name


def _name_at(path: Path) -> str | None:
    """As `holder`, without waiting for the name."""
    if not lock.is_held(path):
        return None
    with contextlib.suppress(FileNotFoundError), opened_regular(path) as fd:  # released meanwhile
        return read_holder(fd) or ""
    return None


def _path_of(folder: Path, thread_id: str) -> Path:
    """Codex's ids are UUIDs; any other id still becomes a plain file name."""
    return folder / f"{re.sub(r'[^0-9A-Za-z-]', '_', thread_id)[:100]}.lock"
