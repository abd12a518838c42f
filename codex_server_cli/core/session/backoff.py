"""Automatic retries with backoff. Owns the delays, and what counts as a collision.

Only operations without effect are retried: the start of an app-server, and a request that Codex was too busy to accept.
Must never read a clock or a random number: the caller passes the time, and the jitter is derived from a seed.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from zlib import crc32

RETRY_LIMIT_MS = 20_000.0
"""For how long after its first failure an operation is retried."""

_MOST_GROWTH = 30
"""How often a delay grows; by then it is at its longest. A float overflows after 1024 doublings."""


class Pace(NamedTuple):
    """How the delays of an operation grow, each with ± 50 % of jitter; `limit_ms`: how long it is retried.

    None means `RETRY_LIMIT_MS`, looked up at each failure because tests shorten it.
    """

    first_ms: float
    growth: float
    longest_ms: float
    limit_ms: float | None = None


COLLISION = Pace(100.0, 1.5, 1_300.0)
"""Another process is briefly in the way."""

OVERLOAD = Pace(50.0, 2.0, 1_300.0)
"""Codex is too busy: it has executed nothing (transport notes, section 6). With its jitter a delay is 2 s at most."""

RECONNECT = OVERLOAD._replace(limit_ms=10_000.0)
"""The connection to a shared app-server."""


class Backoff:
    """The retry delays of one operation: growing, and jittered so that colliding processes spread out.

    Attributes:
        failures: how often it has failed.
        is_exhausted: whether to give up.
    """

    def __init__(self, seed: str, pace: Pace = COLLISION) -> None:
        self.failures = 0
        self.is_exhausted = False
        self._seed = seed
        self._pace = pace
        self._first_ms: float | None = None

    def waited_ms(self, now_ms: float) -> float:
        """How long ago the first failure was."""
        return 0.0 if self._first_ms is None else now_ms - self._first_ms

    def delay_ms(self, now_ms: float, pace: Pace | None = None) -> float | None:
        """Record one more failure.

        Args:
            pace: of this failure, if it differs.

        Returns:
            How long to wait before the next attempt; None to give up.
        """
        self.failures += 1
        pace = pace or self._pace
        if self._first_ms is None:
            self._first_ms = now_ms
        if now_ms - self._first_ms >= (RETRY_LIMIT_MS if pace.limit_ms is None else pace.limit_ms):
            self.is_exhausted = True
            return None
        growth = pace.growth ** min(self.failures - 1, _MOST_GROWTH)
        steady_ms = min(pace.first_ms * growth, pace.longest_ms)
        return steady_ms * (0.5 + crc32(f"{self._seed} {self.failures}".encode()) / 2**32)


_COLLISIONS = (
    # 0.163.0 names no cause if another one initialises CODEX_HOME; a cause named by a newer one is permanent.
    r"(?m)failed to initialize sqlite state runtime under (?P<home>.+): "
    r"failed to initialize state runtime at (?P=home)\s*$"
    r"|database (?:table |schema )?is locked"
    r"|state db backfill (?:already running|not complete) at |timed out waiting for state db backfill at "
)


_STORE_COLLISIONS = r"is behind durable rollout|database (?:table |schema )?is locked"


def is_store_collision(refusal: str) -> bool:
    """Whether a thread could not be opened only because another process was writing it, or Codex's databases.

    A fork reads a thread that may be in use; 0.169.0 refuses it with "thread history projection for … is behind durable
    rollout" while the other codex writes, and accepts it a moment later.
    """
    return re.search(_STORE_COLLISIONS, refusal) is not None


def is_start_collision(stderr: str) -> bool:
    """Whether an app-server's stderr shows a collision with another one over Codex's databases (notes, section 12)."""
    return re.search(_COLLISIONS, stderr) is not None
