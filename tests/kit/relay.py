"""A relay between clients and one server, which loses connections when a test wants it to. It passes bytes, and knows
no message: what is cut is cut anywhere.

Owns one thread and its sockets, and a file where it listens on a path. Never here: an app-server, or a turn.

    with SocketRelay(socket_of_server, tmp_path / "relay") as relay:
        relay.cut_after(1000)              # its first connection ends after so many bytes to the client
        home.configure(server=relay.url)
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

Direction = Literal["to_client", "to_server"]

_CHUNK = 1 << 16
_LOOPBACK = "127.0.0.1"
_BACKLOG = 256
_RESET = struct.pack(
    "ii", 1, 0
)  # SO_LINGER: a close that is no polite end, but a loss; a Unix socket has no such thing
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class _CutPoint(NamedTuple):
    after: int
    direction: Direction


@dataclass(eq=False)
class _OneWay:
    """One direction of a connection."""

    source: socket.socket
    target: socket.socket
    passed: int = 0
    unsent: bytes = b""
    is_over: bool = False


@dataclass(eq=False)
class RelayedConnection:
    """One client's connection through the relay.

    Attributes:
        is_open: neither was it cut, nor have both sides ended.
        is_cut: the relay has cut it.
    """

    ways: dict[Direction, _OneWay] = field(repr=False)
    cut: _CutPoint | None = None
    is_open: bool = True
    is_cut: bool = False

    def passed(self, direction: Direction = "to_client") -> int:
        """How many bytes have gone this way."""
        return self.ways[direction].passed


class SocketRelay:
    """Listens, and passes on to `target` what comes, and back.

    Attributes:
        connections: all that were accepted, the first one first.
        url: the address for `--server`.
    """

    def __init__(self, target: Path, path: Path | None = None) -> None:
        """Args:
        target: the server's Unix socket.
        path: where to listen, like the server; None for a TCP port of this machine.
        """
        self.connections: list[RelayedConnection] = []
        self._target, self._path, self._port = str(target), path, 0
        self._plan: dict[int, _CutPoint] = {}
        self._is_silent = self._is_closing = False
        self._lock = threading.Lock()
        self._waker, self._woken = socket.socketpair()
        self._listener: socket.socket | None = self._listen()
        self._thread = threading.Thread(target=self._run, daemon=True, name="relay")

    def __enter__(self) -> SocketRelay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """See above."""
        return f"unix://{self._path}" if self._path else f"ws://{_LOOPBACK}:{self._port}"

    @property
    def open(self) -> list[RelayedConnection]:
        """The connections that are open."""
        return [connection for connection in self.connections if connection.is_open]

    # --- what a test does to connections

    def cut_after(self, count: int, direction: Direction = "to_client", *, number: int = 0) -> None:
        """Cut a connection that is still to come, once exactly so many bytes have gone in this direction.

        Args:
            count: with 0 nothing goes that way.
            direction: which bytes are counted.
            number: which connection; the first one ever is 0.
        """
        with self._lock:
            self._plan[number] = _CutPoint(count, direction)

    def cut(self) -> int:
        """Cut all connections now.

        Returns:
            How many those were.
        """
        with self._lock:
            cut = self.open
            for connection in cut:
                _cut(connection)
        self._wake()
        return len(cut)

    def be_silent(self) -> None:
        """Pass on nothing more, in no direction, and let new connections wait; all stay as they are."""
        self._set_silent(True)

    def speak(self) -> None:
        """End the silence: what came meanwhile is passed on."""
        self._set_silent(False)

    def refuse(self) -> None:
        """Listen no more; the connections that are open stay. Like a socket whose server is gone."""
        with self._lock:
            listener, self._listener = self._listener, None
            if listener is not None:
                listener.shutdown(socket.SHUT_RDWR)  # a bare close takes effect once the thread's `poll` has returned
                listener.close()
        self._wake()

    def accept(self) -> None:
        """Listen again where it listened before."""
        with self._lock:
            if self._listener is None:
                if self._path:
                    self._path.unlink(missing_ok=True)
                self._listener = self._listen()
        self._wake()

    def close(self) -> None:
        """Cut all, and listen no more; leave no thread, descriptor or file."""
        self.refuse()
        self.cut()
        with self._lock:
            self._is_closing = True
        self._wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._waker.close()
        self._woken.close()
        if self._path:
            self._path.unlink(missing_ok=True)

    def _set_silent(self, is_silent: bool) -> None:
        with self._lock:
            self._is_silent = is_silent
        self._wake()

    def _wake(self) -> None:
        self._waker.send(b"!")

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX if self._path else socket.AF_INET)
        if self._path:
            listener.bind(str(self._path))
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_LOOPBACK, self._port))
            self._port = listener.getsockname()[1]
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener

    # --- the relay's own thread

    def _run(self) -> None:
        while not self._is_closing:
            poll = select.poll()
            with self._lock:
                for fd, events in self._interests():
                    poll.register(fd, events)
            ready = dict(poll.poll())
            with self._lock:
                if self._woken.fileno() in ready:
                    self._woken.recv(_CHUNK)
                if not self._is_silent:
                    self._handle(ready)

    def _interests(self) -> Iterator[tuple[int, int]]:
        yield self._woken.fileno(), select.POLLIN
        if self._is_silent:
            return
        if self._listener is not None:
            yield self._listener.fileno(), select.POLLIN
        wanted: dict[int, int] = {}
        for connection in self.open:
            for way in connection.ways.values():
                fd, event = (way.target, select.POLLOUT) if way.unsent else (way.source, select.POLLIN)
                if way.unsent or not way.is_over:
                    wanted[fd.fileno()] = wanted.get(fd.fileno(), 0) | event
        yield from wanted.items()

    def _handle(self, ready: dict[int, int]) -> None:
        for connection in self.open:
            for direction, way in connection.ways.items():
                if not connection.is_open:
                    break
                if way.unsent and ready.get(way.target.fileno()):
                    self._send(connection, direction)
                elif not way.unsent and not way.is_over and ready.get(way.source.fileno(), 0) & _READABLE:
                    self._receive(connection, direction)
        if self._listener is not None and self._listener.fileno() in ready:
            self._take(self._listener)

    def _take(self, listener: socket.socket) -> None:
        """Accept a client and connect to the server for it; where that is not possible, the client sees a loss."""
        with suppress(OSError):
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            ways: dict[Direction, _OneWay] = {
                "to_server": _OneWay(client, server),
                "to_client": _OneWay(server, client),
            }
            connection = RelayedConnection(ways, self._plan.get(len(self.connections)))
            self.connections.append(connection)
            try:
                server.connect(self._target)
            except OSError:
                _close(connection)
                return
            for side in (client, server):
                side.setblocking(False)
            self._cut_if_due(connection)

    def _receive(self, connection: RelayedConnection, direction: Direction) -> None:
        way, cut = connection.ways[direction], connection.cut
        most = cut.after - way.passed if cut is not None and cut.direction == direction else _CHUNK
        try:
            data = way.source.recv(min(most, _CHUNK))
        except BlockingIOError:
            return
        except OSError:
            _close(connection)
            return
        if data:
            way.unsent = data
            self._send(connection, direction)
            return
        way.is_over = True
        with suppress(OSError):  # the other side has ended as well
            way.target.shutdown(socket.SHUT_WR)
        if all(each.is_over for each in connection.ways.values()):
            _close(connection)

    def _send(self, connection: RelayedConnection, direction: Direction) -> None:
        way = connection.ways[direction]
        try:
            sent = way.target.send(way.unsent)
        except BlockingIOError:
            return
        except OSError:
            _close(connection)
            return
        way.unsent = way.unsent[sent:]
        way.passed += sent
        self._cut_if_due(connection)

    def _cut_if_due(self, connection: RelayedConnection) -> None:
        cut = connection.cut
        if cut is not None and connection.passed(cut.direction) >= cut.after:
            _cut(connection)


def _cut(connection: RelayedConnection) -> None:
    connection.is_cut = True
    for way in connection.ways.values():
        if way.source.family == socket.AF_INET:
            way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    _close(connection)


def _close(connection: RelayedConnection) -> None:
    connection.is_open = False
    for way in connection.ways.values():
        way.source.close()
