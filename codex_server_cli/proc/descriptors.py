"""Which descriptors a worker starts with, agreed between launcher and worker. Both are in a hurry."""

from __future__ import annotations

import contextlib
import os

LOCK_FD = 3
READY_FD = 4


def close_others(keep: set[int]) -> None:
    """Close every descriptor that the launcher's own parent left open across exec."""
    try:
        open_fds = [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 — names, and no pathlib for it
    except OSError:
        open_fds = list(range(256))
    for fd in open_fds:
        if fd not in keep:
            with contextlib.suppress(OSError):  # the descriptor that listed them is gone already
                os.close(fd)
