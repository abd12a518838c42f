"""The events of a stream, as they are kept: in order, within a bound, for readers that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from codex_server_cli.gateway.bridge.frames import Frames, FramesLost


async def read(events: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await anext(events) for _ in range(count)]


def test_an_event_is_one_of_the_wire_whatever_its_text() -> None:
    async def run() -> None:
        frames = Frames("s")
        frames.add("ready", {"text": "a\n\r\u2028\ud800ü"})
        frames.add("done", {})
        frames.end()
        frames.add("late", {})
        first, second = [frame async for frame in frames.after(0)]
        assert first == b'retry: 1000\nid: s.1\nevent: ready\ndata: {"text":"a\\n\\r\\u2028\\ud800\\u00fc"}\n\n'
        assert second == b"id: s.2\nevent: done\ndata: {}\n\n"
        assert [frame async for frame in frames.after(1)] == [second]
        assert [frame async for frame in frames.after(2)] == []

    asyncio.run(run())


def test_a_reader_waits_for_what_comes() -> None:
    async def run() -> None:
        frames = Frames("s")

        async def write() -> list[bytes]:
            frames.add("a", 1)
            frames.add("b", 2)
            return []

        found = await asyncio.gather(*(read(frames.after(0), 2) for _ in range(3)), write())  # who reads comes first
        assert found[0] == found[1] == found[2]
        assert frames.last == 2

    asyncio.run(run())


def test_the_oldest_are_dropped_and_a_reader_who_is_behind_is_told() -> None:
    async def run() -> None:
        frames = Frames("s", most_bytes=200)
        slow = frames.after(0)
        frames.add("a", "x" * 50)
        await anext(slow)
        for _ in range(4):
            frames.add("b", "x" * 50)
        assert frames.size <= 200
        with pytest.raises(FramesLost):
            await anext(slow)
        assert not frames.has_after(0)
        assert frames.has_after(frames.last)
        assert not frames.has_after(frames.last + 1)
        frames.add("big", "x" * 1000)
        assert frames.has_after(frames.last - 1), "the newest is kept, however long it is"
        assert len(await read(frames.after(frames.last - 1), 1)) == 1

    asyncio.run(run())
