"""How many streams run at once, and how many wait for it. Owns the order: first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.metrics import Metrics

MOST_WAITING = 256


class Admission:
    """So many places, and a queue before them."""

    def __init__(self, most_streams: int, metrics: Metrics, most_waiting: int = MOST_WAITING) -> None:
        self._free, self._most_waiting, self._metrics = most_streams, most_waiting, metrics
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Hold a place, after waiting for one where all are taken.

        Raises:
            ApiError: so many wait already that this one is refused.
        """
        await self._enter()
        self._metrics.streams.inc()
        try:
            yield
        finally:
            self._metrics.streams.dec()
            self._leave()

    async def _enter(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= self._most_waiting:
            raise ApiError(
                429,
                f"this gateway runs as many streams as it may, and {self._most_waiting} wait; try again",
                type="rate_limit_error",
                code="gateway_busy",
                headers=(("Retry-After", "1"),),
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._metrics.waiting.inc()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # the place came in the moment in which the client went
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise
        finally:
            self._metrics.waiting.dec()

    def _leave(self) -> None:
        """Give the place to the next one that still waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else its client went in this moment
                turn.set_result(None)
                return
        self._free += 1
