"""An ephemeral thread of the app-server, and a turn on it, as the chat face uses them.

Owns: their lifecycle: start, inject, follow, answer, interrupt, release.
Never here: which thread serves which request (`threads`, `held_turns`), what messages mean for a client (`ChatRun`).

A thread belongs to the connection that started it: no other gets its events, and it cannot be resumed elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from codex_server_cli.core.openai.answer.spent import SpentTokens
from codex_server_cli.core.protocol.rpc import at, params_of, text_or_none
from codex_server_cli.gateway.openai.pieces import pieces_of
from codex_server_cli.gateway.upstream.connection import UpstreamConnection, UpstreamError
from codex_server_cli.gateway.upstream.feed import FeedOverflow, ThreadFeed
from codex_server_cli.gateway.upstream.interrupt import PAUSE_S, interrupt_turn
from codex_server_cli.gateway.upstream.wire import LOST, UpstreamGone

_INTERRUPT_S = 10.0
"""The total timeout for interrupting a turn: it takes 0.1 s unless the machine is busy."""
_STEP_S = 1.0
"""How long to wait for the effect of one attempt."""
_GONE = (UpstreamError, UpstreamGone, FeedOverflow, TimeoutError, StopAsyncIteration)

Message = dict[str, Any]


class ClientThread:
    """An ephemeral thread that the gateway started.

    Attributes:
        id, model, provider: as Codex names them.
        feed: its messages.
    """

    def __init__(
        self,
        connection: UpstreamConnection,
        thread_id: str,
        reply: Any = None,
        *,
        owns_connection: bool = False,
        has_raw_events: bool = True,
    ) -> None:
        self.id, self._connection = thread_id, connection
        self.model, self.provider = at(reply, "model", str) or "", at(reply, "modelProvider", str)
        self._owns_connection = owns_connection
        self._spent = None if has_raw_events else SpentTokens()
        self.feed: ThreadFeed = connection.follow(thread_id)

    @classmethod
    async def start(
        cls,
        connection: UpstreamConnection,
        params: dict[str, Any],
        *,
        method: str = "thread/start",
        owns_connection: bool = False,
    ) -> ClientThread:
        """Start a thread with these parameters; raises `UpstreamError`, `UpstreamGone`.

        Args:
            method: `thread/start` or `thread/fork`.
            owns_connection: the connection serves this thread only; it is closed with it, and if the start fails.
        """
        try:
            reply = await connection.call(method, params)
            thread_id = _id_in(reply)
        except BaseException:
            if owns_connection:
                await asyncio.shield(connection.close())
            raise
        has_raw_events = params.get("experimentalRawEvents") is True
        return cls(connection, thread_id, reply, owns_connection=owns_connection, has_raw_events=has_raw_events)

    @property
    def is_alive(self) -> bool:
        """Whether its app-server is still reachable."""
        return self._connection.is_open

    @property
    def is_draining(self) -> bool:
        """Whether its app-server exits as soon as its turns have ended."""
        return self._connection.is_draining()

    async def next_message(self) -> Message:
        """The next message about it, in the form of raw events; raises what its feed raises."""
        return self._as_raw(await anext(self.feed))

    def take_message(self) -> Message | None:
        """The same without waiting; None if there is no message."""
        message = self.feed.take()
        return None if message is None else self._as_raw(message)

    def _as_raw(self, message: Message) -> Message:
        return message if self._spent is None else self._spent.as_raw(message)

    async def call(self, method: str, **params: Any) -> Any:
        """The result of a request about this thread; raises `UpstreamError`, `UpstreamGone`."""
        return await self._connection.call(method, {"threadId": self.id, **params})

    async def interrupt(self, turn_id: str, is_over: Callable[[], bool], pause: Callable[[], Awaitable[None]]) -> None:
        """See `interrupt_turn`."""
        await interrupt_turn(self._connection, self.id, turn_id, is_over=is_over, pause=pause)

    async def reply(self, request_id: Any, result: dict[str, Any]) -> None:
        """Answer a request of the app-server; raises `UpstreamGone`."""
        await self._connection.reply(request_id, result)

    async def refuse(self, request_id: Any) -> None:
        """Decline a request of the app-server; raises `UpstreamGone`."""
        await self._connection.refuse(request_id, "a chat completion approves nothing")

    async def inject(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Append items to its history; raises `UpstreamError`, `UpstreamGone`.

        The app-server echoes each item as a notification: all at once would exceed what a connection may leave unread.
        """
        for piece in pieces_of(items):
            await self.call("thread/inject_items", items=piece)

    async def inject_while_idle(self, items: Sequence[Mapping[str, Any]]) -> None:
        """The same while no turn runs; messages about the thread that arrive meanwhile are dropped.

        The echoed items are as large as those sent.
        """
        for piece in pieces_of(items):
            await self.inject(piece)
            self.feed.skip()

    async def start_turn(self, params: dict[str, Any]) -> ClientTurn:
        """Start a turn with these parameters of `turn/start`.

        Raises:
            UpstreamError: it was refused; no turn runs.
            TurnInDoubt: it was sent; a turn may run.
            UpstreamGone: it was not sent.
        """
        if not self.is_alive:
            raise UpstreamGone(LOST)
        try:
            reply = await self._connection.call("turn/start", params)
        except UpstreamGone as error:
            raise TurnInDoubt(error.reason, ClientTurn(self)) from error
        return ClientTurn(self, at(reply, "turn.id", str))

    async def release(self) -> None:
        """Have the app-server unload it; never raises."""
        self.feed.close()
        if self._owns_connection:
            await self._connection.close()
            return
        with contextlib.suppress(*_GONE):
            await self.call("thread/unsubscribe")


def _id_in(reply: Any) -> str:
    thread_id = at(reply, "thread.id", str)
    if thread_id is None:
        raise UpstreamError({"message": "the app-server has started a thread, and does not name it"})
    return thread_id


class TurnInDoubt(Exception):
    """It is unknown whether a requested turn runs. It must be interrupted, and must not be requested again.

    Attributes:
        reason: for people.
        turn: that turn, without its id.
    """

    def __init__(self, reason: str, turn: ClientTurn) -> None:
        super().__init__(reason)
        self.reason, self.turn = reason, turn


class ClientTurn:
    """A turn on a thread of ours.

    Attributes:
        thread: where it runs.
        id: its id; if the reply did not name it, `turn/started` does.
        is_over: whether `turn/completed` has been read.
    """

    def __init__(self, thread: ClientThread, turn_id: str | None = None) -> None:
        self.thread, self.id = thread, turn_id
        self.is_over = False
        self._has_started = False
        self._calls: dict[str, Any] = {}
        self._results: dict[str, dict[str, Any]] = {}
        self._unwanted: list[Any] = []

    async def next_message(self) -> Message:
        """Wait for its next message; cancelling it loses none.

        Raises:
            UpstreamGone: the connection was lost.
            FeedOverflow: too much was unread.
        """
        await self._answer()
        message = await self.thread.next_message()
        self._note(message)
        return message

    def take_message(self) -> Message | None:
        """The next message if it is there already and no server request must be answered first."""
        if self._unwanted or self._calls.keys() & self._results.keys():
            return None
        message = self.thread.take_message()
        if message is not None:
            self._note(message)
        return message

    def _note(self, message: Message) -> None:
        params = params_of(message)
        match message.get("method"):
            case "turn/started":
                self.id = self.id or at(params, "turn.id", str)  # no other turn runs on this thread
                self._has_started = self._has_started or self._is_about_us(params)
            case "turn/completed":
                self.is_over = self.is_over or self._is_about_us(params)
            case "item/tool/call" if (call_id := text_or_none(params.get("callId"))) is not None:
                self._calls[call_id] = message["id"]
            case _ if "id" in message:
                self._unwanted.append(message["id"])
            case _:
                pass

    def _is_about_us(self, params: Message) -> bool:
        return self.id is not None and at(params, "turn.id", str) == self.id

    async def give_results(self, results: Mapping[str, dict[str, Any]]) -> None:
        """Answer its tool calls; a call that it has not made yet is answered as soon as it is made.

        0.163.0 makes the second of two calls only after the first is answered. Raises `UpstreamGone`.
        """
        self._results.update(results)
        await self._answer()

    async def _answer(self) -> None:
        for call_id in self._calls.keys() & self._results.keys():
            await self.thread.reply(self._calls[call_id], self._results[call_id])
            self._calls.pop(call_id, None)
        while self._unwanted:
            await self.thread.refuse(self._unwanted[0])
            self._unwanted.pop(0)

    async def is_waiting(self) -> bool:
        """Whether it still runs, according to the messages received so far."""
        with contextlib.suppress(TimeoutError, UpstreamGone, FeedOverflow):
            async with asyncio.timeout(0):
                while not self.is_over:
                    await self.next_message()
        return self.thread.is_alive and not self.is_over

    async def interrupt(self) -> None:
        """Interrupt it, and release its thread; never raises.

        Nothing else ends a turn that waits for a tool result.
        """
        with contextlib.suppress(*_GONE):
            try:
                async with asyncio.timeout(_INTERRUPT_S):
                    await self._interrupt_until_over()
            except FeedOverflow:  # it still runs, though its messages can no longer be read
                await self.thread.call("turn/interrupt", turnId=self.id or "")
        await self.thread.release()

    async def _interrupt_until_over(self) -> None:
        if not await self.is_waiting():
            return
        while not self.is_over:
            await self._read_until(lambda: self._has_started, _STEP_S)
            if self.id is not None:
                await self.thread.interrupt(self.id, lambda: self.is_over, lambda: self._read_until_over(PAUSE_S))
            await self._read_until_over(_STEP_S)

    async def _read_until_over(self, timeout_s: float) -> None:
        await self._read_until(lambda: False, timeout_s)

    async def _read_until(self, is_enough: Callable[[], bool], timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not (self.is_over or is_enough()):
                    await self.next_message()
