"""A link is read while the worker is kept from it by a disk that blocks: a server drops a reader that is far behind."""

from __future__ import annotations

import os
import select
import selectors
import socket
import time
from collections.abc import Iterator

import pytest

from codex_server_cli.worker.server.buffered import BufferedLink
from tests.kit.support import wait_until

MANY = 200
SLOW_S = 25.0
"""One piece each time that the thread looks would take twice as long; all of them take two seconds."""


class SocketLink:
    """Our end of a socket pair, as a link that knows no messages."""

    pid = None

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self.is_full = False

    def fds(self) -> tuple[int, ...]:
        return (self._end.fileno(),)

    def write_fd(self) -> int | None:
        return self._end.fileno() if self.is_full else None

    def read(self, fd: int) -> bytes | None:
        assert fd == self._end.fileno()
        try:
            return self._end.recv(100_000) or None
        except BlockingIOError:
            return b""

    def send(self, data: bytes) -> None:
        self._end.sendall(data)

    def tick(self) -> float | None:
        return 7.0

    def end(self, first_grace_s: float = 0.0) -> str:
        return "the connection was closed"

    def stderr_tail(self) -> str:
        return ""

    def close(self) -> None:
        self._end.close()


@pytest.fixture
def pair() -> Iterator[tuple[BufferedLink, socket.socket]]:
    """A link, and the server's end."""
    ours, theirs = socket.socketpair()
    link = BufferedLink(SocketLink(ours))
    with theirs:
        yield link, theirs
        assert link.end() == "the connection was closed"
        link.close()


def be_read(link: BufferedLink) -> None:
    """Two rounds of the worker's loop, after which it is watched for being away."""
    for _ in range(2):
        assert link.read(link.fds()[0]) == b""
        link.tick()


def read_until_end(link: BufferedLink) -> bytes:
    """As the worker's loop reads."""
    data = b""
    while True:
        for fd in select.select(link.fds(), [], [])[0]:
            piece = link.read(fd)
            if piece is None:
                return data
            data += piece


def test_it_is_a_link(pair: tuple[BufferedLink, socket.socket]) -> None:
    link, server = pair
    assert (link.pid, link.write_fd(), link.stderr_tail(), link.tick()) == (None, None, "", 7.0)
    link.send(b"ask\n")
    assert server.recv(10) == b"ask\n"
    server.sendall(b"reply\n")
    (fd,) = select.select(link.fds(), [], [])[0]
    assert link.read(fd) == b"reply\n"
    assert link.read(fd) == b""


def test_what_was_sent_and_heard_before_it_was_made_is_neither_sent_again_nor_lost() -> None:
    ours, theirs = socket.socketpair()
    link = BufferedLink(SocketLink(ours), b"one\ntwo\nthree\n", b"heard\n")
    with theirs:
        (fd,) = select.select(link.fds(), [], [])[0]
        assert link.read(fd) == b"heard\n"
        for line in (b"one\n", b"two\nthree\nfour\n", b"five\n"):
            link.send(line)
        assert theirs.recv(100) == b"four\nfive\n"
    link.end()
    link.close()


def test_the_link_is_ended_where_something_else_was_sent_than_is_to_be() -> None:
    ours, theirs = socket.socketpair()
    link = BufferedLink(SocketLink(ours), b"one\n")
    with theirs, pytest.raises(BrokenPipeError, match="something else"):
        link.send(b"two\n")
    link.close()


def test_more_than_the_kernel_holds_is_taken_while_the_worker_does_not_read(
    pair: tuple[BufferedLink, socket.socket],
) -> None:
    link, server = pair
    be_read(link)
    server.sendall(b"first")
    assert link.read(link.fds()[0]) == b"first"  # from now on the worker is away
    sent = b"".join(b"%06d" % number * 10_000 for number in range(MANY))
    server.sendall(sent)  # twelve megabytes: it would block for ever without a reader
    server.sendall(b"later")
    server.close()
    assert read_until_end(link) == sent + b"later"
    assert link.read(link.fds()[0]) is None


def test_a_stream_is_kept_up_with_whose_pieces_come_one_by_one(pair: tuple[BufferedLink, socket.socket]) -> None:
    link, server = pair
    fd = link.fds()[0]
    be_read(link)
    begun = time.monotonic()
    for number in range(MANY):
        server.sendall(b"%04d" % number * 1000)
        wait_until(lambda: not select.select([fd], [], [], 0)[0], what="the thread to take it")
    assert time.monotonic() - begun < SLOW_S
    server.close()
    assert len(read_until_end(link)) == MANY * 4000


def test_what_was_held_comes_once_and_before_what_comes_then(pair: tuple[BufferedLink, socket.socket]) -> None:
    link, server = pair
    (fd, ring) = link.fds()
    be_read(link)
    for word in (b"held", b"again"):
        server.sendall(word)
        wait_until(lambda: select.select([ring], [], [], 0)[0], what="the thread to take it")
        server.sendall(b" and new")
        wait_until(lambda: select.select([fd], [], [], 0)[0] or select.select([ring], [], [], 0)[0])
        assert link.read(ring) in (word, word + b" and new")
        assert (link.read(fd) or b"") in (b" and new", b"")
        assert select.select([ring], [], [], 0)[0] == []


def test_one_selector_can_wait_for_both_directions() -> None:
    ours, theirs = socket.socketpair()
    inner = SocketLink(ours)
    link = BufferedLink(inner)
    inner.is_full = True
    fd = link.write_fd()
    with theirs, selectors.DefaultSelector() as selector:
        for each in link.fds():
            selector.register(each, selectors.EVENT_READ)
        assert fd is not None
        assert link.write_fd() == fd
        selector.register(fd, selectors.EVENT_WRITE)
        assert [key.fd for key, _ in selector.select(0)] == [fd]
    link.close()


def test_no_descriptor_is_left_open(pair: tuple[BufferedLink, socket.socket]) -> None:
    before = set(os.listdir("/dev/fd"))  # noqa: PTH208
    ours, theirs = socket.socketpair()
    inner = SocketLink(ours)
    link, inner.is_full = BufferedLink(inner), True
    be_read(link)
    assert link.write_fd() is not None
    link.end()
    link.close()
    theirs.close()
    assert set(os.listdir("/dev/fd")) == before  # noqa: PTH208
