"""The events of one stream, kept for clients that reconnect. Owns the event ids, and how many events are kept."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

MOST_BYTES = 16 * 1024 * 1024
_RETRY_MS = 1000
"""How long a browser waits before it reconnects."""


class FramesLost(Exception):
    """The next events are no longer kept."""


class Frames:
    """A bounded buffer of events: the oldest are dropped.

    Attributes:
        stream_id: the prefix of their ids.
        size: bytes kept.
        is_ended: no more events follow.
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
        """Add an event; ignored after the end."""
        if self.is_ended:
            return
        retry = f"retry: {_RETRY_MS}\n" if self._next == 1 else ""
        data = json.dumps(document, separators=(",", ":"))  # in ASCII: no character in it ends a line of the stream
        frame = f"{retry}id: {self.stream_id}.{self._next}\nevent: {event}\ndata: {data}\n\n".encode()
        self._kept.append(frame)
        self._next += 1
        self.size += len(frame)
        while self.size > self._most_bytes and len(self._kept) > 1:
            self.size -= len(self._kept.popleft())
        self._tell()

    def end(self) -> None:
        """Mark the end. Idempotent."""
        self.is_ended = True
        self._tell()

    async def after(self, number: int) -> AsyncIterator[bytes]:
        """The events after a number, to the end.

        Raises:
            FramesLost: the next one is no longer kept.
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
        """Whether every event after a number is kept or still to come."""
        return self._next - len(self._kept) <= number + 1 <= self._next

    def _tell(self) -> None:
        """Wake the waiting readers."""
        self._changed.set()
        self._changed = asyncio.Event()
