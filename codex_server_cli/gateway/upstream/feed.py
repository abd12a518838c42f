"""What comes about one thread, in order, until it is read. Owns its bound: a reader that is too slow loses it whole."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.gateway.upstream.wire import UpstreamGone

MOST_UNREAD_BYTES = 64 * 1024 * 1024


class FeedOverflow(Exception):
    """So much was left unread that it was thrown away."""


class ThreadFeed:
    """An asynchronous iterator of the messages of a thread: notifications, and requests of the server."""

    def __init__(self, forget: Callable[[ThreadFeed], None]) -> None:
        """Begin.

        Args:
            forget: is called at the end.
        """
        self._forget = forget
        self._messages: deque[tuple[int, Message]] = deque()
        self._unread_bytes = 0
        self._end: Exception | None = None
        self._is_closed = False
        self._has_news = asyncio.Event()

    def put(self, message: Message, size: int) -> None:
        """Add one, of so many bytes on the wire."""
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
        """Leave out what is unread."""
        self._messages.clear()
        self._unread_bytes = 0

    def fail(self, error: Exception) -> None:
        """End it with an error, which comes behind what is unread."""
        self._end = self._end or error
        self._has_news.set()

    def __aiter__(self) -> ThreadFeed:
        return self

    async def __anext__(self) -> Message:
        """The next message; cancelling it loses none.

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
        """The next message, where it is there already."""
        return self._pop() if self._messages else None

    def _pop(self) -> Message:
        size, message = self._messages.popleft()
        self._unread_bytes -= size
        return message

    def close(self) -> None:
        """Follow it no more. May be called again."""
        if not self._is_closed:
            self._is_closed = True
            self._messages.clear()
            self._has_news.set()
            self._forget(self)


def _again(error: Exception) -> Exception:
    """The same error anew: one that is raised twice would gather tracebacks."""
    return UpstreamGone(error.reason) if isinstance(error, UpstreamGone) else FeedOverflow(*error.args)
