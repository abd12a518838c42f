"""Noticing that somebody has queued a message for Codex. Owns where that shows; never what was queued.

Codex keeps its queues in `queue_1.sqlite` of its home and tells an app-server of what another process has queued only
10 s later, in 0.163.0 and 0.171.0. Two `stat`s tell it at once; Codex is asked then. A Codex that keeps its queues
elsewhere is heard alone.
"""

from __future__ import annotations

import os

_NAMES = ("queue_1.sqlite", "queue_1.sqlite-wal")


class QueueWatch:
    """Compares the files with what they were at the last look."""

    def __init__(self) -> None:
        self._seen: tuple[tuple[int, int], ...] | None = None

    def has_changed(self, codex_home: str | None) -> bool:
        """Whether they have, since the last look; not at the first one.

        Args:
            codex_home: where Codex keeps its things; None as long as that is not known.
        """
        if codex_home is None:
            return False
        seen, self._seen = self._seen, tuple(_stamp(f"{codex_home}/{name}") for name in _NAMES)
        return seen is not None and seen != self._seen


def _stamp(path: str) -> tuple[int, int]:
    try:
        info = os.stat(path)  # noqa: PTH116 — at every message that comes
    except OSError:  # Codex has queued nothing yet, or keeps it elsewhere
        return 0, 0
    return info.st_mtime_ns, info.st_size
