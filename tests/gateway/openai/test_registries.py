"""What is kept between requests, and for how long: idle threads, held turns, reasoning."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from codex_server_cli.gateway.openai.held_turns import HeldTurns, KeptReasoning
from codex_server_cli.gateway.openai.threads import StickyThreads
from tests.kit.support import DEADLINE_S

KEYS = ["k1", "k2", "k3"]


def thread(*, is_alive: bool = True) -> Any:
    return SimpleNamespace(is_alive=is_alive)


def turn() -> Any:
    return SimpleNamespace(thread=SimpleNamespace(is_draining=False))


class Fallen(list[Any]):
    """What has fallen out, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def take(self, each: Any) -> None:
        self.append(each)
        self._changed.set()

    async def until(self, n: int) -> None:
        """Wait for so many."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self) < n:
                self._changed.clear()
                await self._changed.wait()


def test_the_longest_history_is_taken_and_only_once() -> None:
    async def body() -> None:
        released: list[Any] = []
        threads = StickyThreads(released.append)
        short, long = thread(), thread()
        threads.keep("k1", short)
        threads.keep("k2", long)
        found = threads.take(KEYS)
        assert found is not None
        assert (found.thread, found.n_items) == (long, 2)
        found = threads.take(KEYS)
        assert found is not None
        assert (found.thread, found.n_items) == (short, 1)
        assert threads.take(KEYS) is None
        assert released == []

    asyncio.run(body())


def test_a_thread_falls_out_for_age_for_want_of_room_and_for_a_twin() -> None:
    async def body() -> None:
        released = Fallen()
        threads = StickyThreads(released.take, size=2, ttl_s=0.01)
        first, twin, second, third = thread(), thread(), thread(), thread()
        threads.keep("k1", first)
        threads.keep("k1", twin)
        assert released == [first]
        threads.keep("k2", second)
        threads.keep("k3", third)
        assert released == [first, twin]
        await released.until(4)
        assert len(threads) == 0
        assert released == [first, twin, second, third]

    asyncio.run(body())


def test_a_thread_of_an_app_server_that_has_ended_is_passed_over() -> None:
    async def body() -> None:
        released: list[Any] = []
        threads = StickyThreads(released.append)
        short, lost = thread(), thread(is_alive=False)
        threads.keep("k1", short)
        threads.keep("k2", lost)
        found = threads.take(KEYS)
        assert found is not None
        assert found.thread is short
        assert released == [lost]

    asyncio.run(body())


def test_a_held_turn_goes_to_exactly_its_results() -> None:
    async def body() -> None:
        ended: list[Any] = []
        held = HeldTurns(ended.append, deadline_s=DEADLINE_S)
        waiting = turn()
        held.hold(["a", "b"], "key", waiting)
        assert held.take(["a"], "key") is None
        assert held.take(["a", "b", "c"], "key") is None
        assert held.take(["a", "b"], "of another history") is None
        assert held.take(["b", "a"], "key") is waiting
        assert held.take(["a", "b"], "key") is None
        assert ended == []

    asyncio.run(body())


def test_a_held_turn_is_ended_at_its_deadline_and_the_oldest_for_want_of_room() -> None:
    async def body() -> None:
        ended = Fallen()
        held = HeldTurns(ended.take, size=1, deadline_s=0.01)
        first, second = turn(), turn()
        held.hold(["a"], "key", first)
        held.hold(["b"], "key", second)
        assert ended == [first]
        await ended.until(2)
        assert len(held) == 0
        assert ended == [first, second]

    asyncio.run(body())


def test_held_turns_are_ended_where_their_app_server_waits_for_its_turns() -> None:
    async def body() -> None:
        ended = Fallen()
        held = HeldTurns(ended.take, deadline_s=DEADLINE_S, look_s=0.01)
        stays, goes = turn(), turn()
        held.hold(["a"], "key", stays)
        held.hold(["b"], "key", goes)
        goes.thread.is_draining = True
        await ended.until(1)
        assert (ended, len(held)) == ([goes], 1)
        stays.thread.is_draining = True
        await ended.until(2)

    asyncio.run(body())


def test_reasoning_stands_before_its_call_and_the_oldest_is_forgotten() -> None:
    kept = KeptReasoning(size=2)
    kept.keep({"a": [{"type": "reasoning", "id": 1}]})
    kept.keep({"b": [{"type": "reasoning", "id": 2}], "c": [{"type": "reasoning", "id": 3}]})
    calls = [{"type": "function_call", "call_id": "call_1"}] * 3
    woven = kept.put_before_calls([{"type": "message"}, *calls], ["x", *"abc"])
    assert [item.get("id") or item["type"] for item in woven] == [
        *("message", "function_call", 2, "function_call", 3, "function_call"),
    ]
    assert kept.put_before_calls(calls, "xyz") == calls
    sent = {"type": "reasoning", "id": 9}
    assert kept.put_before_calls([calls[0]], "b") == [{"type": "reasoning", "id": 2}, calls[0]]
    assert kept.put_before_calls([sent, calls[0]], "xb") == [sent, calls[0]]
