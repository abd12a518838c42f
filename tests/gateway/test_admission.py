"""How many streams run at once, and how many wait."""

from __future__ import annotations

import asyncio

import pytest

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.admission import Admission
from codex_server_cli.gateway.metrics import Metrics
from tests.kit.loops import drain_loop


class Hall:
    """So many places, and streams that stay until they are released."""

    def __init__(self, most_streams: int, most_waiting: int) -> None:
        self.metrics = Metrics()
        self.admission = Admission(most_streams, self.metrics, most_waiting)
        self.inside: list[str] = []

    async def stay(self, name: str, leave: asyncio.Event) -> None:
        """One stream."""
        async with self.admission.stream():
            self.inside.append(name)
            try:
                await leave.wait()
            finally:
                self.inside.remove(name)

    def begin(self, name: str) -> tuple[asyncio.Task[None], asyncio.Event]:
        """Have it come in; it stays until the event."""
        leave = asyncio.Event()
        return asyncio.get_running_loop().create_task(self.stay(name, leave)), leave


def test_who_comes_first_is_let_in_first_and_too_many_are_refused() -> None:
    async def run() -> None:
        hall = Hall(1, 2)
        first, leave_first = hall.begin("first")
        await drain_loop()
        second, leave_second = hall.begin("second")
        await drain_loop()
        third, leave_third = hall.begin("third")
        await drain_loop()
        assert hall.inside == ["first"]
        assert b"codex_server_streams 1.0\n" in hall.metrics.text()
        assert b"codex_server_streams_waiting 2.0\n" in hall.metrics.text()
        with pytest.raises(ApiError) as refusal:
            await hall.stay("fourth", asyncio.Event())
        assert (refusal.value.status, refusal.value.code) == (429, "gateway_busy")
        assert dict(refusal.value.headers) == {"Retry-After": "1"}
        leave_first.set()
        await first
        await drain_loop()
        assert hall.inside == ["second"]
        leave_second.set()
        leave_third.set()
        await asyncio.gather(second, third)
        assert b"codex_server_streams 0.0\n" in hall.metrics.text()

    asyncio.run(run())


def test_once_it_is_closed_what_waits_is_refused_and_what_runs_goes_on() -> None:
    async def run() -> None:
        hall = Hall(1, 9)
        first, leave_first = hall.begin("first")
        await drain_loop()
        waiting, leave_waiting = hall.begin("waits")
        leaves, _ = hall.begin("leaves while it waits")
        await drain_loop()
        leaves.cancel()
        hall.admission.close()
        hall.admission.close()
        for late in (waiting, hall.stay("late", leave_waiting)):
            with pytest.raises(ApiError) as refusal:
                await late
            assert (refusal.value.status, refusal.value.code) == (503, "gateway_stopping")
        assert hall.inside == ["first"]
        assert b"codex_server_streams_waiting 0.0\n" in hall.metrics.text()
        leave_first.set()
        await first
        assert hall.inside == []

    asyncio.run(run())


def test_a_place_is_not_lost_with_a_client_that_leaves_in_whatever_moment() -> None:
    async def run() -> None:
        hall = Hall(1, 9)
        leave_first = asyncio.Event()

        async def first_and_then_cancel() -> None:
            await hall.stay("first", leave_first)
            called.cancel()  # its turn has come, and its own code has not seen that yet

        first = asyncio.get_running_loop().create_task(first_and_then_cancel())
        await drain_loop()
        waiting, _ = hall.begin("leaves while it waits")
        at_once, _ = hall.begin("leaves as its turn comes")
        called, _ = hall.begin("leaves when it was called")
        last, leave_last = hall.begin("last")
        await drain_loop()
        waiting.cancel()
        await drain_loop()
        at_once.cancel()  # its own code has not seen that when its turn comes
        leave_first.set()
        await first
        await drain_loop()
        assert hall.inside == ["last"]
        leave_last.set()
        await last
        again, leave_again = hall.begin("again")
        await drain_loop()
        assert hall.inside == ["again"]
        leave_again.set()
        await again

    asyncio.run(run())
