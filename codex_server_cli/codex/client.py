"""Running queries against a separate app-server. Owns the process and the waiting; must never decide what is asked.

No reply is recorded, and the process has exited when the client ends, however that happens. A start that collided with
another app-server is retried, as a turn's is.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from codex_server_cli import __version__
from codex_server_cli.codex.room import is_without_room, no_room
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.spawned import AppServer
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.query import Ask, Listen, Query, initialize
from codex_server_cli.core.result import advice
from codex_server_cli.core.result.failures import telling_line
from codex_server_cli.core.session.backoff import Backoff, is_start_collision
from codex_server_cli.errors import CodexMissingError

T = TypeVar("T")

DOCTOR = "codex-server doctor"
INITIALIZE_TIMEOUT_S = 20.0
_MOST_HEARD = 100
"""Notifications that are kept until a query listens for one; an account sends a handful."""


def run_query(codex: Path, cwd: Path, query: Query[T], timeout_s: float) -> T:
    """Start an app-server, run a query, end the app-server.

    Args:
        timeout_s: for start and query together, without the end.

    Raises:
        CodexMissingError: it does not start, or does not answer in time; the message holds the tail of its stderr.
    """
    with CodexClient(codex, cwd) as client:
        return client.run(query, timeout_s)


def read_user_agent(codex: Path, cwd: Path) -> str:
    """Whether a codex answers: start an app-server, initialize it, end it. For setup and doctor.

    On a fresh `CODEX_HOME` that also makes Codex's databases.

    Returns:
        Its user agent.

    Raises:
        CodexMissingError: it does not start or does not answer; the message holds the tail of its stderr.
    """
    user_agent = run_query(codex, cwd, initialize(__version__), INITIALIZE_TIMEOUT_S)
    if user_agent is None:
        raise no_answer()
    return user_agent


def no_answer(stderr_tail: str = "") -> CodexMissingError:
    """The error for an app-server that does not answer, or answers with a refusal."""
    last = telling_line(stderr_tail) or "it printed nothing"
    words = advice.words_for(last, None)
    hint = re.sub(r"{\w+}", "run this again", words) if words else DOCTOR  # in place of the commands of a turn
    return CodexMissingError(f"codex app-server does not answer: {last}", hint=hint)


class _SilenceError(Exception):
    """The time ran out, or the stream ended."""


class CodexClient:
    """A separate app-server, as a context manager: one query at a time, one request at a time."""

    def __init__(self, codex: Path, cwd: Path, *, codex_home: str | None = None) -> None:
        """Start it.

        Args:
            codex_home: another `CODEX_HOME` than ours.

        Raises:
            CodexMissingError: it does not start.
        """
        self._codex, self._cwd, self._codex_home = codex, cwd, codex_home
        self._next_id = 1
        self._heard: deque[rpc.Message] = deque(maxlen=_MOST_HEARD)
        self._backoff = Backoff(str(os.getpid()))
        self._start()

    def _start(self) -> None:
        try:
            self._link = self._spawn()
        except OSError as error:
            if is_without_room(error):
                raise no_room(f"{self._codex} cannot be started", error) from error
            raise CodexMissingError(f"{self._codex} cannot be started: {error.strerror}") from error
        self._decoder = LineDecoder()

    def _spawn(self) -> Link:
        return AppServer(self._codex, str(self._cwd), may_bill_api_key=False, codex_home=self._codex_home)

    def __enter__(self) -> CodexClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._link.close()

    def run(self, query: Query[T], timeout_s: float) -> T:
        """Run one query, within `timeout_s`.

        A `KeyboardInterrupt` leaves the app-server running: another query may follow.

        Raises:
            CodexMissingError: the app-server does not answer in time, or has gone; it is ended then.
        """
        deadline = time.monotonic() + timeout_s
        try:
            step = next(query)
            while True:
                step = query.send(self._take(step, deadline))
        except StopIteration as end:
            value: T = end.value
            return value
        except (_SilenceError, BrokenPipeError) as error:
            raise no_answer(self.end()) from error

    def end(self) -> str:
        """End the app-server and return the tail of its stderr, which is complete only then. May be called again."""
        self._link.end()
        return self._link.stderr_tail()

    def _take(self, step: Ask | Listen, deadline: float) -> rpc.Message:
        return self._listen(step, deadline) if isinstance(step, Listen) else self._reply_to(step, deadline)

    def _reply_to(self, ask: Ask, deadline: float) -> rpc.Message:
        """The reply to a request.

        Raises:
            _SilenceError, BrokenPipeError: none comes.
        """
        while True:
            try:
                return self._request(ask, deadline)
            except (_SilenceError, BrokenPipeError):
                if ask[0] != "initialize" or not self._can_start_again(deadline):
                    raise

    def _can_start_again(self, deadline: float) -> bool:
        """Start another app-server after a delay, where this one only collided with others at its start."""
        if not is_start_collision(self.end()):
            return False
        delay_ms = self._backoff.delay_ms(time.monotonic() * 1000)
        if delay_ms is None or time.monotonic() + delay_ms / 1000 >= deadline:
            return False
        time.sleep(delay_ms / 1000)
        self._link.close()
        self._start()
        return True

    def _request(self, ask: Ask, deadline: float) -> rpc.Message:
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._link.send(rpc.encode(rpc.request(request_id, *ask)))
        reply: rpc.Message | None = None
        while reply is None:
            for message in self._read(deadline):
                if rpc.message_type(message) is rpc.MessageType.RESPONSE and message["id"] == request_id:
                    reply = message
        if ask[0] == "initialize":
            self._link.send(rpc.encode({"method": "initialized"}))
        return reply

    def _listen(self, wanted: Listen, deadline: float) -> rpc.Message:
        """The next notification of the wanted method; what came before it is forgotten. `{}` where none came in time.

        Raises:
            _SilenceError: the deadline of the whole query passed, or the stream ended.
        """
        until = deadline if wanted.timeout_s is None else min(time.monotonic() + wanted.timeout_s, deadline)
        while True:
            while self._heard:
                message = self._heard.popleft()
                if message["method"] == wanted.method:
                    return message
            try:
                self._read(until)
            except _SilenceError:
                if until < deadline and time.monotonic() >= until:
                    return {}
                raise

    def _read(self, deadline: float) -> list[rpc.Message]:
        """The next messages; notifications are kept for a later `Listen`, requests are declined.

        Raises:
            _SilenceError: none will come, or none in time.
        """
        rest_s = deadline - time.monotonic()
        if rest_s <= 0:
            raise _SilenceError
        unsent_fd = self._link.write_fd()
        ready = select.select(self._link.fds(), [] if unsent_fd is None else [unsent_fd], [], rest_s)[0]
        self._link.send(b"")
        pieces = [self._link.read(fd) for fd in ready]
        data = b"".join(piece for piece in pieces if piece is not None)
        if None in pieces and not data:
            raise _SilenceError
        messages = [message for line in self._decoder.feed(data) if (message := rpc.parse_line(line)) is not None]
        for message in messages:
            self._take_unasked(message)
        return messages

    def _take_unasked(self, message: rpc.Message) -> None:
        kind = rpc.message_type(message)
        if kind is rpc.MessageType.NOTIFICATION:
            self._heard.append(message)
        elif kind is rpc.MessageType.REQUEST:  # it would block Codex
            self._link.send(rpc.encode(rpc.refusal(message, "codex-server only asks here")))
