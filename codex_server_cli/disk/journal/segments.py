"""The files of an append-only log: segments, each named by the offset at which it begins in the whole log.

Owns their names, and that no symlink is followed: the folder is opened as itself, its files relative to it.
Must never know what a line is, or which process may write.
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
def opened(folder: Path, *, may_create: bool = False) -> Iterator[int]:
    """The folder's descriptor, as returned by `open_folder`."""
    fd = open_folder(folder, may_create=may_create)
    try:
        yield fd
    finally:
        os.close(fd)


def open_folder(folder: Path, *, may_create: bool = False) -> int:
    """Open the folder itself, never the target of a symlink.

    Args:
        may_create: create it if missing; but not its parent, which was deleted then.

    Raises:
        OSError: it is missing, is not a folder, or cannot be created.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(folder, flags)
    except FileNotFoundError:
        if not may_create:
            raise
    with contextlib.suppress(FileExistsError):  # another turn has just created it
        make_directory(folder, makes_parents=False)
    return os.open(folder, flags)


def bases_of(folder_fd: int) -> list[int]:
    """The start offsets of the segments, in order."""
    stems = (name.removesuffix(_SUFFIX) for name in os.listdir(folder_fd) if name.endswith(_SUFFIX))
    return sorted(int(stem) for stem in stems if len(stem) == _DIGITS and stem.isdecimal())


def opened_for_writing(folder_fd: int, base: int) -> contextlib.AbstractContextManager[int]:
    """A segment to append to; created if missing."""
    return opened_regular(_name_of(base), os.O_RDWR | os.O_APPEND | os.O_CREAT, dir_fd=folder_fd)


def read(folder_fd: int, base: int, start: int = 0, end: int | None = None) -> bytes:
    """The content of a segment from `start` to `end`; empty where it is missing."""
    try:
        fd = open_regular(_name_of(base), dir_fd=folder_fd)
    except OSError:  # deleted by a collector meanwhile
        return b""
    with open(fd, "rb", buffering=0) as file:  # noqa: PTH123 — a descriptor, not a path
        file.seek(start)
        return file.read() if end is None else file.read(max(0, end - start))


def facts_of(folder_fd: int, base: int) -> os.stat_result | None:
    """Size and times of a segment; None where it is missing."""
    try:
        return os.stat(_name_of(base), dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def delete(folder_fd: int, base: int) -> None:
    """Delete a segment."""
    os.unlink(_name_of(base), dir_fd=folder_fd)


def _name_of(base: int) -> str:
    return f"{base:0{_DIGITS}}{_SUFFIX}"
