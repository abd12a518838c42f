"""What a turn may be waiting for, and how long. Owns the limits and the due times; must never read a clock."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from math import inf


class Timer(Enum):
    """What is waited for."""

    REQUEST = auto()  # a reply to our request
    INTERRUPT = auto()  # the moment to interrupt again
    STOP = auto()  # the end of a turn that was interrupted
    COMPLETION = auto()  # `turn/completed`, after every other sign of the end
    RECONCILE = auto()  # Codex's stored record of the turn
    STALL = auto()  # any activity
    RETRIES = auto()  # anything but network retries
    DEADLINE = auto()  # the time limit set by the user
    AGAIN = auto()  # the moment to retry a request that Codex was too busy for
    APPROVAL = auto()  # a user's decision
    START = auto()  # the moment to start another app-server, or to reconnect
    POLL = auto()  # the moment to look again for a turn after its connection was lost
    CLOSING = auto()  # the replies to our requests after the end of a turn


LIMIT_MS: dict[Timer, float] = {
    Timer.REQUEST: 60_000,  # Codex may never reply (notes, section 1); the start of tool servers is added
    Timer.INTERRUPT: 50,
    Timer.STOP: 1_000,  # then the process tree is terminated instead; 30 ms were observed
    Timer.COMPLETION: 2_000,  # normally 1 ms
    Timer.RECONCILE: 2_000,
    Timer.STALL: 15 * 60_000,
    Timer.POLL: 500,
    Timer.CLOSING: 2_000,  # 75 ms were observed, with an interrupt
    Timer.RETRIES: 10 * 60_000,  # unreachable hosts are retried without limit (notes, section 5)
}
STALL_CHECK_MS = 60_000
"""How often a silent turn with an open item is checked again."""


class Timers:
    """At most one due time for each timer, in milliseconds of the caller's clock."""

    def __init__(self) -> None:
        self._due_ms: dict[Timer, float] = {}

    @property
    def next_ms(self) -> float | None:
        """The earliest due time."""
        return min(self._due_ms.values(), default=None)

    def is_running(self, timer: Timer) -> bool:
        """Whether a timer is set."""
        return timer in self._due_ms

    def set(self, timer: Timer, due_ms: float) -> None:
        """Set or move a timer."""
        self._due_ms[timer] = due_ms

    def start(self, timer: Timer, now_ms: float) -> None:
        """Set or move a timer to its limit from now."""
        self._due_ms[timer] = now_ms + LIMIT_MS[timer]

    def start_once(self, timer: Timer, now_ms: float) -> None:
        """Start a timer, unless it is already set."""
        self._due_ms.setdefault(timer, now_ms + LIMIT_MS[timer])

    def clear(self, timer: Timer) -> None:
        """Clear a timer, whether it is set or not."""
        self._due_ms.pop(timer, None)

    def clear_all(self) -> None:
        """Clear all timers."""
        self._due_ms.clear()

    def take_due(self, now_ms: float) -> Iterator[Timer]:
        """Yield each timer that is due, once; one that is moved or cleared meanwhile is left alone."""
        for timer in list(self._due_ms):
            if self._due_ms.get(timer, inf) <= now_ms:
                del self._due_ms[timer]
                yield timer
