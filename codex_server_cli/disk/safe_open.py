"""How a file of ours is opened and made: no link is followed, only regular files are read, nobody else may look.

What a command of a turn may write to (a home inside its workspace) it may also plant things in: a link that leads our
words elsewhere, a FIFO at which a reader would hang. So whatever stands in a file's place is looked at before it is
used, and modes are set, not left to the umask: the umask is the user's, and codex inherits it for the user's files.
Must stay light, because a queued turn imports it: no `typing`, no `json`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# Without O_NONBLOCK the opening of a FIFO waits for its other side; for a regular file it means nothing.
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITING = os.O_WRONLY | os.O_RDWR
_PRIVATE_FILE, _PRIVATE_DIRECTORY = 0o600, 0o700


def open_regular(path: Path | str, flags: int = os.O_RDONLY, *, dir_fd: int | None = None) -> int:
    """Open a regular file. One that is opened for writing is its owner's alone from then on, whatever the umask.

    Args:
        flags: as for `os.open`; O_CREAT and O_EXCL too.
        dir_fd: an open directory that `path` starts from.

    Returns:
        A descriptor; not inheritable.

    Raises:
        OSError: it cannot be opened, or it is a link, a directory, a FIFO or a device.
    """
    fd = os.open(path, flags | _CAREFUL, _PRIVATE_FILE, dir_fd=dir_fd)
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    if flags & _WRITING and stat.S_IMODE(mode) != _PRIVATE_FILE:
        try:
            os.fchmod(fd, _PRIVATE_FILE)
        except OSError:
            os.close(fd)
            raise
    return fd


@contextlib.contextmanager
def opened_regular(path: Path | str, flags: int = os.O_RDONLY, *, dir_fd: int | None = None) -> Iterator[int]:
    """The same for as long as a block lasts."""
    fd = open_regular(path, flags, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def open_fifo(path: Path, flags: int) -> int:
    """Open a FIFO without waiting for its other side.

    Raises:
        OSError: as `open_regular`, for what is no FIFO; nobody reads it (ENXIO).
    """
    fd = os.open(path, flags | _CAREFUL)
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "Not a FIFO", str(path))
    return fd


def make_fifo(path: Path) -> None:
    """Make a FIFO that is its owner's alone.

    Raises:
        OSError: it cannot be made, or something is there.
    """
    os.mkfifo(path, _PRIVATE_FILE)
    path.chmod(_PRIVATE_FILE)


def send_byte(path: Path) -> bool:
    """Wake who reads a FIFO, without waiting for it.

    Returns:
        False where there is no reader, or no FIFO.
    """
    try:
        fd = open_fifo(path, os.O_WRONLY)
        try:
            os.write(fd, b"!")
        finally:
            os.close(fd)
    except BlockingIOError:  # full of bytes that are yet to be read: it will wake
        return True
    except OSError:  # its reader has ended, maybe just now
        return False
    return True


def make_directory(path: Path) -> None:
    """Make a directory that is its owner's alone, and those above it that are missing.

    Raises:
        OSError: it cannot be made, or something is there.
    """
    try:
        path.mkdir(_PRIVATE_DIRECTORY)
    except FileNotFoundError:
        if path.parent == path:
            raise
        with contextlib.suppress(FileExistsError):  # somebody else made it meanwhile
            make_directory(path.parent)
        path.mkdir(_PRIVATE_DIRECTORY)
    path.chmod(_PRIVATE_DIRECTORY)


def ensure_directory(path: Path, *, may_be_link: bool = True) -> None:
    """Make a directory where none is, as `make_directory` does.

    Args:
        may_be_link: whether a link to one will do.

    Raises:
        OSError: it cannot be made, or is something else.
    """
    is_there = Path.is_dir if may_be_link else is_directory
    if not is_there(path):
        try:
            make_directory(path)
        except FileExistsError:
            if not is_there(path):
                raise


def tighten_directory(path: Path) -> None:
    """Take from everybody else what they may do in a directory, where it is ours to say; a link is left alone."""
    with contextlib.suppress(OSError):  # another user's, or on a disk that is read-only
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
            path.chmod(_PRIVATE_DIRECTORY)


def is_directory(path: Path) -> bool:
    """Whether there is a directory itself, and not a link to one."""
    return stat.S_ISDIR(_mode_of(path))


def is_regular(path: Path) -> bool:
    """Whether there is a regular file itself, and not a link to one."""
    return stat.S_ISREG(_mode_of(path))


def _mode_of(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:  # not there, or a name that is too long
        return 0
