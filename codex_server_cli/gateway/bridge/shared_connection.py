"""The connection that all clients of `/rpc` and `/stream` share. Owns which handle belongs to which client, which
threads stay loaded, and how a turn is interrupted.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.handles import handle_in, marked, unmarked
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.connection import UpstreamConnection, UpstreamError
from codex_server_cli.gateway.upstream.interrupt import interrupt_turn
from codex_server_cli.gateway.upstream.wire import UpstreamGone

MOST_THREADS = 128
"""How many idle threads of clients stay loaded: each costs the app-server half a megabyte plus its history."""
CALL_S = 60.0
RAW_CALL_S = 600.0
"""A client's `command/exec` is one call until the command ends."""
_OPENERS = ("thread/start", "thread/resume", "thread/fork")
Handler = Callable[[Message], None]


class BridgeConnection:
    """The connection of one gateway that all clients of `/rpc` and `/stream` share."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._handlers: dict[tuple[str, str], list[Handler]] = {}
        self._threads: OrderedDict[str, None] = OrderedDict()
        self._followed: Counter[str] = Counter()

    async def connection(self) -> UpstreamConnection:
        """The connection, replaced if it was lost.

        Raises:
            UpstreamGone: no connection is possible.
        """
        connection = await self._gateway.app_server.kept("bridge")
        connection.broadcasts = self._hear
        return connection

    async def call(
        self, message: Message, client: str = "", connection: UpstreamConnection | None = None
    ) -> dict[str, Any]:
        """Forward a client's request.

        Args:
            message: the request, checked already.
            client: the client's name, for its handles.
            connection: to use; by default the kept one.

        Returns:
            The reply without its id: `result`, or the app-server's `error`.

        Raises:
            UpstreamGone: the connection was lost, or no answer came in time.
        """
        connection = connection or await self.connection()
        method, sent = str(message["method"]), marked(message, client)
        timeout_s = RAW_CALL_S if self._gateway.options.has_raw_rpc else CALL_S
        try:
            result = await connection.call(method, sent.get("params"), timeout_s=timeout_s)  # type: ignore[arg-type]
        except UpstreamError as error:
            more = {} if error.data is None else {"data": error.data}
            return {"error": {"code": error.code, "message": error.message, **more}}
        self._note_thread(method, message, result)
        return {"result": result}

    def hear_of(self, message: Message, client: str, handler: Handler) -> Callable[[], None]:
        """Call a function with each notification about the handle of a request.

        Returns:
            A function that stops this.
        """
        found = handle_in(message)
        if found is None:
            return lambda: None
        key = client, found[1]
        handlers = self._handlers.setdefault(key, [])
        handlers.append(handler)

        def forget() -> None:
            handlers.remove(handler)
            if not handlers and self._handlers.get(key) is handlers:
                del self._handlers[key]

        return forget

    def keep(self, thread_id: str) -> None:
        """A thread is being followed: it stays loaded until as many `release`."""
        self._followed[thread_id] += 1

    def release(self, thread_id: str) -> None:
        """See `keep`."""
        self._followed[thread_id] -= 1
        self._followed += Counter()  # drops what is at zero

    async def interrupt(self, thread_id: str, turn_id: str, is_over: Callable[[], bool] = lambda: False) -> None:
        """End a turn and its running commands; never raises."""
        with suppress(UpstreamGone):
            connection = await self.connection()
            await interrupt_turn(connection, thread_id, turn_id, is_over=is_over)
            with suppress(UpstreamError):  # an interrupt leaves a running command alive
                await connection.call("thread/backgroundTerminals/clean", {"threadId": thread_id}, timeout_s=5)

    def _hear(self, notification: Message) -> None:
        found = unmarked(notification)
        if found is not None:
            client, handle, plain = found
            for handler in tuple(self._handlers.get((client, handle), ())):
                handler(plain)

    def _note_thread(self, method: str, message: Message, result: Any) -> None:
        """Record that a thread is in use; beyond the limit the least recently used one is unloaded."""
        thread_id = rpc.at(result, "thread.id", str) if method in _OPENERS else rpc.at(message, "params.threadId", str)
        if thread_id is None:
            return
        if method == "thread/unsubscribe":
            self._threads.pop(thread_id, None)
        elif method in _OPENERS or thread_id in self._threads:
            self._threads[thread_id] = None
            self._threads.move_to_end(thread_id)
        idle = [each for each in self._threads if each not in self._followed]
        for each in idle[: max(0, len(self._threads) - MOST_THREADS)]:
            del self._threads[each]
            self._gateway.task(self._unsubscribe(each))

    async def _unsubscribe(self, thread_id: str) -> None:
        with suppress(UpstreamError, UpstreamGone):
            connection = await self.connection()
            await connection.call("thread/unsubscribe", {"threadId": thread_id})
