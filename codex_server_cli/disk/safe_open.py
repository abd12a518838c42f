"""Opening and creating our files safely. Owns that no symlink is followed, only regular files are read, modes private.

A command of a turn can plant files where it may write (a home inside its workspace): a symlink that redirects our
writes, a FIFO on which a reader would hang. So the file type is checked before use, and modes are set, not left to the
umask: the umask is the user's, and codex inherits it for the user's files.
Must never import `typing` or `json`: a queued turn imports it, so it stays light.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# Without O_NONBLOCK, opening a FIFO waits for its other side; for a regular file it has no effect.
_SAFE_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR
_PRIVATE_FILE, _PRIVATE_DIRECTORY = 0o600, 0o700


def open_regular(path: Path | str, flags: int = os.O_RDONLY, *, dir_fd: int | None = None) -> int:
    """Open a regular file. One that is opened for writing gets mode 0600, whatever the umask.

    Args:
        flags: as for `os.open`; O_CREAT and O_EXCL too.
        dir_fd: an open directory that `path` is relative to.

    Returns:
        A descriptor; not inheritable.

    Raises:
        OSError: it cannot be opened, or is a symlink, a directory, a FIFO or a device.
    """
    fd = os.open(path, flags | _SAFE_FLAGS, _PRIVATE_FILE, dir_fd=dir_fd)
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    if flags & _WRITE_FLAGS and stat.S_IMODE(mode) != _PRIVATE_FILE:
        try:
            os.fchmod(fd, _PRIVATE_FILE)
        except OSError:
            os.close(fd)
            raise
    return fd


@contextlib.contextmanager
def opened_regular(path: Path | str, flags: int = os.O_RDONLY, *, dir_fd: int | None = None) -> Iterator[int]:
    """As `open_regular`, closed at the end of the block."""
    fd = open_regular(path, flags, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def open_fifo(path: Path, flags: int) -> int:
    """Open a FIFO without waiting for its other side.

    Raises:
        OSError: as `open_regular`, for anything but a FIFO; it has no reader (ENXIO).
    """
    fd = os.open(path, flags | _SAFE_FLAGS)
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "Not a FIFO", str(path))
    return fd


def make_fifo(path: Path) -> None:
    """Create a FIFO of mode 0600.

    Raises:
        OSError: it cannot be created, or the path exists.
    """
    os.mkfifo(path, _PRIVATE_FILE)
    path.chmod(_PRIVATE_FILE)


def send_byte(path: Path) -> bool:
    """Wake the reader of a FIFO, without waiting for it.

    Returns:
        False where there is no reader, or no FIFO.
    """
    try:
        fd = open_fifo(path, os.O_WRONLY)
        try:
            os.write(fd, b"!")
        finally:
            os.close(fd)
    except BlockingIOError:  # full of unread bytes: it will wake
        return True
    except OSError:  # its reader has ended, perhaps just now
        return False
    return True


def make_directory(path: Path, *, makes_parents: bool = True) -> None:
    """Create a directory of mode 0700.

    Args:
        makes_parents: create its missing parents, too; otherwise they are an error.

    Raises:
        OSError: it cannot be created, or the path exists.
    """
    try:
        path.mkdir(_PRIVATE_DIRECTORY)
    except FileNotFoundError:
        if not makes_parents or path.parent == path:
            raise
        with contextlib.suppress(FileExistsError):  # created concurrently
            make_directory(path.parent)
        path.mkdir(_PRIVATE_DIRECTORY)
    path.chmod(_PRIVATE_DIRECTORY)


def ensure_directory(path: Path, *, may_be_link: bool = True) -> None:
    """Create a directory if missing, as `make_directory` does.

    Args:
        may_be_link: whether a symlink to a directory is accepted.

    Raises:
        OSError: it cannot be created, or is something else.
    """
    is_there = Path.is_dir if may_be_link else is_directory
    if not is_there(path):
        try:
            make_directory(path)
        except FileExistsError:
            if not is_there(path):
                raise


def tighten_directory(path: Path) -> None:
    """Remove the rights of group and others from a directory that we own; a symlink is left alone."""
    with contextlib.suppress(OSError):  # another user's, or on a read-only disk
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
            path.chmod(_PRIVATE_DIRECTORY)


def is_directory(path: Path) -> bool:
    """Whether the path is a directory, not a symlink to one."""
    return stat.S_ISDIR(_mode_of(path))


def is_regular(path: Path) -> bool:
    """Whether the path is a regular file, not a symlink to one."""
    return stat.S_ISREG(_mode_of(path))


def _mode_of(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:  # missing, or the name is too long
        return 0
