"""The holder of a lock, from the holder's note in the lock file or from the kernel's list. Owns that note.

Must never touch a lock, nor serve as a proof of liveness: a note outlives its writer. Light: a queued turn imports it.
"""

from __future__ import annotations

import os
from pathlib import Path

_NOTE_BYTES = 64


def holder_pid(path: Path) -> int | None:
    """The exclusive holder of a lock, as the kernel lists it (Linux), without touching the lock.

    Returns:
        Its process id; None where no holder is listed; 0 where the list is not available.
    """
    try:
        inode = str(path.stat().st_ino)
    except OSError:  # no lock was ever taken there
        return None
    try:
        listing = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:  # not Linux, or a container without it
        return 0
    for line in listing.splitlines():  # 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
        fields = line.split()
        if fields[1:4] == ["FLOCK", "ADVISORY", "WRITE"] and fields[5].rpartition(":")[2] == inode:
            return int(fields[4])
    return None


def read_holder(fd: int) -> str | None:
    """The turn id that a holder wrote to its lock file; None for any other content."""
    text = os.pread(fd, _NOTE_BYTES, 0).decode("ascii", "replace").strip()
    return text if text[:1].isdigit() and text.replace("-", "").isalnum() else None


def write_holder(fd: int, turn_id: str | None) -> None:
    """Write the holder to its lock file, over the old content: that needs no space on a full disk."""
    os.pwrite(fd, (turn_id or "").encode().ljust(_NOTE_BYTES - 1) + b"\n", 0)
