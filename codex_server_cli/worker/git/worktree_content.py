"""What a worktree holds: whether anything was changed in it, and what of that `apply` never brings.

Not brought are what git ignores, repositories within the worktree, and what lies in the folder of a submodule. All of
it counts as work, but for caches, which a tool makes again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.worker.git.worktree import READ_TIMEOUT_S, refs_of, require_git_in, time_left

_CACHES = frozenset({"__pycache__", "node_modules"})
_MARKS = ("CACHEDIR.TAG", "pyvenv.cfg")
"""A file that says of its folder that it is a cache, or a virtual environment of Python's."""


class WorktreeContent(NamedTuple):
    """What a worktree holds.

    Attributes:
        is_as_made: it has no commit of its own, no file that git would tell of, and nothing in `left`.
        left: what `apply` leaves in it; a folder ends with `/`.
    """

    is_as_made: bool
    left: tuple[str, ...]


def look(path: Path, until_s: float | None = None) -> WorktreeContent:
    """Look what a worktree holds.

    Args:
        until_s: see `worktree.time_left`.

    Raises:
        BadInputError: git cannot tell.
    """
    told = require_git_in(
        path,
        *("--no-optional-locks", "status", "--porcelain=v2", "--branch", "-z", "--no-renames"),
        # What a submodule's folder holds is the turn's: git must not run in it under a configuration of the turn's.
        *("--untracked-files=all", "--ignored=matching", "--ignore-submodules=all"),
        timeout_s=time_left(until_s, READ_TIMEOUT_S),
    ).split("\0")
    head = next((line.split(" ")[2] for line in told if line.startswith("# branch.oid ")), None)
    entries = [line for line in told if line and not line.startswith("# ")]
    ignored = [name[2:] for name in entries if name.startswith("! ") and _is_work(path, name[2:])]
    # Of all untracked files a repository is the one that git tells of by its folder.
    inner = [name[2:] for name in entries if name.startswith("? ") and name.endswith("/")]
    left = tuple(sorted([*ignored, *inner, *_in_submodules(path, until_s)]))
    has_changes = any(not line.startswith("! ") for line in entries)
    is_as_made = not has_changes and not left and head is not None and head == refs_of(path, until_s).get("base")
    return WorktreeContent(is_as_made, left)


def _in_submodules(path: Path, until_s: float | None) -> list[str]:
    """The folders of submodules that hold something: git makes them empty."""
    entries = require_git_in(path, "ls-files", "-s", "-z", timeout_s=time_left(until_s, READ_TIMEOUT_S)).split("\0")
    names = [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]
    return [f"{name}/" for name in names if _is_work(path, f"{name}/")]


def _is_work(top: Path, name: str) -> bool:
    """Whether an ignored file, or any file in an ignored folder, lies in no cache."""
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
