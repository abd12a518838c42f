"""How much of the disk a directory takes. Owns what counts: allocated blocks, as for `du`, of no link's target."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_BLOCK_BYTES = 512


def size_of(path: Path) -> int:
    """The bytes of all that is at `path`; what is gone, or may not be looked into (another user's), counts nothing."""
    total = _blocks_of(path)
    folders = [path]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                total += _blocks_of(entry)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
    return total * _BLOCK_BYTES


def _blocks_of(path: Path | os.DirEntry[str]) -> int:
    try:
        return os.lstat(path).st_blocks
    except OSError:  # it has just been replaced, or another collector is at work
        return 0
