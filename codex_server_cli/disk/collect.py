"""Deleting turns that nobody needs any more. Owns the manner: never a running one, never half of one."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.core.turn import parse_time_ms
from codex_server_cli.disk import lock
from codex_server_cli.disk.turn_dir import UNPUBLISHED, TurnDir
from codex_server_cli.disk.turns import iter_meta

DELETED = ".gc-"
"""Prefix of a directory on its way out; readers ignore names that start with a dot."""

_ORPHAN_AGE_S = 3600.0


class Collected(NamedTuple):
    """What was deleted, or would be."""

    turn_ids: tuple[str, ...]
    orphans: int
    freed_bytes: int


def collect(turns_path: Path, older_than_s: float, *, is_dry_run: bool, includes_named: bool) -> Collected:
    """Delete the turns that ended longer ago than `older_than_s`, and what dead workers left half-made.

    A turn is deleted under its own lock, after a rename that takes it out of every reader's sight at once; one whose
    end nobody has published yet (no marker) is left to the repairer.

    Raises:
        OSError: the turns directory cannot be written.
    """
    now_ms = time.time_ns() // 1_000_000
    turn_ids, freed_bytes = [], 0
    for turn, meta in iter_meta(turns_path):
        ended_ms = parse_time_ms(meta.get("finished_at"))
        is_old = ended_ms is not None and now_ms - ended_ms > older_than_s * 1000
        if not is_old or turn.marker is None or (meta.get("name") and not includes_named):
            continue
        size = _size_of(turn.path)
        if is_dry_run or _delete(turn):
            turn_ids.append(turn.turn_id)
            freed_bytes += size
    orphans = list(_orphans(turns_path))
    freed_bytes += sum(_size_of(path) for path in orphans)
    if not is_dry_run:
        for path in orphans:
            shutil.rmtree(path, ignore_errors=True)
    return Collected(tuple(turn_ids), len(orphans), freed_bytes)


def _delete(turn: TurnDir) -> bool:
    """Whether the turn is gone now; one that is not as we made it, or that another collector has, is left."""
    try:
        fd = lock.try_lock(turn.lock)
    except OSError:
        return False
    if fd is None:
        return False
    try:
        hidden = turn.path.with_name(f"{DELETED}{turn.turn_id}")
        turn.path.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(fd)


def _orphans(turns_path: Path) -> Iterator[Path]:
    """Directories of workers that died while filling them, and of collectors that died while deleting."""
    now = time.time()
    for prefix in (UNPUBLISHED, DELETED):
        for path in turns_path.glob(f"{prefix}*"):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > _ORPHAN_AGE_S and not lock.is_held(path / "lock"):
                    yield path


def _size_of(path: Path) -> int:
    total = 0
    for file in path.rglob("*"):
        with contextlib.suppress(OSError):
            total += file.lstat().st_blocks * 512
    return total
