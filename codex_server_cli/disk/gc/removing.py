"""Deleting one directory so that no reader sees a part of it. Owns the lock that this needs, and the hidden name.

Must never choose what is deleted.
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
"""Prefix of a directory that is being deleted; readers ignore names that start with a dot."""

_REFUSALS = (errno.EROFS, errno.EACCES)
"""The errnos that say that nothing may be renamed in a directory. EPERM concerns only one name (`chattr +i`)."""

TURN_TRIES = 10
_POLL_S = 0.002


def hold(path: Path, tries: int = 1) -> int | None:
    """Take a free lock, retrying while readers probe it; None where it is held, or is no lock of ours.

    None also where the name no longer refers to the file that we locked: another collector has deleted it.

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
    """Delete a directory; return the bytes that this freed, or None where it cannot be renamed.

    It is renamed first: that hides it from every reader atomically, and a creator that resumes cannot publish half.

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
