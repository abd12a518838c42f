"""How many streams run at once, and how many wait. Owns the order: first come, first served.

Not an `asyncio.Semaphore`: its waiters cannot be refused, and at shutdown none of them may start.
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
    """A fixed number of slots, and a queue for them."""

    def __init__(self, most_streams: int, metrics: Metrics, most_waiting: int = MOST_WAITING) -> None:
        self._free, self._most_waiting, self._metrics = most_streams, most_waiting, metrics
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_closed = False

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Hold a slot; wait for one if all are taken.

        Raises:
            ApiError: the queue is full, or the gateway is shutting down.
        """
        await self._enter()
        self._metrics.streams.inc()
        try:
            yield
        finally:
            self._metrics.streams.dec()
            self._leave()

    def close(self) -> None:
        """Admit no more: waiters are refused at once, running streams go on. Idempotent."""
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
                self._leave()  # the slot was assigned at the moment the client disconnected
            elif place in self._waiting:
                self._waiting.remove(place)
            raise
        finally:
            self._metrics.waiting.dec()

    def _leave(self) -> None:
        """Pass the slot to the next waiter."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # else its client has just disconnected
                place.set_result(None)
                return
        self._free += 1
