"""`server.log`: codex's stderr and the keeper's own lines. Owns its size limit; must import next to nothing.

codex writes to the file directly, through a descriptor that appends: no process has to relay its output.
"""

from __future__ import annotations

import os
import time

MOST_BYTES = 1 << 20
_KEPT_BYTES = 1 << 16
_TAIL_BYTES = 4000


class ServerLog:
    """The open log.

    Attributes:
        fd: appends to it.
    """

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self.fd = os.open(path, flags, 0o600)
        self._start = os.fstat(self.fd).st_size

    def say(self, text: str) -> None:
        """Add a line of the keeper."""
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} keeper: {text}\n"
        try:
            os.write(self.fd, line.encode("utf-8", "replace"))
        except OSError:  # a full disk
            return

    def tail(self) -> str:
        """The last bytes written since it was opened."""
        size = os.fstat(self.fd).st_size
        start = max(self._start, size - _TAIL_BYTES)
        return os.pread(self.fd, max(size - start, 0), start).decode("utf-8", "replace")

    def bound(self) -> None:
        """Truncate it to its end once it is too long. A line that codex writes in that moment may be lost."""
        try:
            size = os.fstat(self.fd).st_size
            if size <= MOST_BYTES:
                return
            kept = os.pread(self.fd, _KEPT_BYTES, size - _KEPT_BYTES)
            os.ftruncate(self.fd, 0)
            os.write(self.fd, kept.partition(b"\n")[2])
        except OSError:  # a full disk
            return
