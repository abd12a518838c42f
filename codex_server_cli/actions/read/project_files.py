"""The file names of a project, for completion. Owns how they are found, and how many at most."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from codex_server_cli.worker.git.git import run_git

MOST_FILES = 20_000
_GIT_S = 5.0
_WALK_S = 1.0
_HEAVY = frozenset({"node_modules", "__pycache__", "target", "dist", "build", "venv"})


def project_files(cwd: str) -> list[str]:
    """The files below a directory, relative to it: those that git would show, else those of a short walk.

    A name that is not printable is left out: it cannot be typed.
    """
    found = _of_git(cwd)
    names = _walked(cwd) if found is None else found
    return sorted({name for name in names if name and name.isprintable()})[:MOST_FILES]


def _of_git(cwd: str) -> list[str] | None:
    """The files that git lists; None where there is no repository or no git, or git takes too long."""
    try:
        output = run_git(Path(cwd), *("ls-files", "-z", "--cached", "--others", "--exclude-standard"), timeout_s=_GIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if output.complaint else os.fsdecode(output.stdout).split("\0")


def _walked(cwd: str) -> Iterator[str]:
    until_s, count = time.monotonic() + _WALK_S, 0
    for folder, folders, files in os.walk(cwd):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _HEAVY)
        for name in files:
            yield os.path.relpath(f"{folder}/{name}", cwd)
            count += 1
        if count >= MOST_FILES or time.monotonic() > until_s:
            return
