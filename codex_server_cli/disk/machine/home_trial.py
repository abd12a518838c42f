"""What a home's file system can do, found by trial, and its type. Leaves no files behind."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shutil
from pathlib import Path

from codex_server_cli.core.model.mounts import file_system_of
from codex_server_cli.disk import lock
from codex_server_cli.disk.safe_open import make_fifo, open_fifo, send_byte
from codex_server_cli.disk.turn.layout import UNPUBLISHED

_WAKE_MS = 2000  # where FIFOs work, the wake-up is immediate
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


def has_locks(turns_path: Path) -> bool:
    """Whether a `flock` is seen through another descriptor of the same file.

    Raises:
        OSError: no file can be created.
    """
    trial = turns_path / f"{UNPUBLISHED}doctor-{os.getpid()}"
    try:
        fd = lock.create_locked(trial)
        try:
            return lock.is_held(trial)
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    finally:
        with contextlib.suppress(OSError):
            trial.unlink()


def has_fifos(turns_path: Path) -> bool:
    """Whether a FIFO can be made, and wakes its reader."""
    trial = turns_path / f"{UNPUBLISHED}doctor-fifo-{os.getpid()}"
    try:
        make_fifo(trial)
        fd = open_fifo(trial, os.O_RDONLY)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            return send_byte(trial) and bool(poll.poll(_WAKE_MS))
        finally:
            os.close(fd)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            trial.unlink()


def free_bytes(home: Path) -> int:
    """The free space there, in bytes.

    Raises:
        OSError: there is no such directory.
    """
    return shutil.disk_usage(home).free


def type_of(home: Path) -> str | None:
    """The type of its file system; None where it cannot be known (macOS)."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    return file_system_of(os.path.realpath(home), mounts)
