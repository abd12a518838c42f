"""A WebSocket connection as a link: JSON lines in and out, never blocking, and how it ends."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from codex_server_cli.codex.transport import websocket
from codex_server_cli.codex.transport.websocket import CLOSED, LOST, PING_AFTER_S, PONG_WITHIN_S, WebSocketLink
from codex_server_cli.core.protocol.websocket import SAMPLE_KEY, upgrade_request

MUCH = b'{"text":"' + b"x" * 3_000_000 + b'"}\n'


class WebSocketPeer:
    """The other end of a link, with the brain of `websockets`."""

    def __init__(self, *, has_pings: bool = False) -> None:
        ours, self._sock = socket.socketpair()
        self.brain = ServerProtocol(max_size=None)
        self.brain.receive_data(upgrade_request("localhost", "/", SAMPLE_KEY))
        (request,) = self.brain.events_received()
        self.brain.send_response(self.brain.accept(request))  # type: ignore[arg-type]
        self.brain.data_to_send()
        ours.settimeout(0)
        self.link = WebSocketLink(ours, has_pings=has_pings)

    @property
    def fd(self) -> int:
        return self.link.fds()[0]

    def say(self, *texts: str) -> None:
        for text in texts:
            self.brain.send_text(text.encode())
        self.flush()

    def flush(self) -> None:
        for data in self.brain.data_to_send():
            if data:
                self._sock.sendall(data)

    def raw(self, data: bytes) -> None:
        self._sock.sendall(data)

    def hear(self) -> list[tuple[Opcode, bytes]]:
        """The frames of what has come; answers to a ping or a close are kept back until `flush`."""
        self.brain.receive_data(self._sock.recv(1 << 20))
        return [(each.opcode, bytes(each.data)) for each in self.brain.events_received() if isinstance(each, Frame)]

    def has_ended(self) -> bool:
        return self._sock.recv(1 << 20) == b""

    def go(self) -> None:
        self._sock.close()

    def close(self) -> None:
        self._sock.close()
        self.link.end(0.0)
        self.link.close()


@pytest.fixture
def server() -> Iterator[WebSocketPeer]:
    server = WebSocketPeer()
    yield server
    server.close()


@pytest.fixture
def remote(clock: list[float]) -> Iterator[WebSocketPeer]:
    """One over TCP: with pings."""
    server = WebSocketPeer(has_pings=True)
    yield server
    server.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that a link sees, to be set."""
    now = [1000.0]
    monkeypatch.setattr(websocket, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_each_line_goes_as_a_message_and_each_message_comes_as_a_line(server: WebSocketPeer) -> None:
    server.link.send(b'{"id":1}\n{"id":2}\n')
    assert server.hear() == [(Opcode.TEXT, b'{"id":1}'), (Opcode.TEXT, b'{"id":2}')]
    server.say('{"a":1}', '{\n  "b": 2\n}')
    assert server.link.read(server.fd) == b'{"a":1}\n{   "b": 2 }\n'
    assert server.link.read(server.fd) == b""
    assert server.link.write_fd() is None
    assert server.link.pid is None
    assert server.link.stderr_tail() == ""


def test_a_torn_message_is_kept_back_until_its_end_comes(server: WebSocketPeer) -> None:
    server.brain.send_text(b'{"a":1}', fin=False)
    server.flush()
    assert server.link.read(server.fd) == b""
    server.brain.send_continuation(b" ", fin=True)
    server.flush()
    assert server.link.read(server.fd) == b'{"a":1} \n'


def test_what_came_with_the_answer_to_the_upgrade_is_not_lost(server: WebSocketPeer) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        link = WebSocketLink(ours, b"\x81\x02{}", has_pings=False)
        assert link.read(ours.fileno()) == b"{}\n"
        link = WebSocketLink(ours, b"\x81\x02{}", has_pings=False)
        theirs.close()
        assert [link.read(ours.fileno()) for _ in range(2)] == [b"{}\n", None]


def test_reading_goes_on_while_something_is_unsent_and_all_arrives_in_order(server: WebSocketPeer) -> None:
    server.link.send(MUCH)
    server.link.send(b'{"last":1}\n')
    assert server.link.write_fd() == server.fd
    server.say('{"news":1}')
    assert server.link.read(server.fd) == b'{"news":1}\n'
    heard = server.hear()
    while len(heard) < 2:
        server.link.send(b"")
        heard += server.hear()
    assert [data for _, data in heard] == [MUCH.rstrip(), b'{"last":1}']
    assert server.link.write_fd() is None


def test_a_ping_is_answered_and_a_binary_message_means_nothing(server: WebSocketPeer) -> None:
    server.brain.send_ping(b"there?")
    server.brain.send_binary(b'{"no":1}')
    server.brain.send_pong(b"unasked")
    server.say('{"yes":1}')
    assert server.link.read(server.fd) == b'{"yes":1}\n'
    assert server.hear() == [(Opcode.PONG, b"there?")]


def test_pings_of_one_who_never_reads_do_not_pile_up(server: WebSocketPeer) -> None:
    server.link.send(MUCH)
    for _ in range(100):
        server.brain.send_ping(b"x" * 125)
    server.flush()
    unsent = len(server.link._unsent)
    assert server.link.read(server.fd) == b""
    assert len(server.link._unsent) == unsent > 1_000_000


def test_the_end_of_the_server_is_reported_after_its_final_output(server: WebSocketPeer) -> None:
    server.say('{"last":1}')
    server.go()
    assert [server.link.read(server.fd) for _ in range(3)] == [b'{"last":1}\n', None, None]
    assert server.link.end() == LOST
    with pytest.raises(BrokenPipeError):
        server.link.send(b"{}\n")
    server.link.send(b"")
    assert server.link.write_fd() is None


def test_final_output_is_read_even_after_a_failed_write(server: WebSocketPeer) -> None:
    server.say('{"last":1}')
    server.go()
    with pytest.raises(BrokenPipeError):
        server.link.send(b"{}\n")
    assert server.link.read(server.fd) == b'{"last":1}\n'
    assert server.link.read(server.fd) is None
    assert server.link.end() == LOST


def test_a_server_that_dies_while_much_is_unsent_is_a_broken_pipe(server: WebSocketPeer) -> None:
    server.link.send(MUCH)
    server.go()
    with pytest.raises(BrokenPipeError):
        server.link.send(b"")
    server.link.send(b"")  # once


def test_a_reset_is_the_end(server: WebSocketPeer) -> None:
    server.link.send(b"{}\n")
    server.go()  # with something unread
    assert server.link.read(server.fd) is None


def test_a_close_frame_is_answered_and_ends_the_link_after_what_came_before(server: WebSocketPeer) -> None:
    server.brain.send_text(b"{}")
    server.brain.send_close(1001, "going away")
    server.flush()
    assert server.link.read(server.fd) == b"{}\n"
    assert server.hear() == [(Opcode.CLOSE, b"\x03\xe9")]
    assert select.select([server.fd], [], [], 0)[0], "a loop has to come back for the end"
    assert server.link.read(server.fd) is None
    assert server.link.end() == "the app-server closed the connection (1001 going away)"


def test_a_close_frame_without_words_is_one_too(server: WebSocketPeer) -> None:
    server.raw(b"\x88\x00")
    assert server.link.read(server.fd) == b""
    assert server.link.end() == "the app-server closed the connection"


def test_a_broken_protocol_ends_the_link(server: WebSocketPeer) -> None:
    server.raw(b"\xff\xff\xff")
    assert server.link.read(server.fd) == b""
    assert server.link.read(server.fd) is None
    assert server.link.end() == "the connection was lost: the app-server sends masked frames"


def test_the_end_is_polite_and_sends_first_what_is_unsent(server: WebSocketPeer) -> None:
    server.link.send(b'{"method":"thread/unsubscribe"}\n')
    server.say('{"a":1}')  # which is not read any more
    assert server.link.end(0.0) == CLOSED
    assert server.hear() == [
        (Opcode.TEXT, b'{"method":"thread/unsubscribe"}'),
        (Opcode.CLOSE, b"\x03\xe8"),
    ]
    assert server.has_ended()
    server.link.send(b"{}\n")  # too late, silently
    assert server.link.end() == CLOSED


def test_the_end_does_not_wait_for_one_who_has_answered_and_only_so_long_for_another(server: WebSocketPeer) -> None:
    server.brain.send_close(1000)  # as its answer
    server.flush()
    assert server.link.end(60.0) == CLOSED
    other = WebSocketPeer()
    other.link.send(MUCH)
    assert other.link.end(0.05) == CLOSED
    other.close()


def test_a_closed_link_has_no_descriptor(server: WebSocketPeer) -> None:
    server.link.send(MUCH)
    server.link.close()  # without an end before it
    assert server.link.fds() == ()
    assert server.link.write_fd() is None
    assert server.link.end(60.0) == CLOSED
    server.link.close()


# --- pings


def test_on_a_unix_socket_time_means_nothing(server: WebSocketPeer, clock: list[float]) -> None:
    clock[0] += 1e6
    assert server.link.tick() is None
    server.say("{}")
    assert server.link.read(server.fd) == b"{}\n"


def test_silence_is_asked_about_and_an_answer_is_enough(remote: WebSocketPeer, clock: list[float]) -> None:
    assert remote.link.tick() == PING_AFTER_S
    clock[0] += PING_AFTER_S - 5
    assert remote.link.tick() == 5
    clock[0] += 5
    assert remote.link.tick() == PONG_WITHIN_S
    clock[0] += PONG_WITHIN_S - 1
    assert remote.link.tick() == 1
    assert remote.hear() == [(Opcode.PING, b"")]
    remote.flush()  # the pong
    assert remote.link.read(remote.fd) == b""
    assert remote.link.tick() == PING_AFTER_S


def test_no_answer_to_a_ping_is_the_loss_of_the_connection(remote: WebSocketPeer, clock: list[float]) -> None:
    for wait_s in (PING_AFTER_S, PONG_WITHIN_S):
        clock[0] += wait_s
        remote.link.tick()
    assert remote.link.tick() is None
    assert select.select([remote.fd], [], [], 0)[0]
    assert remote.link.read(remote.fd) is None
    assert remote.link.end() == "the connection was lost: no answer to a ping for 20 s"


def test_an_answer_that_was_not_read_yet_counts(remote: WebSocketPeer, clock: list[float]) -> None:
    clock[0] += PING_AFTER_S
    remote.link.tick()
    remote.hear()
    remote.flush()
    clock[0] += 1e6  # this process was stopped
    remote.link.tick()
    assert remote.link.read(remote.fd) == b""
    assert remote.link.tick() == PING_AFTER_S


def test_one_who_still_takes_a_long_message_is_not_lost(remote: WebSocketPeer, clock: list[float]) -> None:
    remote.link.send(MUCH)
    for _ in range(4):
        clock[0] += PONG_WITHIN_S - 1
        remote.link.tick()
        remote.hear()
        remote.link.send(b"")
    assert remote.link.tick() is not None
