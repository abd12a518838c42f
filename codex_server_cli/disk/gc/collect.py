"""Deleting what is no longer needed: old turns, unfinished directories, locks and tickets without an owner.

Owns the manner: never a running turn, never half of one, never what is not as we made it. Must never decide that a turn
has ended: one without a marker is handed to the repairer first.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.core.model.turn import State, parse_time_ms
from codex_server_cli.disk import lock
from codex_server_cli.disk.gc.stamp import DAY_S, STAMP, is_due
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import ended_at_ms, read_meta
from codex_server_cli.disk.turn.layout import SNAPSHOT, UNPUBLISHED, TurnDir
from codex_server_cli.disk.turn.reader import TurnReader

DELETED = ".gc-"
"""Prefix of a directory on its way out; readers ignore names that start with a dot."""

_REFUSALS = (errno.EROFS, errno.EACCES)
"""What says that nothing may be moved in a directory, whatever it is. EPERM speaks of one name alone (`chattr +i`)."""

_ORPHAN_AGE_S = 3600.0
_LOCK_TRIES = 10
_LOCK_POLL_S = 0.002


class Collected(NamedTuple):
    """What was deleted, or would be.

    Attributes:
        turn_ids: the turns; in a dry run those that could be had at that moment.
        orphans: how many directories of workers that died while making them, or of collectors while deleting them.
        freed_bytes: of the disk, by both.
        leftovers: how many small files of dead turns beside the turns (locks, tickets, journal segments); not looked
            for in a dry run.
        unreadable: the turns that stay because we may not read them: another user's.
    """

    turn_ids: tuple[str, ...]
    orphans: int
    freed_bytes: int
    leftovers: int = 0
    unreadable: tuple[str, ...] = ()


def collect_if_due(home: Path, gc_days: float, reader: TurnReader) -> bool:
    """Collect, where that was not done in the last 24 hours: of many workers that come at once, one does it.

    The stamp is touched before the work, so that a collector which dies over it is not followed by one a second. One
    from the future tells of a clock that was wrong, and counts as due.

    Args:
        home: the home.
        gc_days: how many days a turn stays after its end.
        reader: reads turns that have no marker, and repairs them where their worker is dead.

    Returns:
        Whether we did it.

    Raises:
        OSError: the home is gone, or cannot be written.
    """
    fd = lock.try_acquire(home / STAMP)
    if fd is None:
        return False
    try:
        if not is_due(home):  # whatever the caller saw: another may have done it since
            return False
        os.pwrite(fd, b"\n", 0)
        collect(home, gc_days * DAY_S, reader, is_dry_run=False, includes_named=False)
    finally:
        os.close(fd)
    return True


def collect(
    home: Path, older_than_s: float, reader: TurnReader, *, is_dry_run: bool, includes_named: bool
) -> Collected:
    """Delete the turns that ended longer ago than `older_than_s`, and what the dead left behind.

    A turn is deleted under its own lock, after a rename that takes it out of every reader's sight at once. A turn whose
    worker died without an end gets its end first, and its age counts from then.

    Args:
        reader: reads turns that have no marker, and repairs them where their worker is dead.

    Raises:
        OSError: the home is read-only, or nothing may be moved in its turns directory.
    """
    turns_path = home / "turns"
    orphans = list(_orphans(turns_path))
    freed_bytes = sum(_size_of(path) if is_dry_run else _delete_orphan(path) for path in orphans)
    turn_ids: list[str] = []
    unreadable: list[str] = []
    for turn in _old_turns(turns_path, older_than_s, reader, unreadable, includes_named=includes_named):
        freed = _delete(turn, is_dry_run=is_dry_run)
        if freed is not None:
            turn_ids.append(turn.turn_id)
            freed_bytes += freed
    leftovers = 0 if is_dry_run else _delete_leftovers(home, max(older_than_s, DAY_S))
    return Collected(tuple(turn_ids), len(orphans), freed_bytes, leftovers, tuple(unreadable))


def _old_turns(
    turns_path: Path, older_than_s: float, reader: TurnReader, unreadable: list[str], *, includes_named: bool
) -> Iterator[TurnDir]:
    """What may be deleted; the ids of those that we may not even read go to `unreadable`."""
    now_ms = time.time_ns() // 1_000_000
    for turn_id in lookup.turn_ids(turns_path):
        turn = TurnDir(turns_path / turn_id)
        if turn.marker is None:  # a marker proves an end whatever the lock says; most turns have one
            state = reader.state(turn)
            if state is State.UNREADABLE:
                unreadable.append(turn_id)
            if turn.marker is None:
                continue
        try:
            meta = read_meta(turn) or {"turn_id": turn_id, "name": "?"}  # it may have had a name
        except PermissionError:
            unreadable.append(turn_id)
            continue
        ended_ms = parse_time_ms(meta.get("finished_at")) or ended_at_ms(turn)
        is_old = ended_ms is not None and now_ms - ended_ms > older_than_s * 1000
        # The messages in `queued.json` exist nowhere else until they have been put back.
        is_kept = (meta.get("name") and not includes_named) or os.path.lexists(turn.queued)
        if is_old and not is_kept and meta.get("turn_id") == turn_id and _is_as_we_made_it(turn.path):
            yield turn


def _is_as_we_made_it(path: Path) -> bool:
    """A real turn directory with files, an inbox, pictures, a dead worker's snapshot: no link, no other tree."""
    try:
        info = path.lstat()
        with os.scandir(path) as entries:
            folders = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except OSError:  # another user's, or gone meanwhile
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and folders <= {"inbox", "images", SNAPSHOT}


def _delete(turn: TurnDir, *, is_dry_run: bool) -> int | None:
    """The bytes that it frees; None where the turn stays: its lock is held or gone, or another collector has it.

    Raises:
        OSError: as `collect`.
    """
    fd = _hold(turn.lock, _LOCK_TRIES)
    if fd is None:
        return None
    try:
        return _size_of(turn.path) if is_dry_run else _remove(turn.path, turn.turn_id)
    finally:
        os.close(fd)


def _hold(path: Path, tries: int = 1) -> int | None:
    """Hold a lock that nobody holds, over readers who probe it in passing; None where it is held, or no lock of ours.

    A name that no longer points at what we locked was taken from under us, by another collector.

    Raises:
        OSError: the file system is read-only.
    """
    for attempt in range(tries):
        if attempt:
            time.sleep(_LOCK_POLL_S)
        try:
            fd = lock.try_lock(path)
            if fd is None:
                continue
            if os.path.samestat(os.fstat(fd), path.lstat()):
                return fd
        except OSError as error:
            if error.errno == errno.EROFS:
                raise
            return None
        os.close(fd)
        return None
    return None


def _orphans(turns_path: Path) -> Iterator[Path]:
    """What workers left that died while filling it, and collectors that died while deleting.

    What is half deleted goes at any age: two who delete the same want the same. What is half made waits for an hour:
    between the making of a directory and of its lock nothing tells a maker that is alive but stopped there (a
    suspended machine) from a dead one, and what a shorter wait would win is some kilobytes.
    """
    now = time.time()
    half_deleted = turns_path.glob(f"{DELETED}*")
    half_made = (path for path in turns_path.glob(f"{UNPUBLISHED}*") if _age_s(path, now) > _ORPHAN_AGE_S)
    yield from filter(_is_as_we_made_it, half_deleted)
    yield from (path for path in half_made if _is_as_we_made_it(path) and _is_free(path / "lock"))


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


def _delete_orphan(path: Path) -> int:
    """The bytes that it freed."""
    return _remove(path, path.name.removeprefix(UNPUBLISHED).removeprefix(DELETED)) or 0


def _remove(path: Path, name: str) -> int | None:
    """The bytes that it freed; None where something is in the way.

    Under the name of deleted ones first: out of every reader's sight at once, and no maker who wakes up publishes half.

    Raises:
        OSError: as `collect`.
    """
    try:
        hidden = path.rename(path.with_name(DELETED + name))
    except OSError as error:
        if error.errno in _REFUSALS:
            raise
        return None
    size = _size_of(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
    return size - _size_of(hidden)


def _size_of(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for file in (Path(folder), *(Path(folder, name) for name in names)):
            with contextlib.suppress(OSError):  # another collector may be at work
                total += file.lstat().st_blocks * 512
    return total


def _delete_leftovers(home: Path, journal_age_s: float) -> int:
    """How many small files of dead turns are gone now, and segments of the journal that no monitor comes back for."""
    count = sum(_delete_free_lock(path) for path in (home / "threads").glob("*.lock"))
    with contextlib.suppress(OSError):  # another user's tickets, or the maker of a turn was suspended
        count += queue.sweep_tickets(home / "queue")
    with contextlib.suppress(OSError):  # a writer holds the lock, or the folder is not ours
        count += journal.drop_before(home, journal_age_s)
    return count


def _delete_free_lock(path: Path) -> bool:
    """Whether the lock of a thread that no turn writes is gone now.

    It goes while we hold it: whoever opened it before and locks it afterwards finds that its name is gone, and makes
    a new one (`threads`).
    """
    fd = _hold(path)
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
