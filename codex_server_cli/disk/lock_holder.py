"""Who holds a lock: as the holder says in the lock file itself, or as the kernel lists it. Touches no lock.

Must never be taken for liveness: a note outlives its writer. Light, because a queued turn imports it.
"""

from __future__ import annotations

import os
from pathlib import Path

_NOTE_BYTES = 64


def holder_pid(path: Path) -> int | None:
    """Who holds a lock exclusively, as the kernel lists it (Linux), without touching the lock.

    Returns:
        Its process id; None where nobody is listed; 0 where the kernel does not tell.
    """
    try:
        inode = str(path.stat().st_ino)
    except OSError:  # nothing was ever locked there
        return None
    try:
        listing = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:  # not Linux, or a container without it
        return 0
    for line in listing.splitlines():  # 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
        words = line.split()
        if words[1:4] == ["FLOCK", "ADVISORY", "WRITE"] and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None


def read_holder(fd: int) -> str | None:
    """The turn id that a holder left in its lock file. Only a name can come of it, whatever stands there."""
    text = os.pread(fd, _NOTE_BYTES, 0).decode("ascii", "replace").strip()
    return text if text[:1].isdigit() and text.replace("-", "").isalnum() else None


def write_holder(fd: int, turn_id: str | None) -> None:
    """Say in a lock file who holds it. Written over what stood there: that needs no room on a full disk."""
    os.pwrite(fd, (turn_id or "").encode().ljust(_NOTE_BYTES - 1) + b"\n", 0)
