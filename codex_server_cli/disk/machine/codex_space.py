"""What Codex's own sessions take of the disk: a look within a bound of time. Must never write there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_FOLDERS = ("sessions", "archived_sessions")
_NAME = ".jsonl"
"""Is in the name of every session file; compressed ones have more behind it."""


class CodexSpace(NamedTuple):
    """The session files and their bytes; `is_whole` where all were looked at, else there are at least so many."""

    number: int
    n_bytes: int
    is_whole: bool


def sessions_space(codex_home: Path, has_time: Callable[[], bool]) -> CodexSpace:
    """What Codex's session files take; nothing for what does not exist or may not be read.

    Args:
        has_time: whether to look at one more file.
    """
    number = n_bytes = 0
    for entry in _files_below([os.path.join(codex_home, name) for name in _FOLDERS]):  # noqa: PTH118 — 100,000 of them
        if not has_time():
            return CodexSpace(number, n_bytes, is_whole=False)
        with contextlib.suppress(OSError):  # just deleted
            n_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
            number += 1
    return CodexSpace(number, n_bytes, is_whole=True)


def _files_below(folders: list[str]) -> Iterator[os.DirEntry[str]]:
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif _NAME in entry.name:
                    yield entry
