"""Liveness by kernel locks. Owns every `flock` of this program; must never know what a lock protects.

A lock belongs to the open file description of the worker that took it, is not inherited by its children, and is
released at any death, `kill -9` included. Readers probe in shared mode: two readers that probed exclusively would see
each other as alive (a false "held" in 3 % of probes, measured). Native Windows has no flock: a port needs a second
implementation of this module only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from codex_server_cli.disk.safe_open import open_regular

_TAKE_POLL_S = 0.001
_RETRY_S = 0.005


def create_locked(path: Path) -> int:
    """Create a lock file and hold it.

    Returns:
        The descriptor that holds the lock; not inheritable.
    """
    fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def try_lock(path: Path) -> int | None:
    """Lock an existing lock file exclusively: its descriptor, or None where another process holds it.

    Raises:
        OSError: the file cannot be opened, or is a symlink, a FIFO or the like.
    """
    fd = open_regular(path, os.O_RDWR)
    if _flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return fd
    os.close(fd)
    return None


def try_acquire(path: Path) -> int | None:
    """As `try_lock`, for a file that is created if missing and that its holder may delete."""
    return acquire(path, 0.0)


def acquire_unless(path: Path, timeout_s: float, should_give_up: Callable[[], bool]) -> int | None:
    """As `try_acquire`, with retries: readers probe the lock briefly, and others hold it for a while.

    Args:
        should_give_up: called between two tries: whether to give up.

    Returns:
        The descriptor that holds it; None where it stayed held for `timeout_s`, or `should_give_up` gave up.

    Raises:
        OSError: the file can be neither opened nor created.
    """
    deadline = time.monotonic() + timeout_s
    while (fd := try_acquire(path)) is None:
        if should_give_up() or time.monotonic() > deadline:
            return None
        time.sleep(_RETRY_S)
    return fd


def acquire(path: Path, timeout_s: float) -> int | None:
    """As `try_acquire`, but sleep in the kernel until it is free. Main thread only.

    Returns:
        The descriptor that holds it; None where it stayed held for `timeout_s`.
    """
    while True:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
        if not _flock_within(fd, fcntl.LOCK_EX, timeout_s):
            os.close(fd)
            return None
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)  # its holder deleted it before the release: we have locked a file without a name


def take(fd: int, timeout_s: float) -> bool:
    """Lock an open file exclusively: for a lock that is held for moments only, but by a process that may be stopped.

    Returns:
        False where it stayed held for `timeout_s`.
    """
    return _flock_by_polling(fd, fcntl.LOCK_EX, timeout_s, _TAKE_POLL_S)


def probe(path: Path) -> int | None:
    """A descriptor that holds the lock shared; None where the file is missing or locked exclusively."""
    try:
        fd = open_regular(path, os.O_RDWR)
    except OSError:  # just released and deleted, or another user's
        return None
    if _flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB):
        return fd
    os.close(fd)
    return None


def is_own(fd: int, path: Path) -> bool:
    """Whether `path` still names the lock file open as `fd`: neither deleted nor replaced."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    except OSError:  # a process that may not read the directory cannot lock either
        return True
    return os.path.samestat(os.fstat(fd), found)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock exclusively. A missing or non-regular file is not held.

    Raises:
        PermissionError: not readable: another user's.
    """
    try:
        fd = open_regular(path)
    except PermissionError:
        raise
    except OSError:  # deleted with its turn, or replaced by something else
        return False
    try:
        return not _flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(fd)


def wait_until_free(path: Path, timeout_s: float | None = None) -> bool:
    """Sleep in the kernel until the lock is free: no polling, no idle cost, except with a timeout off the main thread.

    Returns:
        False where the timeout came first.
    """
    try:
        fd = open_regular(path)
    except OSError:
        time.sleep(_PAUSE_S)  # a caller that retries must not spin on a lock that cannot be opened
        return True
    try:
        if timeout_s is None:
            fcntl.flock(fd, fcntl.LOCK_SH)
            return True
        return _flock_within(fd, fcntl.LOCK_SH, timeout_s)
    finally:
        os.close(fd)


_PAUSE_S = 0.05
_LONGEST_S = 365 * 86400.0  # the timer takes no more than fits a `time_t`


class _AlarmError(Exception):
    pass


def _on_alarm(_signum: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)  # a second alarm could fire where it is not caught
    raise _AlarmError  # if the handler returned, flock would be restarted (PEP 475)


def _flock_within(fd: int, operation: int, timeout_s: float) -> bool:
    if timeout_s <= 0:
        return _flock(fd, operation | fcntl.LOCK_NB)
    try:
        previous = signal.signal(signal.SIGALRM, _on_alarm)
    except ValueError:  # not the main thread, in which the alarm would fire
        return _flock_by_polling(fd, operation, timeout_s, _PAUSE_S)
    try:
        # Repeats, so that an alarm which fires just before flock blocks is not the last one.
        signal.setitimer(signal.ITIMER_REAL, min(timeout_s, _LONGEST_S), 0.05)
        fcntl.flock(fd, operation)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except _AlarmError:
        return _flock(fd, operation | fcntl.LOCK_NB)  # on a busy machine it may have fired before flock was called
    else:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _flock_by_polling(fd: int, operation: int, timeout_s: float, pause_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not (is_locked := _flock(fd, operation | fcntl.LOCK_NB)) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return is_locked


def _flock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
