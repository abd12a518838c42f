"""Leftovers of dead processes: unfinished directories, small files beside the turns. Owns which have no owner left."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from codex_server_cli.disk import lock
from codex_server_cli.disk.gc.keeping import is_as_we_made_it
from codex_server_cli.disk.gc.removing import DELETED, hold, remove
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.turn.layout import UNPUBLISHED

_ORPHAN_AGE_S = 3600.0


def orphans(turns_path: Path) -> Iterator[Path]:
    """The directories of workers that died while filling them, and of collectors that died while deleting them.

    A half-deleted directory is deleted at any age: deleting it is idempotent. A half-made one is kept for an hour:
    between the creation of a directory and of its lock, a suspended creator cannot be told from a dead one, and a
    shorter wait would save only some kilobytes.
    """
    now = time.time()
    half_deleted = turns_path.glob(f"{DELETED}*")
    half_made = (path for path in turns_path.glob(f"{UNPUBLISHED}*") if _age_s(path, now) > _ORPHAN_AGE_S)
    yield from filter(is_as_we_made_it, half_deleted)
    yield from (path for path in half_made if is_as_we_made_it(path) and _is_free(path / "lock"))


def _is_free(path: Path) -> bool:
    try:
        return not lock.is_held(path)
    except PermissionError:  # another user's: unknown
        return False


def _age_s(path: Path, now: float) -> float:
    try:
        return now - path.lstat().st_mtime
    except OSError:
        return 0.0  # gone meanwhile


def delete_orphan(path: Path) -> int:
    """Delete it; return the bytes that this freed.

    Raises:
        OSError: the home is read-only, or nothing may be moved in its turns directory.
    """
    return remove(path, path.name.removeprefix(UNPUBLISHED).removeprefix(DELETED)) or 0


def delete_leftovers(home: Path, journal_age_s: float) -> int:
    """Delete the small files of dead turns, and old segments of the journal; return how many."""
    count = sum(_delete_free_lock(path) for path in (home / "threads").glob("*.lock"))
    with contextlib.suppress(OSError):  # another user's tickets, or the maker of a turn was suspended
        count += queue.sweep_tickets(home / "queue")
    with contextlib.suppress(OSError):  # a writer holds the lock, or the folder is not ours
        count += journal.drop_before(home, journal_age_s)
    return count


def _delete_free_lock(path: Path) -> bool:
    """Delete the lock file of a thread that no turn writes; return whether it is gone.

    It is deleted while we hold it: a process that opened it before and locks it afterwards finds it unlinked, and
    creates a new one (`thread_locks`).
    """
    fd = hold(path)
    if fd is None:
        return False
    try:
        path.unlink()
    except OSError:  # another user's folder, or one that is read-only now
        return False
    else:
        return True
    finally:
        os.close(fd)
