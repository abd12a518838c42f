"""Liveness, asked of the kernel. Owns every `flock` of this program; knows nothing of what a lock protects.

A lock belongs to the open file description of the worker that took it, is not inherited by what it starts, and falls at
any death, `kill -9` included. Readers probe in shared mode: two readers who probed exclusively
would see each other as alive (a false "held" in 3 % of probes, measured). Native Windows has no flock; this module is
the one that needs a second body for it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from pathlib import Path
from types import FrameType


def create_locked(path: Path) -> int:
    """Create a lock file and hold it.

    Returns:
        The descriptor that holds the lock; not inheritable.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def try_lock(path: Path) -> int | None:
    """Hold an existing lock file exclusively: its descriptor, or None where anybody else holds it.

    Raises:
        OSError: the file cannot be opened.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    if _flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return fd
    os.close(fd)
    return None


def is_held(path: Path) -> bool:
    """Whether somebody alive holds the lock exclusively. A missing or unreadable file is not held."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(fd)


def wait_until_free(path: Path, timeout_s: float | None = None) -> bool:
    """Sleep in the kernel until nobody holds the lock: no polling, no idle cost. Main thread only with a timeout.

    Returns:
        False where the time ran out first.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        if timeout_s is None:
            fcntl.flock(fd, fcntl.LOCK_SH)
            return True
        return _flock_within(fd, timeout_s)
    finally:
        os.close(fd)


_LONGEST_S = 365 * 86400.0  # the timer takes no more than a `time_t` holds


class _TimeIsUpError(Exception):
    pass


def _on_alarm(_signum: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)  # once is enough: a second one could fire where nobody catches it
    raise _TimeIsUpError  # a handler that returns would let flock start over (PEP 475)


def _flock_within(fd: int, timeout_s: float) -> bool:
    if timeout_s <= 0:
        return _flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    previous = signal.signal(signal.SIGALRM, _on_alarm)
    try:
        # Repeats, so that an alarm which fires just before flock blocks is not the last one.
        signal.setitimer(signal.ITIMER_REAL, min(timeout_s, _LONGEST_S), 0.05)
        fcntl.flock(fd, fcntl.LOCK_SH)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except _TimeIsUpError:
        return False
    else:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _flock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
