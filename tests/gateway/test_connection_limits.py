"""The connections of HTTP: how many there may be, and how long one may be silent or stuck. With short times."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from codex_server_cli.gateway import connection_limits
from codex_server_cli.gateway.connection_limits import ConnectionLimits, LimitedConfig, LimitedProtocol
from tests.kit.loops import drain_loop, until
from tests.kit.support import DEADLINE_S

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class LimitedServer:
    """A server whose connections are limited, in the test's own loop.

    Attributes:
        released: a request that asks for `/released` is answered once this is set.
        address: where it listens.
    """

    def __init__(self, most: int, idle_s: int) -> None:
        self._idle_s = idle_s
        self.released = asyncio.Event()
        self._limits = ConnectionLimits(most)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()

    @property
    def count(self) -> int:
        """How many connections there are."""
        return len(self._limits.all)

    @property
    def at_work(self) -> int:
        """How many of them have asked something that is not answered yet."""
        return sum(each.is_at_work for each in self._limits.all)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/held":
            await self.released.wait()
        if scope["path"] == "/watch":
            kinds = [(await receive())["type"] for _ in range(2)]
            assert kinds == ["http.request", "http.disconnect"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        size, count = (100_000, 1000) if scope["path"] == "/long" else (10, 1)
        for _ in range(count):
            await send({"type": "http.response.body", "body": b"x" * size, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def run(self, use: Callable[[LimitedServer], Awaitable[None]]) -> None:
        """Have it used, within the deadline."""
        config = LimitedConfig(
            self._app,
            http=LimitedProtocol,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=self._idle_s,
        )
        config.limits = self._limits
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve(sockets=[self._listener]))
        sweeping = asyncio.ensure_future(self._limits.sweep())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await use(self)
        finally:
            self.released.set()
            server.should_exit = server.force_exit = True
            sweeping.cancel()
            await serving

    async def open(self, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection, over which something is sent."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(data)
        return reader, writer


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of a connection."""
    try:
        while await reader.read(1 << 16):
            continue
    except ConnectionResetError:
        return True
    return True


def run(use: Callable[[LimitedServer], Awaitable[None]], most: int = 100, idle_s: int = 3600) -> None:
    """Have a place used."""

    async def begin() -> None:
        await LimitedServer(most, idle_s).run(use)

    asyncio.run(begin())


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "STUCK_S"):
        monkeypatch.setattr(connection_limits, name, 3600.0)
    monkeypatch.setattr(connection_limits, "_SWEEP_S", 0.02)


def test_one_that_asks_nothing_or_too_slowly_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(place: LimitedServer) -> None:
        silent, silent_writer = await place.open()
        slow, slow_writer = await place.open(b"GET / HTTP/1.1\r\n")
        released, held_writer = await place.open(GET.replace(b"/ ", b"/held "))
        monkeypatch.setattr(connection_limits, "HEAD_S", 0.05)
        assert await is_cut(silent)
        assert await is_cut(slow)
        place.released.set()
        assert (await released.readline()).startswith(b"HTTP/1.1 200")
        for writer in (silent_writer, slow_writer, held_writer):
            writer.close()

    run(use)


def test_one_is_kept_between_requests_for_its_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(place: LimitedServer) -> None:
        monkeypatch.setattr(connection_limits, "HEAD_S", 0.05)
        reader, writer = await place.open()
        for _ in range(2):
            writer.write(GET)
            await reader.readuntil(b"0\r\n\r\n")
            silent, silent_writer = await place.open()
            assert await is_cut(silent)  # the time for a head has passed
            silent_writer.close()
        assert await is_cut(reader)
        writer.close()

    run(use, idle_s=1)


def test_one_that_goes_on_sending_what_is_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(place: LimitedServer) -> None:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        reader, writer = await place.open(head)
        await reader.readuntil(b"0\r\n\r\n")
        monkeypatch.setattr(connection_limits, "HEAD_S", 0.05)
        ending = asyncio.ensure_future(is_cut(reader))
        while not ending.done():
            writer.write(b"x")
            await asyncio.wait((ending,), timeout=0.01)
        writer.close()

    run(use)


def test_one_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "STUCK_S", 0.1)

    async def use(place: LimitedServer) -> None:
        with socket.create_connection(place.address) as stuck:
            stuck.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(stuck, GET.replace(b"/ ", b"/long "))
            await until(lambda: place.at_work == 1)
            await until(lambda: place.count == 0)

    run(use)


def test_where_there_are_too_many_the_one_that_is_idle_for_longest_makes_room() -> None:
    async def use(place: LimitedServer) -> None:
        released, held_writer = await place.open(GET.replace(b"/ ", b"/held "))
        await until(lambda: place.at_work == 1)
        first, first_writer = await place.open()
        await until(lambda: place.count == 2)
        second, second_writer = await place.open()
        await until(lambda: place.count == 3)
        third, third_writer = await place.open(GET)
        assert await is_cut(first)
        await third.readuntil(b"0\r\n\r\n")
        second_writer.write(GET)
        await second.readuntil(b"0\r\n\r\n")
        place.released.set()
        await released.readuntil(b"0\r\n\r\n")
        for writer in (held_writer, first_writer, second_writer, third_writer):
            writer.close()

    run(use, most=3)


def test_where_all_are_at_work_a_further_one_is_closed() -> None:
    async def use(place: LimitedServer) -> None:
        released, held_writer = await place.open(GET.replace(b"/ ", b"/held "))
        await until(lambda: place.at_work == 1)
        late, late_writer = await place.open(GET)
        assert await is_cut(late)
        place.released.set()
        await released.readuntil(b"0\r\n\r\n")
        for writer in (held_writer, late_writer):
            writer.close()

    run(use, most=1)


def test_what_is_no_http_is_answered_in_json() -> None:
    async def use(place: LimitedServer) -> None:
        reader, writer = await place.open(b"GET\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        error: dict[str, Any] = json.loads(body)["error"]
        assert error["code"] == "invalid_http"
        writer.close()

    run(use)


def test_what_is_no_http_behind_an_early_answer_ends_the_connection_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def use(place: LimitedServer) -> None:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
        reader, writer = await place.open(head)
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"ZZZZ\r\n")
        assert await reader.read() == b""
        writer.close()

    run(use)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize("path", [b"/", b"/held", b"/watch"])
def test_a_client_that_closes_its_sending_side_gets_its_answer(path: bytes) -> None:
    async def use(place: LimitedServer) -> None:
        reader, writer = await place.open(GET.replace(b"/ ", path + b" ", 1))
        if path != b"/":
            await until(lambda: place.at_work == 1)
        writer.write_eof()
        if path == b"/held":
            await drain_loop()
            place.released.set()
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"0\r\n\r\n")
        await until(lambda: place.count == 0)
        writer.close()

    run(use)


def test_a_client_that_closes_its_sending_side_within_a_request_is_disconnected() -> None:
    async def use(place: LimitedServer) -> None:
        head = b"POST /watch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        for data in (b"", b"GET / HT", head):
            reader, writer = await place.open(data)
            await until(lambda: place.count == 1)
            writer.write_eof()
            assert await is_cut(reader)
            await until(lambda: place.count == 0)
            writer.close()

    run(use)
