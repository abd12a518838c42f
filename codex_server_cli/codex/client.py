"""Running queries against an app-server: one of our own, or any that a link leads to. Owns the link and the waiting.

Must never decide what is asked. No reply is recorded, and a spawned process has exited when the client ends, also
after an error. A start that collided with another app-server is retried, as for a turn; and so is a request that a busy
one rejected.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from codex_server_cli import __version__
from codex_server_cli.codex.room import is_without_room, no_room
from codex_server_cli.codex.rpc_channel import RpcChannel, SilenceError
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.spawned import AppServer
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.query import Ask, Listen, Query, initialize
from codex_server_cli.core.result import advice
from codex_server_cli.core.result.failures import telling_line
from codex_server_cli.core.session.backoff import OVERLOAD, Backoff, is_start_collision
from codex_server_cli.errors import CodexMissingError, CodexServerError, ServerError

T = TypeVar("T")

DOCTOR = "codex-server doctor"
INITIALIZE_TIMEOUT_S = 20.0
_MOST_HEARD = 100
"""How many notifications are kept until a query listens for one; an account query causes a handful."""
_OVERLOAD = OVERLOAD._replace(limit_ms=math.inf)
"""A request of a query has a time limit of its own."""


def run_query(codex: Path, cwd: Path, query: Query[T], timeout_s: float) -> T:
    """Start an app-server, run a query, end the app-server.

    Args:
        timeout_s: for start and query together, without the end.

    Raises:
        CodexMissingError: it does not start, or does not answer in time; the message has the tail of its stderr.
    """
    with CodexClient.spawn(codex, cwd) as client:
        return client.run(query, timeout_s)


def read_user_agent(codex: Path, cwd: Path) -> str:
    """Check that a codex answers: start an app-server, initialize it, end it. For setup and doctor.

    On a fresh `CODEX_HOME` this also creates Codex's databases.

    Returns:
        Its user agent.

    Raises:
        CodexMissingError: it does not start or does not answer; the message has the tail of its stderr.
    """
    user_agent = run_query(codex, cwd, initialize(__version__), INITIALIZE_TIMEOUT_S)
    if user_agent is None:
        raise no_answer()
    return user_agent


def no_answer(stderr_tail: str = "", otherwise: str = "it printed nothing") -> CodexMissingError:
    """The error for an app-server that does not answer, or answers with a refusal.

    Args:
        otherwise: the text where its stderr is empty.
    """
    last = telling_line(stderr_tail) or otherwise
    words = advice.words_for(last, None)
    hint = re.sub(r"{\w+}", "run this again", words) if words else DOCTOR  # in place of the commands of a turn
    return CodexMissingError(f"codex app-server does not answer: {last}", hint=hint)


def run_query_on(open_link: Callable[[], Link], address: str, query: Query[T], timeout_s: float) -> T:
    """Connect to an app-server, run a query, disconnect.

    Args:
        open_link, address: see `CodexClient`.
        timeout_s: for the query.

    Raises:
        ServerError: it cannot be reached, or does not answer in time.
    """
    with CodexClient(open_link, address) as client:
        return client.run(query, timeout_s)


def failure_of(link: Link, name: str, *, is_late: bool) -> CodexServerError:
    """End a link, and return the error that explains why it failed.

    Args:
        name: the app-server's name in messages.
        is_late: it did not answer in time; else the stream has ended.
    """
    from codex_server_cli.codex.transport.ssh import SshServer  # most queries go to a codex on this machine

    if isinstance(link, SshServer):
        return link.problem()
    how = link.end()
    if link.pid is not None:
        tail = link.stderr_tail()
        return no_answer(tail) if is_late else no_answer(tail, f"it printed nothing and ended ({how})")
    message = f"{name} does not answer" if is_late else f"{name} does not answer any more: {how}"
    return ServerError(message, hint="See that this app-server still runs; then run this again.")


class CodexClient:
    """A client of an app-server, as a context manager: one query at a time, one request at a time."""

    def __init__(self, open_link: Callable[[], Link], name: str, *, keeps_all: bool = False) -> None:
        """Connect to an app-server.

        Args:
            open_link: opens the link.
            name: its name in error messages.
            keeps_all: whether every unsolicited message is kept for `unsolicited`.

        Raises:
            CodexServerError: it cannot be reached.
        """
        self._open_link, self._name = open_link, name
        self._most_unsolicited = None if keeps_all else _MOST_HEARD
        self._backoff = Backoff(str(os.getpid()))
        self._start()

    @classmethod
    def spawn(cls, codex: Path, cwd: Path, *, codex_home: str | None = None) -> CodexClient:
        """Start an app-server of our own.

        Args:
            codex_home: another `CODEX_HOME` than ours.

        Raises:
            CodexMissingError: it does not start.
        """
        return cls(partial(AppServer, codex, str(cwd), may_bill_api_key=False, codex_home=codex_home), str(codex))

    def _start(self) -> None:
        try:
            self._link = self._open_link()
        except OSError as error:
            if is_without_room(error):
                raise no_room(f"{self._name} cannot be started", error) from error
            raise CodexMissingError(f"{self._name} cannot be started: {error.strerror}") from error
        self._channel = RpcChannel(self._link, self._most_unsolicited)

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
            CodexMissingError: the app-server does not answer in time, or has ended; it is ended in both cases.
            ServerError: the same for one that we did not spawn.
        """
        deadline = time.monotonic() + timeout_s
        try:
            step = next(query)
            while True:
                step = query.send(self._take(step, deadline))
        except StopIteration as end:
            value: T = end.value
            return value
        except (SilenceError, BrokenPipeError) as error:
            raise self._failure(error) from error

    def call(self, method: str, params: object, timeout_s: float) -> rpc.Message | None:
        """Make one request.

        Args:
            params: any JSON value.

        Returns:
            The whole reply; None where none came in time.

        Raises:
            CodexServerError: the app-server has ended.
        """
        try:
            return self._reply_to((method, params), time.monotonic() + timeout_s)  # type: ignore[arg-type]
        except (SilenceError, BrokenPipeError) as error:
            if isinstance(error, SilenceError) and not error.is_end:
                return None
            raise self._failure(error) from error

    def unsolicited(self, timeout_s: float | None = None) -> Iterator[rpc.Message]:
        """The unsolicited messages, as they arrive: notifications, and requests of the server.

        Args:
            timeout_s: for how long; None means until the app-server ends.

        Raises:
            CodexServerError: the app-server has ended.
        """
        deadline = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        while True:
            while self._channel.unsolicited:
                yield self._channel.unsolicited.popleft()
            try:
                self._channel.read(deadline)
            except (SilenceError, BrokenPipeError) as error:
                if isinstance(error, SilenceError) and not error.is_end:
                    return
                raise self._failure(error) from error

    def _failure(self, error: Exception) -> CodexServerError:
        return failure_of(self._link, self._name, is_late=isinstance(error, SilenceError) and not error.is_end)

    def end(self) -> str:
        """End the app-server and return the tail of its stderr, which is complete only then. Idempotent."""
        self._link.end()
        return self._link.stderr_tail()

    def _take(self, step: Ask | Listen, deadline: float) -> rpc.Message:
        return self._listen(step, deadline) if isinstance(step, Listen) else self._reply_to(step, deadline)

    def _reply_to(self, ask: Ask, deadline: float) -> rpc.Message:
        """The reply to a request; retried while the server rejects it as overloaded, because it did nothing then.

        Raises:
            SilenceError, BrokenPipeError: no reply comes.
        """
        backoff = Backoff(f"{os.getpid()} {ask[0]}", _OVERLOAD)
        while True:
            reply = self._first_reply_to(ask, deadline)
            if rpc.at(reply, "error.code", int) != rpc.OVERLOADED:
                return reply
            now_s = time.monotonic()
            delay_ms = backoff.delay_ms(now_s * 1000)
            if delay_ms is None or now_s + delay_ms / 1000 >= deadline:
                return reply
            time.sleep(delay_ms / 1000)

    def _first_reply_to(self, ask: Ask, deadline: float) -> rpc.Message:
        while True:
            try:
                return self._channel.request(ask, deadline)
            except (SilenceError, BrokenPipeError):
                if ask[0] != "initialize" or not self._can_start_again(deadline):
                    raise

    def _can_start_again(self, deadline: float) -> bool:
        """Start another app-server after a delay, if this one only collided with others at its start."""
        if not is_start_collision(self.end()):
            return False
        delay_ms = self._backoff.delay_ms(time.monotonic() * 1000)
        if delay_ms is None or time.monotonic() + delay_ms / 1000 >= deadline:
            return False
        time.sleep(delay_ms / 1000)
        self._link.close()
        self._start()
        return True

    def _listen(self, wanted: Listen, deadline: float) -> rpc.Message:
        """The next notification of the wanted method; earlier ones are dropped. `{}` where none came in time.

        Raises:
            SilenceError: the deadline of the whole query passed, or the stream ended.
        """
        until = deadline if wanted.timeout_s is None else min(time.monotonic() + wanted.timeout_s, deadline)
        while True:
            while self._channel.unsolicited:
                message = self._channel.unsolicited.popleft()
                if message["method"] == wanted.method:
                    return message
            try:
                self._channel.read(until)
            except SilenceError:
                if until < deadline and time.monotonic() >= until:
                    return {}
                raise
