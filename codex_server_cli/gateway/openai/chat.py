"""`POST /v1/chat/completions`: a request in, an answer or a stream out.

Owns: the way through, from the body to the last byte, and that a client who leaves leaves nothing running.
Never here: parsing, chunks (`core.openai`), turns (`opening`, `chat_answer`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.chat_chunks import DONE, ChatHead, ChunkWriter, completion
from codex_server_cli.core.openai.chat_run import Failed
from codex_server_cli.gateway.answers import EventStream, answer_of, error_data, json_answer, until_gone
from codex_server_cli.gateway.errors import client_gone
from codex_server_cli.gateway.openai.asked import Asked, read_asked
from codex_server_cli.gateway.openai.chat_answer import ChatAnswer
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.opening import open_turn

Facts = dict[str, Any]
"""About a request, for its line in the log."""


class _Running(NamedTuple):
    """An exchange, with what has to be closed after it."""

    exchange: ChatAnswer
    head: ChatHead
    opened: AsyncExitStack


async def answer_chat(state: ChatMemory, request: Request) -> Response:
    """Answer a chat completion request.

    Raises:
        ApiError, UpstreamGone: before the first byte.
    """
    asked = await read_asked(request, state.gateway.options)
    ignored = asked.request.ignored
    headers = {"x-codex-ignored": ",".join(ignored)} if ignored else {}
    answer = (_stream if asked.request.is_stream else _whole)(state, asked, request.scope.get("log", {}), headers)
    return await until_gone(request, answer) or answer_of(client_gone())


async def _whole(state: ChatMemory, asked: Asked, log: Facts, headers: dict[str, str]) -> Response:
    running = await _start(state, asked, log)
    async with running.opened:
        while outputs := await running.exchange.outputs():
            for output in outputs:
                if isinstance(output, Failed):
                    raise output.error
        return json_answer(completion(running.head, running.exchange.run), headers=headers)


async def _stream(state: ChatMemory, asked: Asked, log: Facts, headers: dict[str, str]) -> Response:
    running = await _start(state, asked, log)
    try:
        await running.exchange.begin()
    except BaseException:
        await running.opened.aclose()
        raise
    events = _Events(running, ChunkWriter(running.head, asked.request))
    return EventStream(events, headers, last_words=lambda error: error_data(error) + DONE)


async def _start(state: ChatMemory, asked: Asked, log: Facts) -> _Running:
    """Have the turn run, as soon as there is a place for it."""
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(state.gateway.admission.stream())
        turn, limits, way = await open_turn(state, asked)
        exchange = ChatAnswer(state, asked, turn, limits)
        opened.callback(exchange.close)
        log.update(model=turn.thread.model, thread=way)
        head = ChatHead(f"chatcmpl-{secrets.token_hex(16)}", int(time.time()), asked.name or turn.thread.model)
        return _Running(exchange, head, opened.pop_all())


class _Events(AsyncGenerator[bytes, None]):
    """The events of a stream. No function with `yield`: closing one that was never started would run nothing."""

    def __init__(self, running: _Running, writer: ChunkWriter) -> None:
        self._running, self._writer = running, writer
        self._is_over = False

    async def asend(self, value: None) -> bytes:
        """The next events, as soon as there is one."""
        begun = self._writer.begin()
        if begun:
            return begun
        while not self._is_over:
            if data := await self._next():
                return data
        raise StopAsyncIteration

    async def _next(self) -> bytes:
        outputs = await self._running.exchange.outputs()
        self._is_over = not outputs or self._running.exchange.run.is_over
        return b"".join(self._writer.write(output) for output in outputs)

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        """End it."""
        await self.aclose()
        raise typ if isinstance(typ, BaseException) else typ()

    async def aclose(self) -> None:
        """End what runs for it. May be called again."""
        self._is_over = True
        await self._running.opened.aclose()
