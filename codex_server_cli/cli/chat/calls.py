"""Calls that block, made beside the event loop of a chat. Owns their threads, which never keep the program from ending.

asyncio's own executor is waited for at the end: whoever quits while a worker does not answer would wait with it.
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
    future.set_running_or_notify_cancel()  # nobody can call it back

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    start(run)
    return await asyncio.wrap_future(future)


def start(run: Callable[[], None]) -> None:
    """Run something beside the loop, for as long as the program lives."""
    threading.Thread(target=run, daemon=True).start()


def tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call back on the loop from another thread; nothing happens once the loop is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
