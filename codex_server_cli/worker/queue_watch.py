"""Detecting that another process has queued a message for Codex. Owns which files show that; must never read messages.

Codex keeps its queues in `queue_1.sqlite` of its home and notifies an app-server of another process's message only 10 s
later, in 0.163.0 and 0.171.0. Two `stat`s detect it at once; then Codex is asked. If Codex keeps its queues elsewhere,
only its notification counts.
"""

from __future__ import annotations

import os

_NAMES = ("queue_1.sqlite", "queue_1.sqlite-wal")


class QueueWatch:
    """Compares the files with their state at the last check."""

    def __init__(self) -> None:
        self._seen: tuple[tuple[int, int], ...] | None = None

    def has_changed(self, codex_home: str | None) -> bool:
        """Whether they have changed since the last check; False at the first one.

        Args:
            codex_home: Codex's home; None while it is not known.
        """
        if codex_home is None:
            return False
        seen, self._seen = self._seen, tuple(_stamp(f"{codex_home}/{name}") for name in _NAMES)
        return seen is not None and seen != self._seen


def _stamp(path: str) -> tuple[int, int]:
    try:
        info = os.stat(path)  # noqa: PTH116 — runs for every message
    except (OSError, ValueError):  # Codex has queued nothing yet, or keeps it elsewhere; ValueError: an invalid path
        return 0, 0
    return info.st_mtime_ns, info.st_size
