"""Idle threads of answered requests, kept so that the next request of a conversation continues one.

Owns: which idle thread holds which history, for how long, and how many are kept.
Never here: how a history becomes a key (`core.openai.conversation`), what a thread is (`client_thread`).

Why: the prompt cache is keyed by the thread's id, so with a fresh thread for every request no prefix would ever be
cached. A thread is taken out while it serves a request: a concurrent request with the same history finds none and gets
a fresh one, which only costs more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from codex_server_cli.gateway.openai.client_thread import ClientThread

SIZE = 64
TTL_S = 600.0


class FoundThread(NamedTuple):
    """A thread that holds the first `n_items` items of a request."""

    thread: ClientThread
    n_items: int


class StickyThreads:
    """Idle threads by the key of their history.

    Args:
        release: called with every evicted thread.
        size: how many are kept; the oldest entry is evicted first.
        ttl_s: how long each is kept, in seconds.
    """

    def __init__(self, release: Callable[[ClientThread], None], *, size: int = SIZE, ttl_s: float = TTL_S) -> None:
        self._release, self._size, self._ttl_s = release, size, ttl_s
        self._kept: OrderedDict[str, tuple[ClientThread, asyncio.TimerHandle]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: str, thread: ClientThread) -> None:
        """Keep an idle thread under the key of its whole history; evicts one with the same history."""
        self._drop(key)
        self._kept[key] = thread, asyncio.get_running_loop().call_later(self._ttl_s, self._drop, key)
        while len(self._kept) > self._size:
            self._drop(next(iter(self._kept)))

    def take(self, keys: Sequence[str]) -> FoundThread | None:
        """Take out the thread with the longest history that the request extends.

        Args:
            keys: the key of each prefix of the request's items, shortest first.
        """
        for n_items in range(len(keys), 0, -1):
            if (kept := self._kept.pop(keys[n_items - 1], None)) is not None:
                thread, timer = kept
                timer.cancel()
                if thread.is_alive:
                    return FoundThread(thread, n_items)
                self._release(thread)
        return None

    def clear(self) -> None:
        """Evict all."""
        for key in list(self._kept):
            self._drop(key)

    def _drop(self, key: str) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            thread, timer = kept
            timer.cancel()
            self._release(thread)
