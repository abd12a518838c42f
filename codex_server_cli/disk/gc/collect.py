"""Deleting what is no longer needed: ended turns beyond the bounds, unfinished directories, locks without an owner.

Owns the procedure: oldest first, never a running turn, never a part of one, never anything that we did not make. Must
never decide that a turn has ended: one without a marker is handed to the repairer first.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.core.model.collected import Collected, Gone, Why
from codex_server_cli.core.model.turn import State, derive_state, parse_time_ms
from codex_server_cli.disk import lock
from codex_server_cli.disk.gc import keeping
from codex_server_cli.disk.gc.bounds import Bounds, broken, exceeded, is_kept_by_name
from codex_server_cli.disk.gc.leftovers import delete_leftovers, delete_orphan, orphans
from codex_server_cli.disk.gc.removing import TURN_TRIES, hold, remove
from codex_server_cli.disk.gc.sizes import size_of
from codex_server_cli.disk.gc.stamp import DAY_S, STAMP, is_due
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import ended_at_ms, facts_of, read_meta
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader

Keeps = Callable[[Mapping[str, Any]], str | None]
"""Why a turn that exceeds a bound must be kept, by its `meta.json`; None where it may be deleted."""


def collect_if_due(home: Path, bounds: Bounds, reader: TurnReader, keeps: Keeps = lambda meta: None) -> bool:
    """Collect if the last collection was over 24 hours ago; of concurrent workers, only one does it.

    The stamp is touched before the work, so that a collector that dies is not followed by another one every second. A
    stamp from the future comes from a wrong clock, and counts as due.

    Args:
        home: the home.
        bounds: the bounds for ended turns.
        reader: reads turns that have no marker, and repairs them where their worker is dead.
        keeps: as for `collect`.

    Returns:
        Whether we did it.

    Raises:
        OSError: the home is gone, or cannot be written.
    """
    fd = lock.try_acquire(home / STAMP)
    if fd is None:
        return False
    try:
        if not is_due(home):  # another process may have collected since the caller's check
            return False
        os.pwrite(fd, b"\n", 0)
        collect(home, bounds, reader, is_dry_run=False, keeps=keeps)
    finally:
        os.close(fd)
    return True


def collect(
    home: Path, bounds: Bounds, reader: TurnReader, *, is_dry_run: bool, keeps: Keeps = lambda meta: None
) -> Collected:
    """Delete the ended turns that exceed the bounds, oldest first, and the leftovers of dead processes.

    A turn is deleted under its own lock, after a rename that hides it from every reader atomically. A turn whose worker
    died without an end gets its end first, and its age counts from then.

    Args:
        reader: reads turns that have no marker, and repairs them where their worker is dead.
        keeps: returns why a turn that exceeds a bound is kept anyway, beside the reasons in `keeping`.

    Raises:
        OSError: the home is read-only, or nothing may be moved in its turns directory.
    """
    turns_path = home / "turns"
    unfinished = list(orphans(turns_path))
    freed_bytes = sum(size_of(path) if is_dry_run else delete_orphan(path) for path in unfinished)
    unreadable: list[str] = []
    ended = _ended(turns_path, reader, unreadable)
    sizes = [size_of(turns_path / each.turn_id) if bounds.max_bytes is not None else 0 for each in ended]
    gone, kept = list[Gone](), Counter[str]()
    now_ms, n_left, left_bytes = time.time_ns() // 1_000_000, len(ended), sum(sizes)
    for n_older, (each, n_bytes) in enumerate(zip(ended, sizes, strict=True)):
        age_s = (now_ms - each.ended_ms) / 1000
        why = broken(bounds, age_s, len(ended) - n_older - 1, left_bytes)
        if why is None:
            continue
        turn = TurnDir(turns_path / each.turn_id)
        if each.has_name and is_kept_by_name(bounds, age_s):
            found: Gone | str | None = keeping.NAMED
        else:
            found = _delete(turn, age_s, why, keeps, is_dry_run=is_dry_run)
        if isinstance(found, str):
            kept[found] += 1
            continue
        n_left, left_bytes = n_left - 1, left_bytes - n_bytes  # by us, or by another collector
        if found is not None:
            gone.append(found)
            freed_bytes += found.n_bytes
    leftovers = 0 if is_dry_run else delete_leftovers(home, max(bounds.older_than_s, DAY_S))
    return Collected(
        tuple(gone),
        len(unfinished),
        freed_bytes,
        leftovers,
        tuple(unreadable),
        kept,
        n_left,
        left_bytes if bounds.max_bytes is not None else None,
        exceeded(bounds, n_left, left_bytes),
    )


def delete_one(turn: TurnDir, keeps: Keeps) -> str | None:
    """Delete one ended turn, whatever its age; return why it is kept, or None where it is deleted.

    Args:
        keeps: as for `collect`.

    Raises:
        OSError: as `collect`.
    """
    found = _delete(turn, 0.0, Why.AGE, keeps, is_dry_run=False)
    return found if isinstance(found, str) else None


class _EndedTurn(NamedTuple):
    """An ended turn, in little memory: there may be tens of thousands. Sorts by age."""

    ended_ms: int
    turn_id: str
    has_name: bool


def _ended(turns_path: Path, reader: TurnReader, unreadable: list[str]) -> list[_EndedTurn]:
    """All turns that have ended, oldest first; the ids of those that are not readable are added to `unreadable`."""
    found = []
    for turn_id in lookup.turn_ids(turns_path):
        turn = TurnDir(turns_path / turn_id)
        if turn.marker is None:  # a marker proves an end whatever the lock says; most turns have one
            state = reader.state(turn)
            if state is State.UNREADABLE:
                unreadable.append(turn_id)
            if turn.marker is None:
                continue
        try:
            meta = read_meta(turn) or {"name": "?"}  # it may have had one
        except PermissionError:
            unreadable.append(turn_id)
            continue
        ended_ms = parse_time_ms(meta.get("finished_at")) or ended_at_ms(turn)
        if ended_ms is not None:
            found.append(_EndedTurn(ended_ms, turn_id, bool(meta.get("name"))))
    return sorted(found)


def _delete(turn: TurnDir, age_s: float, why: Why, keeps: Keeps, *, is_dry_run: bool) -> Gone | str | None:
    """Delete a turn.

    Returns:
        What was deleted, or would be; or why the turn is kept; None where another collector deletes it.

    Raises:
        OSError: as `collect`.
    """
    try:
        meta = read_meta(turn) or {"turn_id": turn.turn_id}
        state = derive_state(facts_of(turn, lock_held=False))
    except PermissionError:
        return keeping.UNREADABLE
    reason = keeping.reason_to_keep(turn, meta) or keeps(meta)
    if reason is not None:
        return reason if turn.exists else None
    fd = hold(turn.lock, TURN_TRIES)
    if fd is None:
        return _hindrance(turn)
    try:
        freed = size_of(turn.path) if is_dry_run else remove(turn.path, turn.turn_id)
    finally:
        os.close(fd)
    return _hindrance(turn) if freed is None else Gone(turn.turn_id, meta.get("name"), state, age_s, freed, why)


def _hindrance(turn: TurnDir) -> str | None:
    """Why a turn could not be deleted; None where it is gone."""
    try:
        is_held = lock.is_held(turn.lock)
    except PermissionError:
        is_held = False
    if not turn.exists:
        return None
    return keeping.RUNNING if is_held else keeping.STUCK
