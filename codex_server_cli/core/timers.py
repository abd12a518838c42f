"""What a turn may be waiting for, and how long. Owns the limits and the due times; must never read a clock."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from math import inf

REQUEST_TIMEOUT_MS = 60_000
"""No reply at all is possible (notes, section 1); starting the user's MCP servers takes a while."""
STOP_TIMEOUT_MS = 1_000
"""How long an interrupt may take before the process tree is ended instead; 30 ms were observed."""
INTERRUPT_RETRY_MS = 50
COMPLETION_TIMEOUT_MS = 2_000
"""From idle, or from an error that ends the turn, to `turn/completed`; normally 1 ms."""
STALL_MS = 15 * 60_000
STALL_CHECK_MS = 60_000
"""How often a silent turn with an open item is looked at again."""
RETRY_STALL_MS = 10 * 60_000
"""Unreachable hosts are retried for ever (notes, section 5)."""


class Timer(Enum):
    """What is waited for."""

    REQUEST = auto()  # a reply to what we asked
    STOP = auto()  # the end of a turn that was told to stop
    INTERRUPT = auto()  # the moment to interrupt once more
    COMPLETION = auto()  # `turn/completed`, of which everything but the notice was seen
    RECONCILE = auto()  # Codex's own record of the turn
    STALL = auto()
    DEADLINE = auto()


class Timers:
    """At most one due time for each timer, in milliseconds of the caller's clock."""

    def __init__(self) -> None:
        self._due_ms: dict[Timer, float] = {}

    @property
    def next_ms(self) -> float | None:
        """The earliest due time."""
        return min(self._due_ms.values(), default=None)

    def set(self, timer: Timer, due_ms: float) -> None:
        """Set or move a timer."""
        self._due_ms[timer] = due_ms

    def set_once(self, timer: Timer, due_ms: float) -> None:
        """Set a timer, unless it runs already."""
        self._due_ms.setdefault(timer, due_ms)

    def clear(self, timer: Timer) -> None:
        """Forget a timer, whether it runs or not."""
        self._due_ms.pop(timer, None)

    def clear_all(self) -> None:
        """Forget everything: nothing is waited for any more."""
        self._due_ms.clear()

    def take_due(self, now_ms: float) -> Iterator[Timer]:
        """Yield each timer that is due, once; one that is moved or cleared meanwhile is left alone."""
        for timer in list(self._due_ms):
            if self._due_ms.get(timer, inf) <= now_ms:
                del self._due_ms[timer]
                yield timer
