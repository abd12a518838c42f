"""The relay of the kit does what the fault tests need of it: it passes bytes, and loses connections on time."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kit.relay import SocketRelay
from tests.kit.support import wait_until

PATIENCE_S = 0.2
"""How long a client waits where nothing may come; a relay that is too slow for it makes no test red."""


class Echo:
    """A server on a Unix socket that sends back what it gets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._echo, args=(client,)))
                self._threads[-1].start()

    def _echo(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while data := client.recv(1 << 16):
                client.sendall(data)

    def close(self) -> None:
        """End it; the clients have ended before."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Path]:
    """The socket of a server that sends back what it gets."""
    server = Echo(tmp_path / "echo")
    yield server.path
    server.close()


@pytest.fixture(params=["unix", "tcp"])
def relay(request: pytest.FixtureRequest, echo: Path, tmp_path: Path) -> Iterator[SocketRelay]:
    """A relay in front of it."""
    with SocketRelay(echo, tmp_path / "relay" if request.param == "unix" else None) as relay:
        yield relay


def connect(relay: SocketRelay) -> socket.socket:
    """A client."""
    scheme, _, rest = relay.url.partition("://")
    if scheme == "unix":
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(rest)
        except OSError:
            client.close()
            raise
        return client
    host, _, port = rest.partition(":")
    return socket.create_connection((host, int(port)))


def receive_all(client: socket.socket) -> bytes:
    """What comes until the connection is over, politely or not."""
    data = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            data += piece
    return data


def ask(client: socket.socket, data: bytes) -> bytes:
    """Send something and read as much."""
    client.sendall(data)
    answer = b""
    while len(answer) < len(data) and (piece := client.recv(1 << 16)):
        answer += piece
    return answer


def send_whole(client: socket.socket, data: bytes) -> None:
    """Send something and nothing after it."""
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)


def test_bytes_pass_both_ways_and_both_ends_are_passed_on(relay: SocketRelay) -> None:
    sent = os.urandom(3_000_000)  # more than the buffers hold: the relay waits for both sides
    with connect(relay) as client:
        writer = threading.Thread(target=send_whole, args=(client, sent))
        writer.start()
        assert receive_all(client) == sent
        writer.join()
    (connection,) = relay.connections
    wait_until(lambda: not connection.is_open)
    assert (connection.passed("to_server"), connection.passed("to_client")) == (len(sent), len(sent))
    assert not connection.is_cut


def test_a_connection_is_cut_after_exactly_so_many_bytes_in_either_direction(relay: SocketRelay) -> None:
    relay.cut_after(70_000)
    relay.cut_after(3, "to_server", number=1)
    relay.cut_after(0, number=2)
    with connect(relay) as first:
        with suppress(ConnectionError):
            first.sendall(bytes(100_000))
        assert len(receive_all(first)) <= 70_000
    wait_until(lambda: relay.connections[0].is_cut)
    assert relay.connections[0].passed() == 70_000
    with connect(relay) as second:
        second.sendall(b"12345")
        assert receive_all(second) in (b"", b"123")  # the answer may have been under way
    assert relay.connections[1].passed("to_server") == 3
    with connect(relay) as third:
        assert receive_all(third) == b""
    with connect(relay) as fourth:
        assert ask(fourth, b"whole") == b"whole"
    assert [each.is_cut for each in relay.connections] == [True, True, True, False]


def test_all_connections_are_cut_at_a_moment_and_new_ones_pass(relay: SocketRelay) -> None:
    clients = [connect(relay) for _ in range(3)]
    for client in clients:
        assert ask(client, b"hello") == b"hello"
    assert relay.cut() == 3
    assert [receive_all(client) for client in clients] == [b""] * 3
    assert relay.cut() == 0
    with connect(relay) as another:
        assert ask(another, b"again") == b"again"
    for client in clients:
        client.close()


def test_a_silent_relay_loses_nothing_and_takes_clients_without_a_word(relay: SocketRelay) -> None:
    with connect(relay) as known:
        assert ask(known, b"before") == b"before"
        relay.be_silent()
        with connect(relay) as unknown:
            for client in (known, unknown):
                client.sendall(b"hello")
                client.settimeout(PATIENCE_S)
                with pytest.raises(TimeoutError):
                    client.recv(1)
                client.settimeout(None)
            assert len(relay.connections) == 1
            relay.speak()
            assert (known.recv(100), unknown.recv(100)) == (b"hello", b"hello")
    assert len(relay.connections) == 2


def test_a_relay_that_refuses_keeps_what_is_open_and_takes_clients_again_when_told_to(relay: SocketRelay) -> None:
    with connect(relay) as client:
        assert ask(client, b"before") == b"before"
        relay.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(relay)
        assert ask(client, b"meanwhile") == b"meanwhile"
        relay.accept()
        with connect(relay) as another:
            assert ask(another, b"after") == b"after"


def test_a_server_that_is_gone_is_a_loss_for_the_client(echo: Path, tmp_path: Path) -> None:
    with SocketRelay(tmp_path / "nothing", tmp_path / "relay") as relay, connect(relay) as client:
        assert receive_all(client) == b""
        assert [each.is_open for each in relay.connections] == [False]
    assert not (tmp_path / "relay").exists()
