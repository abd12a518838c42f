"""Newline-delimited JSON on stdin and stdout, for any client, over any link to an app-server. Owns the pumping.

Both directions are independent. Output for a slow client is buffered in memory, because a server drops a slow reader;
while the server does not read, nothing is read from the client either. Must never change a message, nor the flags of
stdin and stdout, which other processes may share.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable, Container
from types import FrameType

from codex_server_cli.codex.client import failure_of
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.core.protocol.relay import Relay, Relayed
from codex_server_cli.errors import ServerError

REPLY_TIMEOUT_S = 10.0
"""For the outstanding replies after EOF from the client."""
_READ_BYTES = 1 << 20
_MOST_HELD_BYTES = 1 << 30
_MOST_MESSAGE_BYTES = 64 << 20
_READ_TO_END_S = 1.0
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class TerminatedError(Exception):
    """SIGTERM has come."""


def pump(open_link: Callable[[], Link], address: str, *, is_socket: bool, stdin_fd: int = 0, stdout_fd: int = 1) -> int:
    """Pump until the client has sent EOF and has its replies, or has closed our stdout.

    Args:
        open_link, address: see `CodexClient`.
        is_socket: whether the link leads to a socket, whose messages are bounded.

    Returns:
        How many of the client's requests have no reply; 0 where it has closed our stdout.

    Raises:
        CodexServerError: the app-server cannot be reached, or has ended; its output has been written before.
        TerminatedError: SIGTERM has come.
        KeyboardInterrupt: Ctrl-C.
    """
    import signal

    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        link = open_link()
        try:
            return _Pump(link, address, Relay(*([_MOST_MESSAGE_BYTES] if is_socket else [])), stdin_fd, stdout_fd).run()
        finally:
            link.end()
            link.close()
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    raise TerminatedError


class _Pump:
    def __init__(self, link: Link, address: str, relay: Relay, stdin_fd: int, stdout_fd: int) -> None:
        self._link, self._address, self._relay = link, address, relay
        self._stdin_fd, self._stdout_fd = stdin_fd, stdout_fd
        self._to_client = bytearray()
        # A write of at most PIPE_BUF to a ready pipe does not block; a write to a file never does.
        self._piece_bytes = _READ_BYTES if stat.S_ISREG(os.fstat(stdout_fd).st_mode) else select.PIPE_BUF
        self._until: float | None = None  # set at EOF from the client
        self._is_reader_gone = False
        self._has_spoken = False

    def run(self) -> int:
        while not self._is_over():
            try:
                is_alive = self._turn(self._wait())
            except BrokenPipeError:
                self._read_to_end()
                is_alive = False
            if not is_alive:
                if self._until is not None and not self._relay.unanswered:
                    break
                self._flush()
                error = failure_of(self._link, self._address, is_late=False)
                error.hint = "" if self._has_spoken else error.hint  # the hint is about reaching it, and it was reached
                raise error
        self._link.end()
        self._flush()
        return 0 if self._is_reader_gone else self._relay.unanswered

    def _is_over(self) -> bool:
        if self._is_reader_gone:
            return True
        if self._until is None:
            return False
        if self._link.write_fd() is not None:  # the timeout begins when everything is sent
            self._until = time.monotonic() + REPLY_TIMEOUT_S
            return False
        return not self._relay.unanswered or time.monotonic() >= self._until

    def _wait(self) -> dict[int, int]:
        """Wait for an event; return the poll events by descriptor."""
        poll = select.poll()
        poll.register(self._stdout_fd, select.POLLOUT if self._to_client else 0)
        for fd in self._link.fds():
            poll.register(fd, select.POLLIN)
        write_fd = self._link.write_fd()
        if write_fd is not None:
            is_read = write_fd in self._link.fds()
            poll.register(write_fd, select.POLLOUT | (select.POLLIN if is_read else 0))
        elif self._until is None:  # nothing is pending for the server: read more from the client
            poll.register(self._stdin_fd, select.POLLIN)
        waits = [self._link.tick(), None if self._until is None else self._until - time.monotonic()]
        rest_s = min((wait for wait in waits if wait is not None), default=None)
        return dict(poll.poll(None if rest_s is None else max(0.0, rest_s) * 1000))

    def _turn(self, events: dict[int, int]) -> bool:
        """Read and write what is ready.

        Returns:
            Whether the app-server is alive.

        Raises:
            BrokenPipeError: it does not read any more.
        """
        self._write(events.get(self._stdout_fd, 0))
        self._link.send(b"")
        if self._stdin_fd in events:
            data = os.read(self._stdin_fd, _READ_BYTES)
            if not data:
                self._until = time.monotonic() + REPLY_TIMEOUT_S
            self._relay_on(self._relay.feed(data) if data else self._relay.end())
        is_alive = self._hear(events)
        if len(self._to_client) > _MOST_HELD_BYTES:
            hint = "The client must read faster than the app-server speaks."
            raise ServerError(f"{_MOST_HELD_BYTES >> 20} MiB wait to be read from stdout", hint=hint)
        return is_alive

    def _hear(self, events: Container[int]) -> bool:
        """Read from the server; return whether it is alive."""
        is_alive = True
        for fd in self._link.fds():
            if fd in events:
                received = self._link.read(fd)
                is_alive = is_alive and received is not None
                self._has_spoken = self._has_spoken or bool(received)
                self._to_client += self._relay.feed_back(received or b"")
        return is_alive

    def _read_to_end(self) -> None:
        """Read the remaining output of a server that has stopped reading."""
        deadline = time.monotonic() + _READ_TO_END_S
        while (rest_s := deadline - time.monotonic()) > 0:
            ready = select.select(self._link.fds(), [], [], rest_s)[0]
            if not self._hear(ready):
                return

    def _relay_on(self, relayed: Relayed) -> None:
        self._to_client += relayed.to_client
        self._link.send(relayed.to_server)

    def _write(self, event: int) -> None:
        if event & select.POLLOUT:
            try:
                sent = os.write(self._stdout_fd, self._to_client[: self._piece_bytes])
            except BrokenPipeError:
                self._is_reader_gone = True
                return
            del self._to_client[:sent]
        elif event & _GONE:
            self._is_reader_gone = True

    def _flush(self) -> None:
        """Write the buffered output to the client; blocks without a timeout."""
        try:
            while self._to_client and not self._is_reader_gone:
                del self._to_client[: os.write(self._stdout_fd, self._to_client[:_READ_BYTES])]
        except BrokenPipeError:
            self._is_reader_gone = True
