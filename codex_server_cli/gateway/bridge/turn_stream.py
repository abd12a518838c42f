"""One call of `/stream`: its events until its turn ends, whether or not a client is reading.

Owns the order of its events, which server requests it handles, and what happens to its turn if the client leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from secrets import token_hex
from typing import Any

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message, MessageType
from codex_server_cli.gateway.bridge.frames import Frames, FramesLost
from codex_server_cli.gateway.bridge.messages import TURN_STARTERS
from codex_server_cli.gateway.bridge.requests import ServerRequests
from codex_server_cli.gateway.bridge.shared_connection import BridgeConnection
from codex_server_cli.gateway.http_answers import error_document, refusal_of
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.connection import UpstreamConnection
from codex_server_cli.gateway.upstream.feed import ThreadFeed

GRACE_S = 5.0
"""How long a client may be away before its turn is interrupted: browsers reconnect sooner."""
_END_S = 10.0
"""The timeout for `turn/completed` after the thread is idle, and after an interrupt."""
_LOOK_S = 1.0
_EXITS = {"process/spawn": "process/exited"}
_THREAD_ENDS = ("thread/closed", "thread/deleted")


class TurnStream:
    """One call, from its admission to the end of its turn; it goes on while no client reads.

    Attributes:
        frames: its events.
        admitted: set once it has a slot.
    """

    def __init__(
        self, gateway: Gateway, shared: BridgeConnection, requests: ServerRequests, message: Message, client: str
    ) -> None:
        self.frames = Frames(token_hex(16))
        self.admitted = asyncio.Event()
        self._gateway, self._shared, self._requests = gateway, shared, requests
        self._message, self._client = message, client
        self._thread_id = rpc.at(message, "params.threadId", str)
        self._turns: set[str] = set()
        self._owned: set[str] = set()
        self._readers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_idle = self._is_abandoned = False
        self._begun, self._exited = asyncio.Event(), asyncio.Event()
        self.running: asyncio.Task[None] = gateway.awaited_task(self._run())

    # --- for the client

    async def events(self, number: int) -> AsyncIterator[bytes]:
        """The events after a number, as bytes. When the last reader leaves, the turn is interrupted after a while."""
        self._readers += 1
        try:
            async for frame in self.frames.after(number):
                yield frame
        except FramesLost:
            document = error_document("this client is too slow", type="server_error", code="client_too_slow")
            yield f"event: error\ndata: {rpc.encode(document).decode()}\n".encode()
        finally:
            self._readers -= 1
            self.expect_reader()

    def expect_reader(self) -> None:
        """Abandon it if no reader comes within a while from now on."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(GRACE_S, self._check_readers)

    def _check_readers(self) -> None:
        if self._readers == 0 and not self.frames.is_ended and not self._is_abandoned:
            self._gateway.task(self.abandon())

    async def abandon(self, reason: ApiError | None = None) -> None:
        """End it: interrupts its own turn only.

        Args:
            reason: sent to clients that still read.
        """
        self._is_abandoned = True
        if reason is not None:
            self._fail(reason)
        if self.admitted.is_set() and self._message["method"] in TURN_STARTERS and self._thread_id is not None:
            begun = asyncio.ensure_future(self._begun.wait())  # its reply is on the way
            await asyncio.wait((begun, self.running), timeout=_END_S, return_when=asyncio.FIRST_COMPLETED)
            begun.cancel()
            for turn_id in tuple(self._owned):
                await self._shared.interrupt(self._thread_id, turn_id, self.running.done)
            if self._owned:
                await asyncio.wait((self.running,), timeout=_END_S)
        self.running.cancel()

    # --- the call

    async def _run(self) -> None:
        try:
            async with self._gateway.admission.stream():
                self.admitted.set()
                self.frames.add("ready", {"stream": self.frames.stream_id})
                await self._call()
        except Exception as error:
            if not self.admitted.is_set():
                raise  # the client gets it as a status code
            self._fail(error)
        finally:
            self._requests.forget(self.frames.stream_id)
            self._done()

    async def _call(self) -> None:
        connection = await self._shared.connection()
        feed = connection.follow(self._thread_id) if self._thread_id is not None else None
        if self._thread_id is not None:
            self._shared.keep(self._thread_id)
        forget = self._shared.hear_of(self._message, self._client, self._hear)
        try:
            reply = await self._shared.call(self._message, self._client, connection)
            self.frames.add("error" if "error" in reply else "result", {"id": self._message["id"], **reply})
            if "error" in reply:
                return
            await self._follow(connection, feed, reply["result"])
        finally:
            forget()
            if feed is not None and self._thread_id is not None:
                feed.close()
                self._shared.release(self._thread_id)

    async def _follow(self, connection: UpstreamConnection, feed: ThreadFeed | None, result: Any) -> None:
        """Forward what follows the reply, if anything does."""
        method = self._message["method"]
        if method in _EXITS:
            while not self._exited.is_set() and connection.is_open:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._exited.wait()
        elif method in TURN_STARTERS and feed is not None:
            turn_id = rpc.at(result, "turn.id", str) or rpc.at(result, "turnId", str)
            if turn_id is not None:
                self._own(turn_id)
            is_over = False
            while not is_over:
                is_over = await self._pass_on(connection, feed)

    async def _pass_on(self, connection: UpstreamConnection, feed: ThreadFeed) -> bool:
        """Forward one message of the thread; true for the last one.

        Raises:
            UpstreamGone, FeedOverflow: see `ThreadFeed`.
            ApiError: the end of the turn was never reported.
        """
        try:
            async with asyncio.timeout(_END_S if self._is_idle else None):
                message = await anext(feed)
        except TimeoutError as error:
            words = "the thread is idle, and the end of the turn was not told"
            raise ApiError(502, words, type="upstream_error", code="turn_end_missing") from error
        method, params = message.get("method"), rpc.params_of(message)
        if rpc.message_type(message) is MessageType.REQUEST:
            await self._take_request(connection, message)
            return False
        turn_id = rpc.at(params, "turnId", str) or rpc.at(params, "turn.id", str)
        if method == "turn/started" and turn_id is not None:
            self._is_idle = False
            if not self._turns or rpc.at(params, "turn.rootTurnId", str) in self._turns:
                self._own(turn_id)
        elif method == "thread/status/changed" and self._turns:
            self._is_idle = rpc.at(params, "status.type", str) == "idle"
        if turn_id is not None and turn_id not in self._turns:
            return False
        if method == "serverRequest/resolved":
            message = self._requests.resolved(self.frames.stream_id, message)
        self.frames.add("notification", message)
        if method in _THREAD_ENDS:
            raise ApiError(409, "the thread was closed", type="upstream_error", code="thread_closed")
        return method == "turn/completed"

    async def _take_request(self, connection: UpstreamConnection, message: Message) -> None:
        """Handle a server request: about one of our turns, another stream's turn, or a turn of no stream."""
        turn_id = rpc.at(message, "params.turnId", str)
        if turn_id in self._owned if turn_id is not None else bool(self._owned):
            handle = self._requests.add(self.frames.stream_id, connection, message["id"])
            self.frames.add("request", {**message, "id": handle})
        elif turn_id is None or not self._requests.is_attended(turn_id):
            await connection.refuse(message["id"], "no client of the gateway attends this turn")

    def _own(self, turn_id: str) -> None:
        """Follow a turn. It is ours unless another stream has it: `turn/start` may join a running turn."""
        self._turns.add(turn_id)
        self._begun.set()
        if self._message["method"] != "turn/steer" and not self._requests.is_attended(turn_id):
            self._owned.add(turn_id)
            self._requests.attend(self.frames.stream_id, turn_id)

    def _hear(self, notification: Message) -> None:
        """Forward a notification about the request's handle."""
        self.frames.add("notification", notification)
        if notification.get("method") in _EXITS.values():
            self._exited.set()

    def _fail(self, error: Exception) -> None:
        """Add the last event but one: the error, in the form that every face uses."""
        found, hint = refusal_of(error)
        self.frames.add("error", error_document(found.message, type=found.type, code=found.code, hint=hint))
        self._done()

    def _done(self) -> None:
        self.frames.add("done", {})
        self.frames.end()
