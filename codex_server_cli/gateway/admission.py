"""How many streams run at once, and how many wait for it. Owns the order: first come, first served.

No `asyncio.Semaphore`: its waiters cannot be refused, and at the end of the gateway none of them may begin.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.errors import stopping
from codex_server_cli.gateway.metrics import Metrics

MOST_WAITING = 256


class Admission:
    """So many places, and a queue before them."""

    def __init__(self, most_streams: int, metrics: Metrics, most_waiting: int = MOST_WAITING) -> None:
        self._free, self._most_waiting, self._metrics = most_streams, most_waiting, metrics
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_closed = False

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Hold a place, after waiting for one where all are taken.

        Raises:
            ApiError: so many wait already that this one is refused; or the gateway is shutting down.
        """
        await self._enter()
        self._metrics.streams.inc()
        try:
            yield
        finally:
            self._metrics.streams.dec()
            self._leave()

    def close(self) -> None:
        """Let nothing in any more: what waits is refused at once, what runs goes on. May be called again."""
        self._is_closed = True
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(stopping())

    async def _enter(self) -> None:
        if self._is_closed:
            raise stopping()
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= self._most_waiting:
            raise ApiError(
                429,
                f"too many streams: as many as allowed are running, and {self._most_waiting} are waiting; try again",
                type="rate_limit_error",
                code="gateway_busy",
                headers=(("Retry-After", "1"),),
            )
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._metrics.waiting.inc()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._leave()  # the place came in the moment in which the client went
            elif place in self._waiting:
                self._waiting.remove(place)
            raise
        finally:
            self._metrics.waiting.dec()

    def _leave(self) -> None:
        """Give the place to the next one that still waits."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # else its client went in this moment
                place.set_result(None)
                return
        self._free += 1
