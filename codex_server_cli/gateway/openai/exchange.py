"""The path of a request through both OpenAI faces: from the parsed request to the last byte.

Owns: that path, and that nothing keeps running for a client that has disconnected.
Never here: parsing, the form of the response (`core.openai`), turns (`opening`, `chat_answer`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.answer.outputs import AnswerContent, Failed, Output
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.gateway.errors import client_gone
from codex_server_cli.gateway.http_answers import EventStream, answer_of, json_answer, until_gone
from codex_server_cli.gateway.openai.asked import Asked
from codex_server_cli.gateway.openai.chat_answer import ChatAnswer
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.opening import open_turn

Facts = dict[str, Any]
"""Facts about a request, for its line in the log."""


class AnswerForm(Protocol):
    """The form of one answer on a face."""

    @property
    def content(self) -> AnswerContent:
        """Collects the model's output."""

    def begin(self) -> bytes:
        """The beginning of the stream, once; empty afterwards."""

    def write(self, output: Output) -> bytes:
        """The bytes of the stream for an output of the run; `Interrupt` has none."""

    def document(self, run: ChatRun) -> dict[str, Any]:
        """The whole document of a finished run."""

    def failure_events(self, error: Exception) -> bytes:
        """The end of a stream that fails."""


class _Running(NamedTuple):
    """An answer, with what has to be closed after it."""

    exchange: ChatAnswer
    form: AnswerForm
    opened: AsyncExitStack


_Start = Callable[[], Awaitable[_Running]]
FormMaker = Callable[[str], AnswerForm]
"""Makes the form, given the name of the model that answers."""


async def answer(state: ChatMemory, asked: Asked, request: Request, make: FormMaker) -> Response:
    """Answer a request.

    Raises:
        ApiError, UpstreamGone: before the first byte.
    """
    ignored = asked.request.ignored
    headers = {"x-codex-ignored": ",".join(ignored)} if ignored else {}
    start = partial(_start, state, asked, request.scope.get("log", {}), make)
    way = (_stream if asked.request.is_stream else _whole)(start, headers)
    return await until_gone(request, way) or answer_of(client_gone())


async def _whole(start: _Start, headers: dict[str, str]) -> Response:
    running = await start()
    async with running.opened:
        while outputs := await running.exchange.outputs():
            for output in outputs:
                if isinstance(output, Failed):
                    raise output.error
        return json_answer(running.form.document(running.exchange.run), headers=headers)


async def _stream(start: _Start, headers: dict[str, str]) -> Response:
    running = await start()
    try:
        await running.exchange.begin()
    except BaseException:
        await running.opened.aclose()
        raise
    return EventStream(_Events(running), headers, failure_events=running.form.failure_events)


async def _start(state: ChatMemory, asked: Asked, log: Facts, make: FormMaker) -> _Running:
    """Start the turn as soon as there is a slot."""
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(state.gateway.admission.stream())
        turn, limits, way = await open_turn(state, asked)
        try:
            form = make(asked.name or turn.thread.model)
            exchange = ChatAnswer(state, asked, turn, limits, form.content)
        except BaseException:  # no one else can end this turn, which would be paid for to its end
            state.end_turn(turn)
            raise
        opened.callback(exchange.close)
        log.update(model=turn.thread.model, thread=way)
        return _Running(exchange, form, opened.pop_all())


class _Events(AsyncGenerator[bytes, None]):
    """The events of a stream. Not a generator function: closing one that was never started would run no clean-up."""

    def __init__(self, running: _Running) -> None:
        self._running = running
        self._is_over = False

    async def asend(self, value: None) -> bytes:
        """The next events; waits for at least one."""
        begun = self._running.form.begin()
        if begun and not self._running.exchange.has_outputs:
            return begun
        while not self._is_over:
            if data := begun + await self._next():
                return data
        raise StopAsyncIteration

    async def _next(self) -> bytes:
        outputs = await self._running.exchange.outputs()
        self._is_over = not outputs or self._running.exchange.run.is_over
        return b"".join(self._running.form.write(output) for output in outputs)

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        """Close it, and raise the exception."""
        await self.aclose()
        raise typ if isinstance(typ, BaseException) else typ()

    async def aclose(self) -> None:
        """End the turn. Idempotent."""
        self._is_over = True
        await self._running.opened.aclose()
