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
    """Hold an existing lock file exclusively: its descriptor, or None where anybody else holds it.

    Raises:
        OSError: the file cannot be opened, or is a link, a FIFO or the like.
    """
    fd = open_regular(path, os.O_RDWR)
    if _flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return fd
    os.close(fd)
    return None


def try_acquire(path: Path) -> int | None:
    """As `try_lock`, for a file that is made where it is missing and that its holder may delete."""
    return acquire(path, 0.0)


def acquire_unless(path: Path, timeout_s: float, is_pointless: Callable[[], bool]) -> int | None:
    """As `try_acquire`, again and again: readers probe the lock in passing, and others keep it for a while.

    Args:
        is_pointless: asked between two tries, whether to give up.

    Returns:
        The descriptor that holds it; None where somebody else held it all the time, or it had become pointless.

    Raises:
        OSError: the file can neither be opened nor made.
    """
    deadline = time.monotonic() + timeout_s
    while (fd := try_acquire(path)) is None:
        if is_pointless() or time.monotonic() > deadline:
            return None
        time.sleep(_RETRY_S)
    return fd


def acquire(path: Path, timeout_s: float) -> int | None:
    """As `try_acquire`, but sleep in the kernel until it can be held. Main thread only.

    Returns:
        The descriptor that holds it; None where it stayed held for that long.
    """
    while True:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
        if not _flock_within(fd, fcntl.LOCK_EX, timeout_s):
            os.close(fd)
            return None
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)  # its holder deleted it before letting go: what we have locked is a file without a name


def take(fd: int, timeout_s: float) -> bool:
    """Hold an open file exclusively: for what others hold for moments, and where one of them may be stopped meanwhile.

    Returns:
        False where it stayed held for `timeout_s`.
    """
    return _flock_by_looking(fd, fcntl.LOCK_EX, timeout_s, _TAKE_POLL_S)


def probe(path: Path) -> int | None:
    """A descriptor that holds the lock shared; None where the file is missing or somebody holds it exclusively."""
    try:
        fd = open_regular(path, os.O_RDWR)
    except OSError:  # it has just been given back, or is another user's
        return None
    if _flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB):
        return fd
    os.close(fd)
    return None


def is_own(fd: int, path: Path) -> bool:
    """Whether the lock file that its holder has open is still the one of this name: not deleted, and not replaced."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    except OSError:  # whoever may not look cannot lock either
        return True
    return os.path.samestat(os.fstat(fd), found)


def is_held(path: Path) -> bool:
    """Whether somebody alive holds the lock exclusively. What is missing, or no file, is not held.

    Raises:
        PermissionError: we may not look: another user's.
    """
    try:
        fd = open_regular(path)
    except PermissionError:
        raise
    except OSError:  # deleted with its turn; or something else was put there
        return False
    try:
        return not _flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(fd)


def wait_until_free(path: Path, timeout_s: float | None = None) -> bool:
    """Sleep in the kernel until nobody holds the lock: no polling, no idle cost, but in a thread with a timeout.

    Returns:
        False where the time ran out first.
    """
    try:
        fd = open_regular(path)
    except OSError:
        time.sleep(_PAUSE_S)  # whoever asks again, of a lock that cannot be opened, must not spin
        return True
    try:
        if timeout_s is None:
            fcntl.flock(fd, fcntl.LOCK_SH)
            return True
        return _flock_within(fd, fcntl.LOCK_SH, timeout_s)
    finally:
        os.close(fd)


_PAUSE_S = 0.05
_LONGEST_S = 365 * 86400.0  # the timer takes no more than a `time_t` holds


class _TimeIsUpError(Exception):
    pass


def _on_alarm(_signum: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)  # once is enough: a second one could fire where nobody catches it
    raise _TimeIsUpError  # a handler that returns would let flock start over (PEP 475)


def _flock_within(fd: int, operation: int, timeout_s: float) -> bool:
    if timeout_s <= 0:
        return _flock(fd, operation | fcntl.LOCK_NB)
    try:
        previous = signal.signal(signal.SIGALRM, _on_alarm)
    except ValueError:  # the alarm would ring in the main thread, which is not this one
        return _flock_by_looking(fd, operation, timeout_s, _PAUSE_S)
    try:
        # Repeats, so that an alarm which fires just before flock blocks is not the last one.
        signal.setitimer(signal.ITIMER_REAL, min(timeout_s, _LONGEST_S), 0.05)
        fcntl.flock(fd, operation)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except _TimeIsUpError:
        return _flock(fd, operation | fcntl.LOCK_NB)  # on a busy machine it may have rung before we got to ask
    else:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _flock_by_looking(fd: int, operation: int, timeout_s: float, pause_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not (is_ours := _flock(fd, operation | fcntl.LOCK_NB)) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return is_ours


def _flock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
