"""Taking one directory away, so that no reader sees half of it. Owns the lock that this takes, and the hidden name.

Must never choose what goes.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

from codex_server_cli.disk import lock
from codex_server_cli.disk.gc.sizes import size_of

DELETED = ".gc-"
"""Prefix of a directory on its way out; readers ignore names that start with a dot."""

_REFUSALS = (errno.EROFS, errno.EACCES)
"""What says that nothing may be moved in a directory, whatever it is. EPERM speaks of one name alone (`chattr +i`)."""

TURN_TRIES = 10
_POLL_S = 0.002


def hold(path: Path, tries: int = 1) -> int | None:
    """Hold a lock that nobody holds, over readers who probe it in passing; None where it is held, or no lock of ours.

    A name that no longer points at what we locked was taken from under us, by another collector.

    Raises:
        OSError: the file system is read-only.
    """
    for attempt in range(tries):
        if attempt:
            time.sleep(_POLL_S)
        try:
            fd = lock.try_lock(path)
            if fd is None:
                continue
            if os.path.samestat(os.fstat(fd), path.lstat()):
                return fd
        except OSError as error:
            if error.errno == errno.EROFS:
                raise
            return None
        os.close(fd)
        return None
    return None


def remove(path: Path, name: str) -> int | None:
    """The bytes that it freed; None where something is in the way.

    Under the name of deleted ones first: out of every reader's sight at once, and no maker who wakes up publishes half.

    Raises:
        OSError: the home is read-only, or nothing may be moved in its turns directory.
    """
    try:
        hidden = path.rename(path.with_name(DELETED + name))
    except OSError as error:
        if error.errno in _REFUSALS:
            raise
        return None
    size = size_of(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
    return size - size_of(hidden)
