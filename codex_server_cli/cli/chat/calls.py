"""Blocking calls in threads beside the event loop of a chat. Owns the threads, which must never delay the exit.

They are daemon threads because asyncio joins its executor at the end: quitting would wait for a hanging worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def off_loop(call: Callable[[], T]) -> T:
    """Await a blocking call; raises what it raises."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # it cannot be cancelled

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    start(run)
    return await asyncio.wrap_future(future)


def start(run: Callable[[], None]) -> None:
    """Run a function in a daemon thread."""
    threading.Thread(target=run, daemon=True).start()


def call_on_loop(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call back on the loop from another thread; does nothing once the loop is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
