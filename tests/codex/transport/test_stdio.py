"""The pipes of an app-server: never blocking, never losing a byte."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from codex_server_cli.codex.transport.stdio import READ_BYTES, StdioPipes

MUCH = bytes(range(256)) * 20_000


class Peer:
    """The other end of a transport: reads what it sends, writes what it receives."""

    def __init__(self) -> None:
        self._read_fd, stdin_fd = os.pipe()
        stdout_fd, self._write_fd = os.pipe()
        self._stdout_fd = stdout_fd
        self._open = {self._read_fd, self._write_fd}
        self.transport = StdioPipes(stdin_fd, stdout_fd)

    def read(self) -> bytes:
        return os.read(self._read_fd, 1 << 16)

    def write(self, data: bytes) -> None:
        os.write(self._write_fd, data)

    def stop_reading(self) -> None:
        self._close(self._read_fd)

    def stop_writing(self) -> None:
        self._close(self._write_fd)

    def _close(self, fd: int) -> None:
        if fd in self._open:
            self._open.remove(fd)
            os.close(fd)

    def close(self) -> None:
        self.stop_reading()
        self.stop_writing()
        self.transport.close()
        os.close(self._stdout_fd)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def test_what_is_sent_arrives_at_once_and_leaves_nothing_to_wait_for(peer: Peer) -> None:
    peer.transport.send(b'{"id":1}\n')
    assert peer.transport.write_fd() is None
    assert peer.read() == b'{"id":1}\n'


def test_reading_gives_what_is_there_and_never_waits(peer: Peer) -> None:
    assert peer.transport.read() == b""
    peer.write(b"half a ")
    assert peer.transport.read() == b"half a "
    peer.write(b"line\nand more\n")
    assert peer.transport.read() == b"line\nand more\n"


def test_the_end_of_the_stream_is_told_after_its_last_bytes(peer: Peer) -> None:
    peer.write(b"last")
    peer.stop_writing()
    assert [peer.transport.read() for _ in range(3)] == [b"last", None, None]


def test_a_full_pipe_keeps_the_rest_in_order_and_never_blocks(peer: Peer) -> None:
    peer.transport.send(MUCH)
    peer.transport.send(b"the end\n")
    fd = peer.transport.write_fd()
    assert fd is not None
    received = b""
    while peer.transport.write_fd() is not None:
        received += peer.read()
        peer.transport.send(b"")
    while not received.endswith(b"the end\n"):
        received += peer.read()
    assert received == MUCH + b"the end\n"


def test_reading_goes_on_while_something_is_unsent(peer: Peer) -> None:
    peer.transport.send(MUCH)
    peer.write(b"news")
    assert peer.transport.read() == b"news"


def test_a_reader_that_is_gone_is_a_broken_pipe(peer: Peer) -> None:
    peer.stop_reading()
    with pytest.raises(BrokenPipeError):
        peer.transport.send(b"anybody?")
    with pytest.raises(BrokenPipeError):
        peer.transport.send(b"")


def test_closing_ends_the_stream_of_the_other_side_once(peer: Peer) -> None:
    peer.transport.close()
    peer.transport.close()
    assert peer.read() == b""
    assert peer.transport.write_fd() is None
    peer.transport.send(b"too late")  # silently: the end of the peer's stream reports the rest
    assert peer.transport.read() == b""


def test_one_read_takes_no_more_than_it_should(peer: Peer) -> None:
    os.set_blocking(peer._write_fd, False)
    sent = os.write(peer._write_fd, b"x" * (3 * READ_BYTES))
    received = 0
    while received < sent:
        data = peer.transport.read()
        assert data
        assert len(data) <= READ_BYTES
        received += len(data)
