"""Holding an inquiry with an app-server of its own. Owns the process and the waiting; never decides what is asked.

Nothing of the answer is recorded, and the process is gone when it is over.
"""

from __future__ import annotations

import select
import time
from pathlib import Path
from typing import TypeVar

from codex_server_cli.core import rpc
from codex_server_cli.core.inquiry import Ask, Inquiry
from codex_server_cli.core.jsonl import LineDecoder
from codex_server_cli.errors import CodexMissingError
from codex_server_cli.proc.app_server import AppServer

T = TypeVar("T")


def converse(codex: Path, cwd: Path, inquiry: Inquiry[T], timeout_s: float) -> T:
    """Start an app-server, hold an inquiry, end the app-server.

    Args:
        timeout_s: for all of it, less the end.

    Raises:
        CodexMissingError: it does not start, or does not answer in time; the message holds its last words.
    """
    try:
        server = AppServer(codex, str(cwd), may_bill_api_key=False)
    except OSError as error:
        raise CodexMissingError(f"{codex} cannot be started: {error}") from error
    try:
        return _Talk(server, time.monotonic() + timeout_s).hold(inquiry)
    except (_SilenceError, BrokenPipeError) as error:
        server.end()  # its last words come with its end
        raise no_answer(server.last_words()) from error
    finally:
        server.end()
        server.close()


def no_answer(last_words: str = "") -> CodexMissingError:
    """The error for an app-server that does not answer, or answers with a refusal."""
    last = last_words.rpartition("\n")[2].strip() or "it left no word"
    return CodexMissingError(f"codex app-server does not answer: {last}", hint="codex-server doctor")


class _SilenceError(Exception):
    """The time ran out, or the stream ended."""


class _Talk:
    """One request after the other, each awaited."""

    def __init__(self, server: AppServer, deadline: float) -> None:
        self._server = server
        self._deadline = deadline
        self._decoder = LineDecoder()
        self._fds = [server.transport.read_fd(), server.stderr_fd]
        self._next_id = 1

    def hold(self, inquiry: Inquiry[T]) -> T:
        try:
            ask = next(inquiry)
            while True:
                ask = inquiry.send(self._reply_to(ask))
        except StopIteration as end:
            value: T = end.value
            return value

    def _reply_to(self, ask: Ask) -> rpc.Message:
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._server.transport.send(rpc.encode(rpc.request(request_id, *ask)))
        while True:
            for message in self._read():
                if rpc.message_type(message) is rpc.MessageType.RESPONSE and message["id"] == request_id:
                    if ask[0] == "initialize":
                        self._server.transport.send(rpc.encode({"method": "initialized"}))
                    return message

    def _read(self) -> list[rpc.Message]:
        """The messages that come next.

        Raises:
            _SilenceError: none will come, or none in time.
        """
        rest_s = self._deadline - time.monotonic()
        if rest_s <= 0:
            raise _SilenceError
        unsent_fd = self._server.transport.write_fd()
        select.select(self._fds, [] if unsent_fd is None else [unsent_fd], [], rest_s)
        self._server.transport.flush()
        if not self._server.drain_stderr():
            del self._fds[1:]  # closed: it would wake us for ever
        data = self._server.transport.read()
        if data is None:
            raise _SilenceError
        return [message for line in self._decoder.feed(data) if (message := rpc.parse_line(line)) is not None]
