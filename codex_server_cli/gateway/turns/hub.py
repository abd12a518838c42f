"""Follows all turns on behalf of all streams. Owns waking the streams; `actions.read.feed` owns reading the disk.

It carries no events: a stream reads the turn's file at its own pace and is only woken when there is more. So a
client that stops reading costs one chunk of the file, and 500 streams need no thread each: one watches all
turns, and streams at the same offset of the same turn share one read.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

from codex_server_cli.actions.read.feed import EventsFile, Turn, TurnsWatch, is_over, looks_over

T = TypeVar("T")
Run = Callable[..., Awaitable[Any]]

PIECE_BYTES = 128 * 1024
_KEPT_PIECES = 4
_PROBE_S = 1.0
_END_S = 2.0


class Feed:
    """The event file of one turn, shared by all its streams.

    Attributes:
        directory: the turn.
        size: the length of its file at the last check.
        is_over: no more events follow: the turn has ended, or the gateway is shutting down (`is_cut`).
    """

    def __init__(self, directory: Turn, run: Run) -> None:
        self.directory = directory
        self.file = EventsFile(directory)
        self.size, self.is_over, self.is_cut = 0, False, False
        self.streams = 0
        self.end_check: asyncio.Task[None] | None = None
        self.is_end_confirmed = False
        self._run = run
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._attached: Any = None

    def attached(self, make: Callable[[], T]) -> T:
        """An object that streams of the same kind derive from its lines together: created by the first, dropped with
        the last stream."""
        if self._attached is None:
            self._attached = make()
        found: T = self._attached
        return found

    async def measure(self) -> None:
        """Update the file's length once, for a turn that needs no following."""
        async with self._reading:
            self.size = self.size or await self._run(self.file.size)

    async def lines_at(self, offset: int) -> bytes:
        """Whole lines from an offset on; empty if there are none yet."""
        if offset >= self.size:
            return b""
        async with self._reading:
            piece = self._pieces.get(offset)
            if piece is None:
                piece = await self._run(self.file.lines_at, offset, PIECE_BYTES)
                if piece:
                    self._pieces[offset] = piece
                    if len(self._pieces) > _KEPT_PIECES:
                        self._pieces.popitem(last=False)
        return piece

    async def change_after(self, size: int) -> None:
        """Wait until the file is longer than `size`, or no more events follow."""
        while self.size <= size and not self.is_over:
            await self._changed.wait()

    async def end(self) -> None:
        """Wait until no more events follow."""
        while not self.is_over:
            await self._changed.wait()

    def tell(self) -> None:
        """Wake all waiting streams."""
        self._changed.set()
        self._changed = asyncio.Event()


class Hub:
    """Follows the turns with open streams, as long as there are any.

    Args:
        run: runs a short read off the event loop.
        run_long: runs off the event loop what may take seconds.
    """

    def __init__(self, run: Run, run_long: Run) -> None:
        self._run, self._run_long = run, run_long
        self._feeds: dict[str, Feed] = {}
        self._ended: dict[str, Feed] = {}
        self._left: list[Feed] = []
        self._watch: TurnsWatch | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    @asynccontextmanager
    async def feed(self, directory: Turn, *, has_ended: bool) -> AsyncIterator[Feed]:
        """The feed of a turn, for one stream.

        Args:
            has_ended: the turn is known to have ended: then it needs no following.
        """
        if has_ended:
            async with self._ended_feed(directory) as feed:
                yield feed
            return
        if self._is_stopping:
            feed = Feed(directory, self._run)
            feed.is_over = feed.is_cut = True
            yield feed
            return
        feed = self._feeds.setdefault(directory.turn_id, Feed(directory, self._run))
        feed.streams += 1
        self._follow()
        try:
            yield feed
        finally:
            feed.streams -= 1
            if not feed.streams:
                del self._feeds[directory.turn_id]
                self._left.append(feed)  # closed by the follower: its thread may be reading it
                if self._task is None:
                    self._close_left()
                self._interrupt()

    @asynccontextmanager
    async def _ended_feed(self, directory: Turn) -> AsyncIterator[Feed]:
        """The feed of an ended turn; concurrent streams share it, too."""
        feed = self._ended.setdefault(directory.turn_id, Feed(directory, self._run))
        feed.is_over = True
        feed.streams += 1
        try:
            await feed.measure()
            yield feed
        finally:
            feed.streams -= 1
            if not feed.streams:
                del self._ended[directory.turn_id]
                feed.file.close()

    async def stop(self) -> None:
        """End all streams: their clients reconnect with their cursors once a gateway runs again."""
        self._is_stopping = True
        self._cut()
        self._interrupt()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_END_S)

    def _follow(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._follow_all())
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        if self._watch is not None:
            self._watch.interrupt()

    async def _follow_all(self) -> None:
        self._watch = watch = TurnsWatch()
        thread, probed_s = CapacityLimiter(1), 0.0
        try:
            while self._feeds:
                await to_thread.run_sync(watch.wait, [feed.directory for feed in self._live()], limiter=thread)
                self._close_left()
                is_due = time.monotonic() - probed_s >= _PROBE_S
                probed_s = time.monotonic() if is_due else probed_s
                live, confirmed = self._live(), [feed for feed in self._live() if feed.is_end_confirmed]
                looks = await to_thread.run_sync(_look_at, live, is_due, limiter=thread)
                for feed, look in zip(live, looks, strict=True):
                    self._note(feed, *look, is_end_confirmed=feed in confirmed)
        except Exception:
            self._cut()  # else they would wait forever
            raise
        finally:  # no await since the loop's last check: a stream may open meanwhile
            self._close_left()
            watch.close()
            self._watch = self._task = None

    def _live(self) -> list[Feed]:
        return [feed for feed in self._feeds.values() if not feed.is_over]

    def _note(self, feed: Feed, has_ended: bool, size: int, *, is_end_confirmed: bool) -> None:
        """Update a feed and wake its streams after a check.

        Args:
            is_end_confirmed: its end was certain before that check, which therefore has seen the last line.
        """
        has_more = size != feed.size
        feed.size, feed.is_over = size, feed.is_over or is_end_confirmed
        if has_more or is_end_confirmed:
            feed.tell()
        if has_ended and not feed.is_end_confirmed and feed.end_check is None:
            feed.end_check = asyncio.get_running_loop().create_task(self._confirm_end(feed))

    async def _confirm_end(self, feed: Feed) -> None:
        """Find out whether a turn has really ended, which may need a repair; other turns do not wait for that."""
        try:
            feed.is_end_confirmed = await self._run_long(is_over, feed.directory)
        finally:
            feed.end_check = None
        if feed.is_end_confirmed:
            self._interrupt()

    def _cut(self) -> None:
        for feed in self._feeds.values():
            feed.is_over = feed.is_cut = True
            feed.tell()

    def _close_left(self) -> None:
        for feed in self._left:
            feed.file.close()
        self._left.clear()


def _look_at(feeds: list[Feed], is_thorough: bool) -> list[tuple[bool, int]]:
    """Whether each turn may have ended, and its file's length: in this order, or the last lines are missed."""
    return [(looks_over(feed.directory, is_thorough=is_thorough), feed.file.size()) for feed in feeds]
