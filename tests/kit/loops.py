"""Waiting within an event loop, which `support.wait_until` would stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.kit.support import DEADLINE_S

_STEPS = 20


async def drain_loop() -> None:
    """Let everything happen that needs nothing from outside."""
    for _ in range(_STEPS):
        await asyncio.sleep(0)


async def until(predicate: Callable[[], object]) -> None:
    """Wait until something is so; fail at the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not predicate():
            await asyncio.sleep(0.005)
