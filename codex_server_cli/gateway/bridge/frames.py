"""The events of one stream, kept for a client that comes back. Owns their ids and how many are kept."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

MOST_BYTES = 16 * 1024 * 1024
_RETRY_MS = 1000
"""How long a browser waits before it comes back."""


class FramesLost(Exception):
    """The events that a reader wants next are kept no more."""


class Frames:
    """Events in order, the oldest of which are dropped where they are too many.

    Attributes:
        stream_id: what their ids begin with.
        size: how many bytes are kept.
        is_ended: nothing more will come.
    """

    def __init__(self, stream_id: str, most_bytes: int = MOST_BYTES) -> None:
        self.stream_id, self.size, self.is_ended = stream_id, 0, False
        self._most_bytes = most_bytes
        self._kept: deque[bytes] = deque()
        self._next = 1
        self._changed = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._next - 1

    def add(self, event: str, document: Any) -> None:
        """Add an event; none after the end."""
        if self.is_ended:
            return
        retry = f"retry: {_RETRY_MS}\n" if self._next == 1 else ""
        data = json.dumps(document, separators=(",", ":"))  # in ASCII: no character of it ends a line of the stream
        frame = f"{retry}id: {self.stream_id}.{self._next}\nevent: {event}\ndata: {data}\n\n".encode()
        self._kept.append(frame)
        self._next += 1
        self.size += len(frame)
        while self.size > self._most_bytes and len(self._kept) > 1:
            self.size -= len(self._kept.popleft())
        self._tell()

    def end(self) -> None:
        """Nothing more will come. May be called again."""
        self.is_ended = True
        self._tell()

    async def after(self, number: int) -> AsyncIterator[bytes]:
        """The events after one, to the end.

        Raises:
            FramesLost: the next one is kept no more.
        """
        while True:
            while number < self.last:
                oldest = self._next - len(self._kept)
                if number + 1 < oldest:
                    raise FramesLost
                number += 1
                yield self._kept[number - oldest]
            if self.is_ended:
                return
            await self._changed.wait()

    def has_after(self, number: int) -> bool:
        """Whether every event after one is kept, or is still to come."""
        return self._next - len(self._kept) <= number + 1 <= self._next

    def _tell(self) -> None:
        """Wake the readers; one that comes later waits for the next event."""
        self._changed.set()
        self._changed = asyncio.Event()
