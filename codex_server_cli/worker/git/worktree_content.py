"""The content of a worktree: whether anything was changed in it, and which of it `apply` never brings back.

`apply` does not bring back files that git ignores, repositories within the worktree, and files in the folder of a
submodule. All of these count as work, except caches, which a tool can recreate.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.worker.git.worktree import READ_TIMEOUT_S, refs_of, require_git_in, time_left

_CACHES = frozenset({"__pycache__", "node_modules"})
_MARKS = ("CACHEDIR.TAG", "pyvenv.cfg")
"""A file that marks its folder as a cache, or as a virtual environment of Python."""


class WorktreeContent(NamedTuple):
    """The content of a worktree.

    Attributes:
        is_as_made: it has no commit of its own, no file in git's status, and nothing in `left`.
        left: what `apply` does not bring back; a folder ends with `/`.
    """

    is_as_made: bool
    left: tuple[str, ...]


def look(path: Path, until_s: float | None = None) -> WorktreeContent:
    """Read the content of a worktree.

    Args:
        until_s: see `worktree.time_left`.

    Raises:
        BadInputError: git fails.
    """
    told = require_git_in(
        path,
        *("--no-optional-locks", "status", "--porcelain=v2", "--branch", "-z", "--no-renames"),
        # The turn wrote a submodule's folder: git must not run in it with a configuration that the turn wrote.
        *("--untracked-files=all", "--ignored=matching", "--ignore-submodules=all"),
        timeout_s=time_left(until_s, READ_TIMEOUT_S),
    ).split("\0")
    head = next((line.split(" ")[2] for line in told if line.startswith("# branch.oid ")), None)
    entries = [line for line in told if line and not line.startswith("# ")]
    ignored = [name[2:] for name in entries if name.startswith("! ") and _is_work(path, name[2:])]
    # Among untracked files, git lists only a repository as a folder.
    inner = [name[2:] for name in entries if name.startswith("? ") and name.endswith("/")]
    left = tuple(sorted([*ignored, *inner, *_in_submodules(path, until_s)]))
    has_changes = any(not line.startswith("! ") for line in entries)
    is_as_made = not has_changes and not left and head is not None and head == refs_of(path, until_s).get("base")
    return WorktreeContent(is_as_made, left)


def _in_submodules(path: Path, until_s: float | None) -> list[str]:
    """The folders of submodules that are not empty: git creates them empty."""
    entries = require_git_in(path, "ls-files", "-s", "-z", timeout_s=time_left(until_s, READ_TIMEOUT_S)).split("\0")
    names = [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]
    return [f"{name}/" for name in names if _is_work(path, f"{name}/")]


def _is_work(top: Path, name: str) -> bool:
    """Whether an ignored file, or any file in an ignored folder, is outside of caches."""
    place = top
    for part in name.rstrip("/").split("/"):
        place = place / part
        if _is_cache(place):
            return False
    if not name.endswith("/"):
        return True
    unreadable: list[OSError] = []
    for folder, folders, files in os.walk(place, onerror=unreadable.append):
        if files or any(Path(folder, each).is_symlink() for each in folders):
            return True
        folders[:] = [each for each in folders if not _is_cache(Path(folder, each))]
    return bool(unreadable)


def _is_cache(place: Path) -> bool:
    return place.is_dir() and (place.name in _CACHES or any(os.path.lexists(place / mark) for mark in _MARKS))
