"""The size of a directory on disk. Owns what counts: allocated blocks, as for `du`; links are not followed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_BLOCK_BYTES = 512


def size_of(path: Path) -> int:
    """The bytes of everything at `path`; what is gone, or not readable (another user's), does not count."""
    n_blocks, folders = 0, [os.fspath(path)]
    with contextlib.suppress(OSError):
        n_blocks = path.lstat().st_blocks
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                try:
                    n_blocks += entry.stat(follow_symlinks=False).st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                except OSError:  # it has just been replaced, or another collector is at work
                    continue
    return n_blocks * _BLOCK_BYTES
