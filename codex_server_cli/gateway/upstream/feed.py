"""The unread messages of one thread, in order. Owns their limit: a reader that is too slow loses the whole feed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.gateway.upstream.wire import UpstreamGone

MOST_UNREAD_BYTES = 64 * 1024 * 1024


class FeedOverflow(Exception):
    """Too much was left unread, and was dropped."""


class ThreadFeed:
    """An asynchronous iterator over a thread's messages: notifications, and requests of the server."""

    def __init__(self, forget: Callable[[ThreadFeed], None]) -> None:
        """Create it.

        Args:
            forget: called when it is closed.
        """
        self._forget = forget
        self._messages: deque[tuple[int, Message]] = deque()
        self._unread_bytes = 0
        self._end: Exception | None = None
        self._is_closed = False
        self._has_news = asyncio.Event()

    def put(self, message: Message, size: int) -> None:
        """Add a message; `size` is its bytes on the wire."""
        if self._end is not None or self._is_closed:
            return
        self._unread_bytes += size
        if self._unread_bytes > MOST_UNREAD_BYTES:
            self._messages.clear()
            self.fail(FeedOverflow(f"more than {MOST_UNREAD_BYTES >> 20} MiB of this thread were not read in time"))
            return
        self._messages.append((size, message))
        self._has_news.set()

    def skip(self) -> None:
        """Drop what is unread."""
        self._messages.clear()
        self._unread_bytes = 0

    def fail(self, error: Exception) -> None:
        """End it with an error, which is raised after the unread messages."""
        self._end = self._end or error
        self._has_news.set()

    def __aiter__(self) -> ThreadFeed:
        return self

    async def __anext__(self) -> Message:
        """The next message; cancellation loses none.

        Raises:
            UpstreamGone: the connection was lost.
            FeedOverflow: too much was unread.
            StopAsyncIteration: it was closed.
        """
        while not self._messages:
            if self._is_closed:
                raise StopAsyncIteration
            if self._end is not None:
                raise _again(self._end)
            self._has_news.clear()
            await self._has_news.wait()
        return self._pop()

    def take(self) -> Message | None:
        """The next message if one is there already, else None."""
        return self._pop() if self._messages else None

    def _pop(self) -> Message:
        size, message = self._messages.popleft()
        self._unread_bytes -= size
        return message

    def close(self) -> None:
        """Stop following the thread. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._messages.clear()
            self._has_news.set()
            self._forget(self)


def _again(error: Exception) -> Exception:
    """A fresh copy of an error: raising the same object twice would accumulate tracebacks."""
    return UpstreamGone(error.reason) if isinstance(error, UpstreamGone) else FeedOverflow(*error.args)
