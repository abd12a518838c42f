"""The disk usage of Codex's own sessions, measured within a time limit. Must never write there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_FOLDERS = ("sessions", "archived_sessions")
_NAME = ".jsonl"
"""Part of the name of every session file; compressed ones have a further suffix."""


class CodexSpace(NamedTuple):
    """The number and bytes of session files: of all of them if `is_whole`, else a lower bound."""

    number: int
    n_bytes: int
    is_whole: bool


def sessions_space(codex_home: Path, has_time: Callable[[], bool]) -> CodexSpace:
    """The size of Codex's session files; zero for what does not exist or is not readable.

    Args:
        has_time: whether to read one more file's size.
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
