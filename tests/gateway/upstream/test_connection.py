"""One connection to an app-server: calls, what comes by itself, each way in which it can end. Peers are scripted."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed

from codex_server_cli.gateway.upstream import feed as feeds
from codex_server_cli.gateway.upstream.connection import UpstreamConnection, UpstreamError
from codex_server_cli.gateway.upstream.feed import FeedOverflow, ThreadFeed
from codex_server_cli.gateway.upstream.wire import LOST, RawConnection, UpstreamGone
from tests.kit.cases import for_each
from tests.kit.loops import drain_loop, until

Behave = Callable[[ServerConnection], Awaitable[None]]
Use = Callable[[RawConnection], Awaitable[None]]


def meet(path: Path, behave: Behave, use: Use) -> int:
    """Have a client use a connection to a peer; returns how often the connection was released."""
    closed: list[bool] = []

    async def peer(connection: ServerConnection) -> None:
        try:
            await behave(connection)
        except ConnectionClosed:
            return

    async def run() -> None:
        async with unix_serve(peer, str(path), compression=None, max_size=None):
            raw = await RawConnection.open(connected(path), lambda: closed.append(True), 30)
            try:
                await use(raw)
            finally:
                await raw.close()

    asyncio.run(run())
    return len(closed)


def connected(path: Path) -> socket.socket:
    """A socket that is connected to a path."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    return sock


def client(use: Callable[[UpstreamConnection], Awaitable[None]]) -> Use:
    """A client that is not initialised, as peers here do not care."""

    async def of_raw(raw: RawConnection) -> None:
        connection = UpstreamConnection(raw)
        try:
            await use(connection)
        finally:
            await connection.close()

    return of_raw


async def tell(connection: ServerConnection, **message: Any) -> None:
    """Send a message."""
    await connection.send(json.dumps(message))


async def answer_all(connection: ServerConnection) -> None:
    """Answer each request with its own parameters."""
    async for text in connection:
        request = json.loads(text)
        await tell(connection, id=request["id"], result=request["params"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the peer listens."""
    return tmp_path / "s"


def test_calls_at_once_get_each_its_own_answer(path: Path) -> None:
    async def use(connection: UpstreamConnection) -> None:
        calls = (connection.call("echo", {"n": n}) for n in range(200))
        assert await asyncio.gather(*calls) == [{"n": n} for n in range(200)]

    assert meet(path, answer_all, client(use)) >= 1


def test_text_of_any_kind_and_length_goes_both_ways(path: Path) -> None:
    async def use(connection: UpstreamConnection) -> None:
        for text in ("ä😀\u2028\x00", "x" * 20_000_000):
            assert await connection.call("echo", {"text": text}) == {"text": text}

    meet(path, answer_all, client(use))


def test_an_error_reply_is_raised_with_its_code_and_one_that_is_too_busy_is_asked_again(path: Path) -> None:
    async def behave(connection: ServerConnection) -> None:
        for error in ({"code": -32001, "message": "busy"}, {"code": -32600, "message": "no", "data": {"reason": "x"}}):
            request = json.loads(await connection.recv())
            await tell(connection, id=request["id"], error=error)
        await connection.wait_closed()

    async def use(connection: UpstreamConnection) -> None:
        with pytest.raises(UpstreamError) as refusal:
            await connection.call("echo", {})
        assert (refusal.value.code, refusal.value.message, refusal.value.data) == (-32600, "no", {"reason": "x"})

    meet(path, behave, client(use))


def test_a_call_that_is_not_answered_ends_in_time_and_the_next_one_works(path: Path) -> None:
    async def behave(connection: ServerConnection) -> None:
        late = json.loads(await connection.recv())
        request = json.loads(await connection.recv())
        await tell(connection, id=late["id"], result="late")
        await tell(connection, id=request["id"], result="now")
        await connection.wait_closed()

    async def use(connection: UpstreamConnection) -> None:
        with pytest.raises(UpstreamGone, match=r"does not answer echo within 0\.05 s"):
            await connection.call("echo", {}, timeout_s=0.05)
        assert await connection.call("echo", {}) == "now"

    meet(path, behave, client(use))


def test_what_comes_is_sorted_by_thread_and_the_rest_is_told_to_all(path: Path) -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.recv()
        await tell(connection, method="thread/started", params={"thread": {"id": "a"}})
        await tell(connection, method="item/started", params={"threadId": "b"})
        await tell(connection, method="turn/completed", params={"threadId": "a"})
        await tell(connection, method="account/updated", params={})
        await tell(connection, method=7, params={"threadId": "a"})
        await connection.send("no JSON")
        await tell(connection, id=1, result={})
        await connection.wait_closed()

    async def use(connection: UpstreamConnection) -> None:
        told: list[Any] = []
        connection.broadcasts = told.append
        feed, same = connection.follow("a"), connection.follow("a")
        await connection.call("go", {})
        for each in (feed, same):
            assert [(await anext(each))["method"] for _ in range(2)] == ["thread/started", "turn/completed"]
            each.close()
            each.close()
        assert [message["method"] for message in told] == ["account/updated"]
        assert [message async for message in feed] == []

    meet(path, behave, client(use))


def test_a_request_of_the_server_goes_to_who_follows_its_thread_and_else_is_refused(path: Path) -> None:
    answers: dict[Any, Any] = {}

    async def behave(connection: ServerConnection) -> None:
        await connection.recv()
        for number, thread_id in enumerate(("followed", "declined", "not followed", None)):
            await tell(connection, id=number, method="item/tool/call", params={"threadId": thread_id})
        for _ in range(4):
            answer = json.loads(await connection.recv())
            answers[answer["id"]] = answer
        await tell(connection, id=1, result={})
        await connection.wait_closed()

    async def use(connection: UpstreamConnection) -> None:
        followed, declined = connection.follow("followed"), connection.follow("declined")
        going = asyncio.ensure_future(connection.call("go", {}))
        await connection.reply((await anext(followed))["id"], {"success": True})
        await connection.refuse((await anext(declined))["id"], "no")
        await going

    meet(path, behave, client(use))
    assert answers[0] == {"id": 0, "result": {"success": True}}
    assert answers[1]["error"]["message"] == "no"
    for number in (2, 3):
        assert answers[number]["error"]["message"] == "no client of the gateway attends this thread"


def test_a_lost_connection_ends_its_calls_and_feeds_behind_what_had_come(path: Path) -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.recv()
        await tell(connection, method="item/started", params={"threadId": "a"})
        connection.transport.abort()

    async def use(connection: UpstreamConnection) -> None:
        feed = connection.follow("a")
        with pytest.raises(UpstreamGone, match=LOST):
            await connection.call("go", {})
        assert (await anext(feed))["method"] == "item/started"
        for _ in range(2):
            with pytest.raises(UpstreamGone, match=LOST):
                await anext(feed)
        assert not connection.is_open
        with pytest.raises(UpstreamGone, match="lost"):
            await connection.call("go", {})
        with pytest.raises(UpstreamGone):
            await connection.reply(1, {})
        with pytest.raises(UpstreamGone):
            await anext(connection.follow("b"))

    meet(path, behave, client(use))


@for_each(
    ("code", "words"), [(1001, r"closed the connection \(1001 going away\)"), (1011, r"closed the connection \(1011")]
)
def test_a_polite_close_is_told(code: int, words: str, path: Path) -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.close(code, "going away")

    async def use(raw: RawConnection) -> None:
        with pytest.raises(UpstreamGone, match=words):
            await raw.receive_bytes()
        with pytest.raises(UpstreamGone, match=words):
            await raw.send("{}")

    meet(path, behave, use)


def test_a_ping_is_answered_and_a_binary_message_means_nothing(path: Path) -> None:
    async def behave(connection: ServerConnection) -> None:
        pong = await connection.ping()
        await connection.send(b"\x00")
        await pong
        await connection.send("after the pong")
        await connection.wait_closed()

    async def use(raw: RawConnection) -> None:
        assert await raw.receive_bytes() == b"after the pong"

    meet(path, behave, use)


def test_one_who_stops_to_read_makes_the_peer_wait(path: Path) -> None:
    sent: list[int] = []
    peers: list[ServerConnection] = []

    async def behave(connection: ServerConnection) -> None:
        peers.append(connection)
        for number in range(1000):
            await connection.send("x" * 100_000)
            sent.append(number)

    async def use(raw: RawConnection) -> None:
        await raw.receive_bytes()
        await until(lambda: peers[0].transport.get_write_buffer_size() > 0)
        await drain_loop()
        assert len(sent) < 100
        for _ in range(999):
            await raw.receive_bytes()
        await until(lambda: len(sent) == 1000)

    meet(path, behave, use)


def test_what_is_unread_for_too_long_is_thrown_away_and_only_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_UNREAD_BYTES", 100_000)

    async def behave(connection: ServerConnection) -> None:
        await connection.recv()
        for _ in range(20):
            await tell(connection, method="delta", params={"threadId": "slow", "text": "x" * 10_000})
        await tell(connection, method="delta", params={"threadId": "other"})
        await tell(connection, id=1, result={})
        await connection.wait_closed()

    async def use(connection: UpstreamConnection) -> None:
        slow, other = connection.follow("slow"), connection.follow("other")
        await connection.call("go", {})
        with pytest.raises(FeedOverflow):
            await anext(slow)
        with pytest.raises(FeedOverflow):
            await anext(slow)
        assert (await anext(other))["method"] == "delta"

    meet(path, behave, client(use))


def test_a_reader_that_waits_gets_what_comes_and_its_cancellation_loses_nothing() -> None:
    async def run() -> None:
        feed = ThreadFeed(lambda _: None)
        waiting = asyncio.ensure_future(anext(feed))
        await drain_loop()
        waiting.cancel()
        feed.put({"method": "a"}, 10)
        feed.put({"method": "b"}, 10)
        assert [(await anext(feed))["method"] for _ in range(2)] == ["a", "b"]
        ending = asyncio.ensure_future(anext(feed))
        await drain_loop()
        feed.close()
        with pytest.raises(StopAsyncIteration):
            await ending

    asyncio.run(run())


@for_each(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", r"refuses the connection \(HTTP 403\)"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"", LOST),
        (None, r"does not answer within 0\.1 s"),
    ],
)
def test_what_is_no_app_server_is_told_and_closed(answer: bytes | None, words: str, path: Path) -> None:
    closed: list[bool] = []
    ended = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
            writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    async def run() -> None:
        async with await asyncio.start_unix_server(behave, str(path)):
            with pytest.raises(UpstreamGone, match=words):
                await RawConnection.open(
                    connected(path), lambda: closed.append(True), 30 if answer is not None else 0.1
                )
            await ended.wait()

    asyncio.run(run())
    assert closed
