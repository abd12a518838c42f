"""Answers of every face: errors, streams of events, and what becomes of them when a client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.errors import (
    BadInputError,
    BusyError,
    CodexMissingError,
    HomeError,
    InternalError,
    LateError,
    NotFoundError,
    NotLoggedInError,
    UsageError,
)
from codex_server_cli.gateway import http_answers
from codex_server_cli.gateway.http_answers import EventStream, answer_of, error_data, until_gone
from codex_server_cli.gateway.upstream.connection import UpstreamError
from codex_server_cli.gateway.upstream.feed import FeedOverflow
from codex_server_cli.gateway.upstream.wire import UpstreamGone
from tests.kit.cases import for_each
from tests.kit.loops import drain_loop, until
from tests.kit.support import DEADLINE_S


@for_each(
    ("error", "status", "code"),
    [
        (UsageError("no"), 400, "bad_input"),
        (BadInputError("no"), 400, "bad_input"),
        (NotFoundError("no"), 404, "bad_input"),
        (NotLoggedInError("no"), 401, "auth"),
        (CodexMissingError("no"), 503, "codex_missing"),
        (HomeError("no"), 507, "disk"),
        (BusyError("no"), 409, "thread_busy"),
        (LateError("no"), 504, "stalled"),
        (InternalError("no"), 500, "internal"),
        (UpstreamGone("no"), 503, "codex_unavailable"),
        (UpstreamError({"code": -32600, "message": "no"}), 502, "-32600"),
        (FeedOverflow("no"), 500, "stream_overflow"),
        (ApiError(418, "no", code="teapot"), 418, "teapot"),
    ],
)
def test_every_error_has_a_status_and_the_one_form(error: Exception, status: int, code: str) -> None:
    answer = answer_of(error)
    body = json.loads(bytes(answer.body))["error"]
    assert (answer.status_code, body["code"], body["message"]) == (status, code, "no")
    assert body.keys() >= {"message", "type", "param", "code"}


def test_a_defect_does_not_tell_its_words_and_a_hint_is_passed_on() -> None:
    answer = answer_of(RuntimeError("a prompt"))
    assert answer.status_code == 500
    assert b"prompt" not in bytes(answer.body)
    assert json.loads(bytes(answer_of(BadInputError("no", hint="do this")).body))["error"]["hint"] == "do this"


class LeavingClient:
    """Takes a stream, and leaves after so many pieces."""

    def __init__(self, leaves_after: int | None = None) -> None:
        self.pieces: list[bytes] = []
        self.head: Any = None
        self.is_whole = False
        self._leaves_after = leaves_after
        self._gone = asyncio.Event()
        if leaves_after == 0:
            self._gone.set()

    async def receive(self) -> Any:
        """ASGI's."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """ASGI's."""
        if message["type"] == "http.response.start":
            self.head = message
            return
        self.pieces.append(message["body"])
        self.is_whole = not message["more_body"]
        if self._leaves_after is not None and len(self.pieces) >= self._leaves_after:
            self._gone.set()

    async def take(self, events: AsyncIterator[bytes]) -> None:
        """Take it to its end, or until it leaves."""
        await EventStream(events, {"x-codex-ignored": "seed"})({"type": "http"}, self.receive, self.send)


class Source:
    """Events, of which it is known how they ended."""

    def __init__(self, *events: bytes | Exception, stays: bool = False) -> None:
        self.ended = ""
        self._events, self._stays = events, stays

    async def run(self) -> AsyncIterator[bytes]:
        """The generator."""
        try:
            for event in self._events:
                if isinstance(event, Exception):
                    raise event
                yield event
            if self._stays:
                await asyncio.Event().wait()
            self.ended = "whole"
        finally:
            if not self.ended:
                await drain_loop()  # an interrupt, say
                self.ended = "interrupted"


def test_a_stream_is_sent_as_it_comes_and_ends() -> None:
    async def run() -> None:
        client, source = LeavingClient(), Source(b"data: 1\n\n", b"data: 2\n\n")
        await client.take(source.run())
        assert client.pieces == [b"data: 1\n\n", b"data: 2\n\n", b""]
        assert client.is_whole
        assert source.ended == "whole"
        headers = dict(client.head["headers"])
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"cache-control"] == b"no-cache, no-transform"
        assert headers[b"x-accel-buffering"] == b"no"
        assert headers[b"x-codex-ignored"] == b"seed"
        assert b"content-length" not in headers

    asyncio.run(run())


@for_each("leaves_after", [0, 1, 2])
def test_when_the_client_leaves_the_source_is_closed_to_its_end(leaves_after: int) -> None:
    async def run() -> None:
        client, source = LeavingClient(leaves_after), Source(b"1", b"2", stays=True)
        with pytest.raises(ClientDisconnect):
            await client.take(source.run())
        assert source.ended in (("", "interrupted") if leaves_after == 0 else ("interrupted",))

    asyncio.run(run())


def test_silence_is_filled_with_a_comment_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_answers, "KEEP_ALIVE_S", 0.01)

    async def run() -> None:
        client, source = LeavingClient(leaves_after=3), Source(b"1", stays=True)
        with pytest.raises(ClientDisconnect):
            await client.take(source.run())
        assert client.pieces[:3] == [b"1", b": ka\n", b": ka\n"]

    asyncio.run(run())


def test_a_stream_that_fails_ends_with_a_typed_error() -> None:
    async def run() -> None:
        client = LeavingClient()
        scope: dict[str, Any] = {"type": "http"}
        stream = EventStream(Source(b"1", UpstreamGone("the app-server is gone")).run())
        await stream(scope, client.receive, client.send)
        error = json.loads(client.pieces[1].removeprefix(b"event: error\ndata: "))["error"]
        assert (error["code"], error["message"]) == ("codex_unavailable", "the app-server is gone")
        assert client.pieces[2:] == [b""]
        assert client.is_whole
        assert isinstance(scope["failure"], UpstreamGone)

    asyncio.run(run())


def test_a_stream_that_the_end_of_the_gateway_cuts_says_so() -> None:
    async def run() -> None:
        client, source = LeavingClient(), Source(b"1", stays=True)
        task = asyncio.get_running_loop().create_task(client.take(source.run()))
        await until(lambda: client.pieces)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.ended == "interrupted"
        assert b"gateway_stopping" in client.pieces[-2]
        assert client.is_whole

    asyncio.run(run())


def test_a_stream_that_fails_ends_with_the_events_of_its_face() -> None:
    async def run() -> None:
        cut, failed = LeavingClient(), LeavingClient()

        def stream(source: Source) -> EventStream:
            return EventStream(source.run(), failure_events=lambda error: error_data(error) + b"data: [DONE]\n\n")

        sending = stream(Source(b"1", stays=True))({"type": "http"}, cut.receive, cut.send)
        task = asyncio.ensure_future(sending)
        await until(lambda: cut.pieces)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stream(Source(b"1", UpstreamGone("gone")))({"type": "http"}, failed.receive, failed.send)
        for client in (cut, failed):
            assert client.pieces[-2].startswith(b'data: {"error"')
            assert client.pieces[-2].endswith(b"data: [DONE]\n\n")

    asyncio.run(run())


def test_a_stream_that_is_cut_before_its_beginning_sends_nothing() -> None:
    async def run() -> None:
        sent: list[Any] = []

        async def send_slowly(message: Any) -> None:
            await asyncio.Event().wait()
            sent.append(message)

        stream = EventStream(Source(stays=True).run())
        task = asyncio.ensure_future(stream({"type": "http"}, LeavingClient().receive, send_slowly))
        await drain_loop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(DEADLINE_S):
                await task
        assert sent == []

    asyncio.run(run())


class Closable(AsyncGenerator[bytes, None]):
    """Events without `yield`, as chats have them: they release what they hold when closed, not before."""

    def __init__(self, end: Exception) -> None:
        self.n_closed = 0
        self._end = end

    async def asend(self, value: None) -> bytes:
        raise self._end

    async def athrow(self, typ: Any, val: Any = None, tb: Any = None) -> bytes:
        raise typ

    async def aclose(self) -> None:
        self.n_closed += 1


@for_each("end", [StopAsyncIteration(), UpstreamGone("gone")])
def test_a_stream_that_ends_or_fails_is_closed(end: Exception) -> None:
    async def run() -> None:
        client, events = LeavingClient(), Closable(end)
        await client.take(events)
        assert client.is_whole
        assert events.n_closed == 1

    asyncio.run(run())


def test_what_fails_while_a_stream_is_closed_is_told_in_the_log() -> None:
    async def run() -> None:
        async def events() -> AsyncIterator[bytes]:
            try:
                yield b"1"
                await asyncio.Event().wait()
            finally:
                raise KeyError("turn")  # the interrupt, say

        client, scope = LeavingClient(leaves_after=1), dict[str, Any](type="http")
        with pytest.raises(ClientDisconnect):
            await EventStream(events())(scope, client.receive, client.send)
        assert isinstance(scope["failure"], KeyError)

    asyncio.run(run())


def test_what_answers_in_one_piece_is_cancelled_when_its_client_leaves() -> None:
    async def run() -> None:
        ends: list[str] = []

        async def work() -> str:
            try:
                await asyncio.Event().wait()
            finally:
                await drain_loop()
                ends.append("interrupted")
            return "never"

        async def answer() -> str:
            return "answer"

        here, gone = LeavingClient(), LeavingClient(leaves_after=0)
        assert await until_gone(Request({"type": "http"}, here.receive), answer()) == "answer"
        assert await until_gone(Request({"type": "http"}, gone.receive), work()) is None
        assert ends == ["interrupted"]

    asyncio.run(run())
