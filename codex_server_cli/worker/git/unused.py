"""The worktrees of deleted turns, and the turns that must be kept because of their worktree. For `gc`."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codex_server_cli.disk import lock
from codex_server_cli.disk.turn import lookup
from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.merge import is_applied
from codex_server_cli.worker.git.worktree_content import look

NOT_APPLIED = "not applied"
"""Why such a turn is kept: `apply` brings back the content of its worktree, and `gc --worktrees` deletes it."""
_SCRATCH_AGE_S = 3600.0
"""Far longer than a merge takes."""


class Worktrees:
    """The worktrees of a home, in one collection.

    Args:
        is_asked: whether those with unapplied changes may be deleted, too.
    """

    def __init__(self, home: Path, *, is_asked: bool = False) -> None:
        self._home = home
        self._is_asked = is_asked
        self._is_kept: dict[str, bool] = {}
        self._repositories: dict[str, str | None] = {}  # of the worktrees that we have checked, by path
        self._lost: dict[str, Mapping[str, Any]] = {}  # records of those whose folder is gone, by path

    def keeps(self, meta: Mapping[str, Any]) -> str | None:
        """Why a turn must be kept, by its `meta.json`: its worktree has unapplied changes; else None."""
        record = meta.get("worktree") or {}
        path = record.get("path")
        if path is None:
            return None
        if not os.path.lexists(path):
            if not record.get("is_removed"):
                self._lost[path] = record
            return None
        if path not in self._is_kept:  # several turns may have worked there
            self._repositories[path] = record.get("repository")
            self._is_kept[path] = not self._may_go(Path(path))
        return NOT_APPLIED if self._is_kept[path] else None

    def _may_go(self, path: Path) -> bool:
        if self._is_asked:
            return True
        try:
            if not worktree.is_whole(path) or look(path).is_as_made:
                return True
            repository = self._repositories.get(str(path))  # unknown if its turn was deleted before
            return repository is not None and is_applied(path, Path(repository))
        except (BadInputError, OSError):  # its repository is gone, or git fails
            return False

    def remove_unused(self) -> int:
        """Remove the worktrees that no turn has any more, and finish interrupted removals; return how many."""
        folder = worktree.folder_of(self._home)
        try:
            names = os.listdir(folder)  # noqa: PTH208 — names, not paths
        except OSError:  # there was never a worktree
            return 0
        for name in names:
            if name.startswith(worktree.GONE):
                self._finish(folder / name.removeprefix(worktree.GONE))
            elif name.startswith(worktree.SCRATCH):
                _delete_scratch(folder / name)
        paths = [folder / name for name in names if not name.startswith(".") and not name.endswith(".lock")]
        used = set(self._used()) if paths or self._lost else set()
        for path, record in self._lost.items():
            if path not in used and os.path.isdir(record["repository"]):  # noqa: PTH112 — as recorded
                worktree.remove(Path(path), Path(record["repository"]), base=record["base"])
                with contextlib.suppress(OSError):
                    worktree.lock_of(Path(path)).unlink(missing_ok=True)
        return sum(self._remove(path) for path in paths if str(path) not in used)

    def _used(self) -> Iterable[str]:
        for _, meta in lookup.iter_meta(self._home / "turns"):
            path = (meta.get("worktree") or {}).get("path")
            if path is not None:
                yield path

    def _finish(self, path: Path) -> None:
        if not os.path.lexists(path):
            worktree.remove(path)

    def _remove(self, path: Path) -> bool:
        """Remove a worktree, unless a turn works there."""
        try:
            fd = lock.try_acquire(worktree.lock_of(path))
        except OSError:  # another user's, or read-only
            return False
        if fd is None:
            return False
        try:
            if not self._may_go(path):
                return False
            worktree.remove(path)
            worktree.lock_of(path).unlink(missing_ok=True)
        finally:
            os.close(fd)
        return not os.path.lexists(path)


def _delete_scratch(path: Path) -> None:
    """Delete the leftovers of a killed process."""
    with contextlib.suppress(OSError):  # it is gone
        if time.time() - path.lstat().st_mtime > _SCRATCH_AGE_S:
            shutil.rmtree(path, ignore_errors=True)
