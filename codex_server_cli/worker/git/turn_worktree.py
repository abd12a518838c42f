"""The worktree of one turn, as recorded in its `meta.json`. Owns when it is made, and when it is removed.

The launcher has checked the repository, and recorded what to make: `repository` (its top level), `prefix` (of the
turn's directory in it), `base` (a commit), `started_in` (the directory as the user named it), and `name` where one was
asked for. A turn that continues in an earlier turn's worktree has that one's record, with `path` and `branch` too;
then `is_removed` means that the folder must be made again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codex_server_cli.disk import lock
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError, BusyError, CodexServerError, HomeError
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.worktree_content import look
from codex_server_cli.worker.log import say

CANCEL_TIMEOUT_S = 2.0
"""A `cancel` waits for the turn's end (`control.CANCEL_TIMEOUT_S`); after this time the rest is left to `gc`."""
_REPAIR_TIMEOUT_S = 5.0
"""A reader waits for a repairer; after this time the rest is left to `gc`."""


def cwd_in(record: dict[str, Any]) -> str:
    """The turn's directory within its worktree."""
    return os.path.join(str(record["path"]), str(record["prefix"])).rstrip("/")  # noqa: PTH118 — any name


def enter(
    directory: TurnDir, meta: dict[str, Any], save: Callable[[dict[str, Any]], None], *, until_s: float | None = None
) -> int:
    """Make the worktree, unless it is an existing one of an earlier turn, and hold it.

    Args:
        meta: afterwards names the worktree, and the turn's directory in it.
        save: writes `meta`: before anything is made, so that the leftovers of a killed worker can be found; and after.
        until_s: see `worktree.time_left`.

    Returns:
        The descriptor that holds it.

    Raises:
        BadInputError: git cannot make it; nothing is left behind.
        BusyError: another process is making or removing it.
        HomeError: the home cannot be written.
    """
    is_new = meta["worktree"]["path"] is None
    if is_new:
        path = worktree.folder_of(directory.path.parents[1]) / (meta["worktree"]["name"] or directory.turn_id)
        meta["worktree"] |= {"path": str(path), "branch": worktree.branch_of(path), "is_removed": True}
    record = meta["worktree"]
    path, repository = Path(record["path"]), Path(record["repository"])
    try:
        save(meta)
        worktree.prepare_folder(path)
        if is_new:
            _make(directory, path, repository, record["base"], is_new=True, until_s=until_s)
        fd = _hold(path, until_s)
        while not _is_there(path):  # it may have been removed before we held it
            os.close(fd)
            _make(directory, path, repository, record["base"], is_new=False, until_s=until_s)
            fd = _hold(path, until_s)
        cwd = cwd_in(record)
        os.makedirs(cwd, exist_ok=True)  # noqa: PTH103 — git does not create directories without files
        if not f"{os.path.realpath(cwd)}/".startswith(f"{path}/"):
            leave({"worktree": record}, fd)
            raise BadInputError(f"{record['prefix']} is a link in the last commit, and leads out of the worktree")
    except OSError as error:
        raise HomeError(f"cannot make the worktree {path}: {error.strerror}", hint="Free some space.") from error
    meta["worktree"] = record | {"is_removed": False}
    meta["cwd"] = cwd
    with contextlib.suppress(OSError):  # it is written again with what Codex reports
        save(meta)
    return fd


def _is_there(path: Path) -> bool:
    """Whether it can be used; True in doubt: the turn then gets git's error."""
    if not os.path.lexists(path):
        return False
    try:
        return worktree.is_whole(path)
    except BadInputError:
        return True


def _make(directory: TurnDir, path: Path, repository: Path, base: str, *, is_new: bool, until_s: float | None) -> None:
    fd = _hold_alone(path, until_s, is_new=is_new)
    is_made = False
    try:
        if is_new and os.path.lexists(path):
            raise BadInputError(f"{path} is in the way of the worktree")
        if is_new or not _is_there(path):  # another turn may have made it meanwhile
            if not is_new:
                worktree.remove(path, repository, base=base)  # leftovers of a killed worker
            worktree.make(path, repository, base, directory.turn_id, is_again=not is_new, until_s=until_s)
        is_made = True
    finally:
        if not is_made:
            worktree.lock_of(path).unlink(missing_ok=True)
        os.close(fd)


def _hold_alone(path: Path, until_s: float | None, *, is_new: bool) -> int:
    if is_new:
        try:
            return lock.create_locked(worktree.lock_of(path))
        except FileExistsError as error:
            raise BadInputError(f"there is already a worktree {path.name}") from error
    fd = lock.acquire(worktree.lock_of(path), worktree.time_left(until_s, worktree.MAKE_TIMEOUT_S))
    if fd is None:
        raise _busy(path)
    return fd


def _hold(path: Path, until_s: float | None) -> int:
    fd = worktree.hold(path, worktree.time_left(until_s, worktree.MAKE_TIMEOUT_S))
    if fd is None:
        raise _busy(path)
    return fd


def _busy(path: Path) -> BusyError:
    return BusyError(f"another process is at work on the worktree {path}", hint="Try again in a minute.")


def leave(meta: dict[str, Any], fd: int | None = None, *, timeout_s: float = worktree.READ_TIMEOUT_S) -> bool:
    """Remove the worktree at the turn's end, if nothing changed in it and no other turn works there. Never raises.

    Args:
        meta: records the removal.
        fd: the descriptor that holds it; closed here. None for a turn whose worker is dead.
        timeout_s: for all git runs together.

    Returns:
        Whether `meta` was changed.
    """
    record = meta["worktree"]
    path, until_s = Path(record["path"]), time.monotonic() + timeout_s
    if fd is not None:
        os.close(fd)
    try:
        alone = lock.try_acquire(worktree.lock_of(path)) if worktree.lock_of(path).exists() else None
    except OSError as error:
        say(f"the worktree {path} stays: {error}")
        return False
    if alone is None:  # another turn works in it, or nothing was made
        return False
    try:
        if os.path.lexists(path):
            if worktree.is_whole(path, until_s) and not look(path, until_s).is_as_made:
                return False
        elif not record["is_removed"] and not os.path.lexists(worktree.hidden(path)):
            return False  # the user has removed it, with the turn's files
        is_done = worktree.remove(path, Path(record["repository"]), base=record["base"], until_s=until_s)
        worktree.lock_of(path).unlink(missing_ok=True)
        if not is_done:  # `gc` finds in `meta` that it must be removed
            say(f"branch or refs of the worktree {path} may be left: git has failed, or taken too long")
            return False
    except (CodexServerError, OSError) as error:
        say(f"the worktree {path} stays: {error}")
        return False
    finally:
        os.close(alone)
    meta["worktree"] = record | {"is_removed": True}
    return True


def clean_up(turn: TurnDir, meta: dict[str, Any]) -> None:
    """The same for a dead worker's turn, whose lock the caller holds."""
    from codex_server_cli.disk.files import write_json

    path = meta["worktree"].get("path")
    is_here = path is not None and Path(path).parent == worktree.folder_of(turn.path.parents[1])  # not in a copied home
    if is_here and leave(meta, timeout_s=_REPAIR_TIMEOUT_S):
        write_json(turn.meta, meta)
