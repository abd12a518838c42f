"""The way to the gateway's own app-server, a real one: found, started, replaced, released."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from codex_server_cli.codex.server.retiring import retire
from codex_server_cli.codex.server.state import Generation, generations_of
from codex_server_cli.demo.script import words_script
from codex_server_cli.errors import CodexServerError
from codex_server_cli.gateway.metrics import Metrics
from codex_server_cli.gateway.upstream import app_server
from codex_server_cli.gateway.upstream.app_server import UpstreamServer
from codex_server_cli.gateway.upstream.wire import UpstreamGone
from codex_server_cli.settings.places import Settings
from tests.kit.failed import has_failed
from tests.kit.loops import until
from tests.kit.processes import stopped
from tests.kit.shared_server import SharedServer
from tests.kit.support import DEADLINE_S, wait_until

Use = Callable[[UpstreamServer], Awaitable[None]]


@pytest.fixture
def place(request: pytest.FixtureRequest, one_codex: Path, codex_home: Path, tmp_path: Path) -> Iterator[SharedServer]:
    """Where the app-server may be started."""
    place = SharedServer(tmp_path, one_codex, codex_home)
    place.model(words_script())
    (place.home / "config.json").write_text(json.dumps({"codex": str(one_codex), "server_idle": 0.5}))
    with pytest.MonkeyPatch.context() as monkeypatch:
        place.put_into_environment(monkeypatch)
        yield place
        if has_failed(request.node):
            place.kill()
        else:
            place.end()


def use(do: Use) -> Metrics:
    """Have something done with the app-server, and let it go; returns what was counted."""
    metrics = Metrics()

    async def run() -> None:
        server = UpstreamServer(Settings.load(), metrics)
        try:
            await do(server)
        finally:
            await server.close()

    asyncio.run(run())
    return metrics


def living(place: SharedServer) -> list[Generation]:
    """The generations that run."""
    return [each for each in generations_of(place.home) if each.is_alive()]


def test_fifty_who_want_it_at_once_get_one_and_its_turns_run(place: SharedServer) -> None:
    async def do(server: UpstreamServer) -> None:
        connections = await asyncio.gather(*(server.connect() for _ in range(50)))
        assert len(living(place)) == 1
        started = await connections[0].call("thread/start", {"cwd": str(place.home), "ephemeral": True})
        thread_id = started["thread"]["id"]
        feed = connections[0].follow(thread_id)
        await connections[0].call("turn/start", {"threadId": thread_id, "input": [{"type": "text", "text": "a b"}]})
        async for message in feed:
            if message["method"] == "turn/completed":
                break
        feed.close()
        await asyncio.gather(*(connection.close() for connection in connections))

    metrics = use(do)
    assert b"codex_server_upstream_starts_total 1.0\n" in metrics.text()
    assert b"codex_server_upstream_connections 0.0\n" in metrics.text()


def test_it_has_a_key_of_its_own(place: SharedServer) -> None:
    async def do(server: UpstreamServer) -> None:
        await server.start()
        assert [each.key for each in living(place)] != [place.key.name]
        assert place.find() is None

    use(do)


def test_what_is_kept_is_the_same_until_it_is_lost(place: SharedServer) -> None:
    async def do(server: UpstreamServer) -> None:
        chat, again, other = [await server.kept(name) for name in ("chat", "chat", "bridge")]
        assert chat is again
        assert chat is not other
        (generation,) = living(place)
        os.kill(generation.pid, signal.SIGKILL)
        await until(lambda: not chat.is_open)
        after = await server.kept("chat")
        assert after.is_open
        assert after is not chat
        await server.probe(DEADLINE_S)

    assert b"codex_server_upstream_starts_total 2.0\n" in use(do).text()


def test_a_generation_that_drains_is_left_to_who_uses_it_and_the_next_one_serves(
    place: SharedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_server, "_FRESH_S", 0)

    async def do(server: UpstreamServer) -> None:
        old = await server.kept("chat")
        (generation,) = living(place)
        place.write_login(auth_mode="chatgpt", tokens={"account_id": "another"})  # a login makes it outdated
        new = await server.kept("chat")
        assert new is not old
        assert await new.call("thread/loaded/list", {}) is not None
        await until(lambda: not generation.is_alive())
        await until(lambda: not old.is_open)

    use(do)


def test_one_that_cannot_start_is_told_and_not_tried_by_each_request(
    place: SharedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    codex = tmp_path / "codex"
    codex.write_text("#!/bin/sh\necho 'Error: no such thing' >&2\nexit 3\n")
    codex.chmod(0o755)
    (place.home / "config.json").write_text(json.dumps({"codex": str(codex)}))

    async def do(server: UpstreamServer) -> None:
        with pytest.raises(CodexServerError, match="no such thing"):
            await server.start()
        looks: list[bool] = []
        monkeypatch.setattr(server, "_ensure", lambda: looks.append(True))
        for _ in range(20):
            with pytest.raises(UpstreamGone, match="no such thing"):
                await server.connect()
        assert not looks

    use(do)


def test_a_probe_says_in_time_that_it_hangs(place: SharedServer) -> None:
    async def do(server: UpstreamServer) -> None:
        await server.start()
        (generation,) = living(place)
        with stopped(generation.pid), pytest.raises(UpstreamGone, match=r"does not answer within 0\.2 s"):
            await server.probe(0.2)
        await server.probe(DEADLINE_S)

    use(do)


def test_it_stops_after_its_idle_time_once_it_is_released(place: SharedServer) -> None:
    async def do(server: UpstreamServer) -> None:
        await server.start()

    use(do)
    (generation,) = generations_of(place.home)
    wait_until(lambda: not generation.is_alive(), what="the end of the app-server")


def test_one_that_was_stopped_by_hand_is_started_again(place: SharedServer) -> None:
    async def do(server: UpstreamServer) -> None:
        await server.start()
        (generation,) = living(place)
        retire(generation, at_once=True)
        await until(lambda: not generation.is_alive())
        await server.probe(DEADLINE_S)
        assert living(place)[0].number == generation.number + 1

    use(do)


def test_who_leaves_while_it_is_connected_for_him_leaves_nothing_open(
    place: SharedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_server, "_FRESH_S", 3600)

    async def do(server: UpstreamServer) -> None:
        await server.start()
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for steps in range(40):
            leaving = asyncio.ensure_future(server.connect())
            for _ in range(steps):
                await asyncio.wait((leaving,), timeout=0.0001)
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await (await leaving).close()
        await until(lambda: len(os.listdir("/proc/self/fd")) == before)  # noqa: PTH208
        await server.probe(DEADLINE_S)

    assert b"codex_server_upstream_connections 0.0\n" in use(do).text()


def test_at_the_end_there_is_no_wait_for_an_app_server_that_is_being_started(
    place: SharedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    codex = place.home / "slow-codex"
    codex.write_text("#!/bin/sh\nexec sleep 600\n")
    codex.chmod(0o755)
    (place.home / "config.json").write_text(json.dumps({"codex": str(codex), "server_idle": 0.5}))

    async def do(server: UpstreamServer) -> None:
        starting = asyncio.ensure_future(server.start())
        await until(lambda: list(place.home.glob("servers/*/lock")))
        server.give_up_starts()
        with pytest.raises(CodexServerError, match="not waited for any longer"):
            await starting

    use(do)
    place.kill()
