"""A connection on which we are the client: calls, and incoming messages sorted by thread.

A server request about a thread that nothing follows is refused here: it fails closed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

from anyio import to_thread

from codex_server_cli import __version__
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.query import initialize_params
from codex_server_cli.core.result.failures import is_draining
from codex_server_cli.gateway.upstream.feed import ThreadFeed
from codex_server_cli.gateway.upstream.weight import LONG, characters
from codex_server_cli.gateway.upstream.wire import RawConnection, UpstreamGone

_MOST_IN_FLIGHT = 64
"""An app-server refuses from about 120 on (transport notes, section 6)."""
_MOST_BYTES = 60 * 1024 * 1024
"""Of one message: at 64 MiB the app-server closes the connection, which others share."""
_INVALID_PARAMS = -32602
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_UNATTENDED = "no client of the gateway attends this thread"


class UpstreamError(Exception):
    """The app-server replied with an error.

    Attributes:
        code, message, data: as it came.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        code = error.get("code")
        self.code: int = code if isinstance(code, int) else 0
        self.message = rpc.readable_message(error)
        self.data: Any = error.get("data")
        super().__init__(self.message)


class UpstreamConnection:
    """An initialised connection.

    Attributes:
        broadcasts: called with each notification that belongs to no thread.
        when_draining: called when the app-server has refused a call because it drains.
        is_draining: whether it has been told to drain; reads a file's metadata.
    """

    def __init__(self, raw: RawConnection) -> None:
        self._raw = raw
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[rpc.Message]] = {}
        self._feeds: dict[str, list[ThreadFeed]] = {}
        self._in_flight = asyncio.Semaphore(_MOST_IN_FLIGHT)
        self._refusals: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self.broadcasts: Callable[[rpc.Message], None] | None = None
        self.when_draining: Callable[[], None] | None = None
        self.is_draining: Callable[[], bool] = lambda: False
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def initialize(self, timeout_s: float) -> None:
        """Do the handshake.

        Raises:
            UpstreamGone: it fails.
        """
        try:
            await self.call("initialize", initialize_params(__version__), timeout_s=timeout_s)
            await self._send({"method": "initialized"})
        except UpstreamError as error:
            raise UpstreamGone(f"the app-server refuses the handshake: {error.message}") from error

    @property
    def is_open(self) -> bool:
        """Whether it is neither closed nor lost."""
        return self._raw.is_open and not self._reading.done()

    async def call(self, method: str, params: dict[str, Any], *, timeout_s: float = 30.0) -> Any:
        """Make one request; retried while the app-server is too busy to take it.

        Returns:
            The `result`.

        Raises:
            UpstreamError: the reply is an error.
            UpstreamGone: the connection was lost, or no answer came in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._call(method, params)
        except TimeoutError as error:
            raise UpstreamGone(f"the app-server does not answer {method} within {timeout_s:g} s") from error

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        pause_s = _FIRST_PAUSE_S
        while True:
            async with self._in_flight:
                reply = await self._reply_to(method, params)
            if "error" not in reply:
                return reply.get("result")
            error = UpstreamError(rpc.object_at(reply, "error"))
            if self.when_draining is not None and is_draining(rpc.object_at(reply, "error")):
                self.when_draining()
                raise error
            if error.code != rpc.OVERLOADED:
                raise error
            await asyncio.sleep(pause_s)  # it was not executed
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _reply_to(self, method: str, params: dict[str, Any]) -> rpc.Message:
        if not self.is_open:
            raise UpstreamGone("the connection to the app-server was lost")
        number = next(self._numbers)
        reply: asyncio.Future[rpc.Message] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        try:
            await self._send(rpc.request(number, method, params))
            return await reply
        finally:
            self._replies.pop(number, None)

    def follow(self, thread_id: str) -> ThreadFeed:
        """A feed of the thread's messages from now on."""
        feeds = self._feeds.setdefault(thread_id, [])

        def forget(feed: ThreadFeed) -> None:
            feeds.remove(feed)
            if not feeds and self._feeds.get(thread_id) is feeds:
                del self._feeds[thread_id]

        feed = ThreadFeed(forget)
        feeds.append(feed)
        if not self.is_open:
            feed.fail(UpstreamGone("the connection to the app-server was lost"))
        return feed

    async def reply(self, request_id: Any, result: dict[str, Any]) -> None:
        """Answer a server request.

        Raises:
            UpstreamError: the answer exceeds the message size limit; nothing was sent.
            UpstreamGone: the connection was lost.
        """
        await self._send({"id": request_id, "result": result})

    async def refuse(self, request_id: Any, message: str) -> None:
        """Decline a server request.

        Raises:
            UpstreamGone: the connection was lost.
        """
        await self._send(rpc.refusal({"id": request_id}, message))

    async def _send(self, message: rpc.Message) -> None:
        """Send one message; a long one is encoded off the event loop.

        Raises:
            UpstreamError: it exceeds the message size limit; nothing was sent.
            UpstreamGone: the connection was lost.
        """
        is_long = characters(message) > LONG
        data = await to_thread.run_sync(_text, message) if is_long else _text(message)
        if len(data) > _MOST_BYTES:
            words = f"a message of {len(data) >> 20} MiB is too large: Codex takes {_MOST_BYTES >> 20} MiB at once"
            error = {"code": _INVALID_PARAMS, "message": words, "data": {"input_error_code": "input_too_large"}}
            raise UpstreamError(error)
        await self._raw.send(data)

    async def close(self) -> None:
        """Close it; pending calls and feeds raise `UpstreamGone`. Idempotent."""
        self._is_closing = True
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self._raw.close()

    async def _read(self) -> None:
        reason = "the connection to the app-server was closed"
        try:
            while True:
                data = await self._raw.receive_bytes()
                is_long = len(data) > LONG
                message = await to_thread.run_sync(rpc.parse_line, data) if is_long else rpc.parse_line(data)
                if message is not None:
                    self._take(message, len(data))
        except UpstreamGone as error:
            reason = error.reason
        finally:
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(UpstreamGone(reason))
            for feed in [feed for feeds in self._feeds.values() for feed in feeds]:
                feed.fail(UpstreamGone(reason))
            if not self._is_closing:
                self._raw.abort()

    def _take(self, message: rpc.Message, size: int) -> None:
        kind = rpc.message_type(message)
        if kind is rpc.MessageType.RESPONSE:
            reply = self._replies.get(message["id"])
            if reply is not None and not reply.done():
                reply.set_result(message)
            return
        if kind is rpc.MessageType.INVALID:
            return
        thread_id = _thread_of(message)
        feeds = self._feeds.get(thread_id, ()) if thread_id is not None else ()
        for feed in tuple(feeds):
            feed.put(message, size)
        if kind is rpc.MessageType.REQUEST and not feeds:
            task = asyncio.get_running_loop().create_task(self._refuse_unattended(message["id"]))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)
        elif thread_id is None and self.broadcasts is not None:
            self.broadcasts(message)

    async def _refuse_unattended(self, request_id: Any) -> None:
        try:
            await self.refuse(request_id, _UNATTENDED)
        except UpstreamGone:  # no answer is needed any more
            return


def _thread_of(message: rpc.Message) -> str | None:
    params = rpc.params_of(message)
    return rpc.text_or_none(params.get("threadId")) or rpc.at(params, "thread.id", str)


def _text(message: rpc.Message) -> bytes:
    """Without ASCII escapes: they make text other than English up to six times as long."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
