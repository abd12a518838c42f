"""The one follower of all turns: it works while streams are open, leaves nothing, and its failure ends them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.gateway.turns import hub as hub_module
from codex_server_cli.gateway.turns.hub import Hub
from tests.kit.loops import until
from tests.kit.turns_on_disk import TurnsOnDisk


async def run(function: Callable[..., Any], *arguments: Any) -> Any:
    return await to_thread.run_sync(function, *arguments)


def running(tmp_path: Path) -> tuple[TurnsOnDisk, TurnDir]:
    turns = TurnsOnDisk(tmp_path / "turns")
    return turns, turns.running()


def test_two_streams_of_a_turn_share_its_feed_and_the_last_one_ends_it(tmp_path: Path) -> None:
    turns, turn = running(tmp_path)

    async def follow() -> None:
        hub = Hub(run, run)
        async with hub.feed(turn, has_ended=False) as first:
            async with hub.feed(turn, has_ended=False) as second:
                assert first is second
                with turn.events.open("ab") as file:
                    file.write(b'{"seq":0,"a":1}\n{"seq":1,')
                await first.change_after(0)
                assert await first.lines_at(0) == b'{"seq":0,"a":1}\n'
                assert await second.lines_at(16) == b""
            assert not first.is_over
            turns.end(turn)
            await first.end()
            assert not first.is_cut
        await until(lambda: len(asyncio.all_tasks()) == 1)  # the follower has gone

    with turns:
        asyncio.run(follow())
    gc.collect()  # a file that was left open is a warning, and so a failure


def test_the_streams_of_an_ended_turn_share_its_feed_too(tmp_path: Path) -> None:
    async def follow() -> None:
        hub, turn = Hub(run, run), turns.complete()
        async with hub.feed(turn, has_ended=True) as first:
            async with hub.feed(turn, has_ended=True) as second:
                assert (first is second, first.is_over, first.size) == (True, True, turn.events.stat().st_size)
                assert first.attached(object) is second.attached(object)
            assert len(await first.lines_at(0)) == first.size
        async with hub.feed(turn, has_ended=True) as third:
            assert third is not first

    with TurnsOnDisk(tmp_path / "turns") as turns:
        asyncio.run(follow())
    gc.collect()  # a file that was left open is a warning, and so a failure


def test_a_turn_that_only_looks_over_is_followed_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, turn = running(tmp_path)
    answers = iter([False, True])
    monkeypatch.setattr(hub_module, "looks_over", lambda directory, is_thorough: True)
    monkeypatch.setattr(hub_module, "is_over", lambda directory: next(answers))

    async def follow() -> None:
        async with Hub(run, run).feed(turn, has_ended=False) as feed:
            await feed.end()
        assert next(answers, None) is None

    with turns:
        asyncio.run(follow())


def test_where_the_follower_fails_its_streams_are_cut_and_the_next_ones_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, turn = running(tmp_path)

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    async def follow() -> None:
        hub, failures = Hub(run, run), []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        with monkeypatch.context() as patched:
            patched.setattr(hub_module, "_look_at", fail)
            async with hub.feed(turn, has_ended=False) as feed:
                await feed.end()
                assert feed.is_cut
        async with hub.feed(turn, has_ended=False) as feed:
            turns.end(turn)
            await feed.end()
            assert not feed.is_cut
        gc.collect()
        assert [str(each["exception"]) for each in failures] == ["a defect"]

    with turns:
        asyncio.run(follow())


def test_a_stopped_hub_cuts_what_runs_and_shows_what_has_ended(tmp_path: Path) -> None:
    turns, turn = running(tmp_path)

    async def follow() -> None:
        hub = Hub(run, run)
        await hub.stop()
        async with hub.feed(turn, has_ended=False) as feed:
            assert (feed.is_over, feed.is_cut) == (True, True)
        async with hub.feed(turns.complete(), has_ended=True) as feed:
            assert (feed.is_over, feed.is_cut) == (True, False)

    with turns:
        asyncio.run(follow())
