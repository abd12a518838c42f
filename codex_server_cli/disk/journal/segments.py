"""The files of an append-only log: segments, each named by the offset at which it begins in the whole of it.

Owns their names, and that none of them is reached through a link: the folder is opened as itself, its files from there.
Must know neither what a line is nor who may write.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from codex_server_cli.disk.safe_open import make_directory, open_regular, opened_regular

_DIGITS = 20
_SUFFIX = ".jsonl"


@contextlib.contextmanager
def opened(folder: Path, *, is_made: bool = False) -> Iterator[int]:
    """The folder's descriptor, as `open_folder` gives it."""
    fd = open_folder(folder, is_made=is_made)
    try:
        yield fd
    finally:
        os.close(fd)


def open_folder(folder: Path, *, is_made: bool = False) -> int:
    """Open the folder itself, never what a link of its name points at.

    Args:
        is_made: make it where it is missing; but not what it stands in, which somebody has deleted then.

    Raises:
        OSError: it is not there, is no folder, or cannot be made.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(folder, flags)
    except FileNotFoundError:
        if not is_made or not folder.parent.is_dir():
            raise
    with contextlib.suppress(FileExistsError):  # another turn has just made it
        make_directory(folder)
    return os.open(folder, flags)


def bases_of(folder_fd: int) -> list[int]:
    """Where the segments begin, in order."""
    stems = (name.removesuffix(_SUFFIX) for name in os.listdir(folder_fd) if name.endswith(_SUFFIX))
    return sorted(int(stem) for stem in stems if len(stem) == _DIGITS and stem.isdecimal())


def opened_for_writing(folder_fd: int, base: int) -> contextlib.AbstractContextManager[int]:
    """A segment to append to; made where it is missing."""
    return opened_regular(_name_of(base), os.O_RDWR | os.O_APPEND | os.O_CREAT, dir_fd=folder_fd)


def read(folder_fd: int, base: int, start: int = 0, end: int | None = None) -> bytes:
    """What a segment holds from `start` on, up to `end`; empty where it is not there, or not any more."""
    try:
        fd = open_regular(_name_of(base), dir_fd=folder_fd)
    except OSError:  # dropped by a collector meanwhile
        return b""
    with open(fd, "rb", buffering=0) as file:  # noqa: PTH123 — a descriptor, not a path
        file.seek(start)
        return file.read() if end is None else file.read(max(0, end - start))


def facts_of(folder_fd: int, base: int) -> os.stat_result | None:
    """Size and times of a segment; None where it is not there."""
    try:
        return os.stat(_name_of(base), dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def delete(folder_fd: int, base: int) -> None:
    """Delete a segment."""
    os.unlink(_name_of(base), dir_fd=folder_fd)


def _name_of(base: int) -> str:
    return f"{base:0{_DIGITS}}{_SUFFIX}"
