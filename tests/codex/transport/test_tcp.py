"""The way over TCP: to a real app-server with each kind of token, and to hosts where there is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_server_cli.codex.transport import handshake
from codex_server_cli.codex.transport.connect import Route, check_route, connect, route_of
from codex_server_cli.codex.transport.handshake import Deadline
from codex_server_cli.codex.transport.tcp import _connected, _TlsWire
from codex_server_cli.core.model.server.address import parse_address
from codex_server_cli.core.protocol.websocket import BINARY, TEXT, frame
from codex_server_cli.errors import ErrorKind, ServerError
from tests.codex.transport.test_unix import HELLO, await_loss, refusal, reply
from tests.kit.app_servers import (
    TLS,
    ListeningServer,
    accept_upgrade,
    answer,
    jwt,
    jwt_flags,
    peer,
    request_of,
    token_flags,
)
from tests.kit.cases import for_each
from tests.kit.support import DEADLINE_S, wait_until


def to(url: str, token: str | None = None) -> Route:
    return Route(parse_address(url), token=token)


def check_refusal(route: Route, timeout_s: float = DEADLINE_S) -> tuple[str, str]:
    with pytest.raises(ServerError) as caught:
        check_route(route, timeout_s=timeout_s)
    assert len(caught.value.message) <= 200
    return caught.value.message, caught.value.hint


# --- a real app-server


def test_an_app_server_with_a_token_of_its_own_is_reached_with_it_alone(
    codex: Path, codex_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("a-capability-token\n")
    monkeypatch.setenv("MY_TOKEN", "another-token")
    with ListeningServer(codex, codex_home, "ws://127.0.0.1:0", *token_flags(tmp_path, "a-capability-token")) as server:
        address = parse_address(server.url)
        route = route_of(address, codex_home=codex_home, token_file=str(tmp_path / "token"))
        check_route(route)
        link = connect(route)
        assert "userAgent" in reply(link, 1, "initialize", HELLO)["result"]
        assert link.tick() is not None
        assert link.end() == "the connection was closed"
        link.close()
        assert check_refusal(to(server.url)) == (
            f"{server.url} wants a token",
            "Give it with --server-token-file FILE or --server-token-env NAME.",
        )
        other = route_of(address, codex_home=codex_home, token_env="MY_TOKEN")
        assert check_refusal(other)[0] == f"{server.url} refuses the token: its own is another one"
        tls = server.url.replace("ws://", "wss://")
        assert refusal(to(tls)) == f"{tls} does not speak TLS (WRONG_VERSION_NUMBER)"
        link = connect(route)
        server.close()
        await_loss(link)
        link.close()
        assert refusal(route) == f"nothing can be reached at {server.url}: Connection refused"


def test_each_fault_of_a_signed_token_has_its_words(codex: Path, codex_home: Path, tmp_path: Path) -> None:
    flags = jwt_flags(tmp_path, "--ws-issuer", "us", "--ws-audience", "codex")
    with ListeningServer(codex, codex_home, "ws://127.0.0.1:0", *flags) as server:
        connect(to(server.url, jwt(iss="us", aud=["codex"]))).close()
        faults = {
            jwt("x" * 40, iss="us", aud="codex"): "no JWT",
            jwt(iss="us", aud="codex", expires_in_s=None): "no JWT",
            "no-jwt": "no JWT",
            jwt(iss="us", aud="codex", expires_in_s=-3600): "it has expired",
            jwt(iss="us", aud="codex", nbf=2**33): "not valid yet",
            jwt(iss="them", aud="codex"): "another issuer",
            jwt(aud="codex"): "another issuer",
            jwt(iss="us", aud="else"): "another audience",
        }
        found = {token: refusal(to(server.url, token)) for token in faults}
    assert {token: words for token, words in faults.items() if words not in found[token]} == {}
    assert not any(token in message for token, message in found.items())


# --- other servers


def http(status: str, body: str = "", *headers: str) -> Callable[[socket.socket], None]:
    return lambda sock: answer(sock, status, body, *headers)


@for_each(
    ("behave", "words"),
    [
        (http("401 Unauthorized", "go away"), "refuses without a token (401)"),
        (http("403 Forbidden"), "forbids the connection (403)"),
        (http("200 OK", "<html>\n"), "is no app-server: it answers HTTP 200 (<html>)"),
        (http("502 Bad Gateway", "a\n text"), "is no app-server: it answers HTTP 502 (a text)"),
        (http("502 Bad Gateway", "\x1b[31m"), "is no app-server: it answers HTTP 502"),
        (http("200 OK", "x" * 5000), f"is no app-server: it answers HTTP 200 ({'x' * 60})"),
        (
            http("101 Switching Protocols", "", "Upgrade: h2c"),
            "is no app-server: its answer to the WebSocket handshake",
        ),
        (lambda sock: sock.sendall(b"\x15\x03\x01\x00\x02\x02\x46" * bool(request_of(sock))), "speaks TLS"),
        (lambda sock: request_of(sock), "is no app-server: it closes the connection without an answer"),
    ],
    ids=["401", "403", "page", "proxy", "colours", "long page", "other protocol", "tls alert", "hang up"],
)
def test_another_server_is_told_from_an_app_server(behave: Callable[[socket.socket], None], words: str) -> None:
    with peer(behave) as url:
        message = refusal(to(url))
    assert message.startswith(f"{url} {words}")
    assert message.isprintable()


def test_a_token_that_is_refused_in_unknown_words_is_refused_all_the_same() -> None:
    with peer(http("401 Unauthorized", "news")) as url:
        assert refusal(to(url, "secret")) == f"{url} refuses the token (401)"
        with pytest.raises(ServerError) as caught:
            connect(to(url, "secret"))
    assert caught.value.kind is ErrorKind.AUTH


def test_a_body_that_never_comes_delays_no_other_for_long() -> None:
    def behave(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\nmissing websocket ")
        sock.recv(1)

    with peer(behave) as url:
        assert refusal(to(url), 0.2) == f"{url} refuses without a token (401)"


def test_a_body_that_comes_in_pieces_is_read_to_its_end() -> None:
    def behave(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")
        for piece in (b"expired web", b"socket jwt"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(piece)

    with peer(behave) as url:
        assert refusal(to(url, "secret")) == f"{url} refuses the token: it has expired"


def test_a_length_that_is_no_number_to_reckon_with_is_passed_over() -> None:
    def behave(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(b"HTTP/1.1 404 No\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\ngone")

    with peer(behave) as url:
        assert refusal(to(url)) == f"{url} is no app-server: it answers HTTP 404 (gone)"


def test_of_a_server_behind_ssh_nothing_is_seen_beforehand() -> None:
    check_route(to("ssh://box"))
    check_route(to("shared"))  # none runs yet


@for_each(
    ("status", "body", "why"),
    [("404 Not Found", "", "it answers 404 to /readyz"), ("200 OK", "ok", "it answers 200 to /readyz")],
)
def test_a_web_server_is_found_out_before_a_turn_exists(status: str, body: str, why: str) -> None:
    with peer(http(status, body)) as url:
        assert check_refusal(to(url))[0] == f"{url} is no app-server: {why}"


def test_an_empty_body_in_chunks_is_empty_too() -> None:
    def behave(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    with peer(behave) as url:
        assert check_refusal(to(url))[0].startswith(f"{url} is no app-server: it answers HTTP 200"), "to the upgrade"


def test_behind_a_proxy_readiness_is_not_asked_for() -> None:
    asked: list[str] = []

    def behave(sock: socket.socket) -> None:
        asked.append("upgrade")
        accept_upgrade(sock)

    with peer(behave) as url:
        check_route(to(f"{url}/codex"))
    assert asked == ["upgrade"]


def test_who_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        for scheme in ("ws", "wss"):
            assert refusal(to(f"{scheme}://{where}"), 0.1) == f"{scheme}://{where} does not answer within 0.1 s"
        assert refusal(to(f"ws://{where}"), 0.0).endswith("does not answer within 0 s")


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert refusal(to(f"ws://{'a' * 70}.org:1")).endswith("is not known: no name of a host")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refusal(to("ws://nobody.example:1")) == (
        "the host of ws://nobody.example:1 is not known: Name or service not known"
    )


def test_the_next_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with peer(accept_upgrade) as url:
        port = parse_address(url).port
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.2", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        connect(to(f"ws://two.example:{port}")).close()


def test_a_long_address_stays_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    refusal(to(f"ws://127.0.0.1:{port}/{'x' * 500}"))
    assert len(handshake.shown("x" * 500)) < 100


# --- TLS


def echo_messages(sock: socket.socket) -> None:
    """Send much at once, then whatever has come, as it came, as a binary message and a text."""
    accept_upgrade(sock)
    text = b"x" * 300_000
    sock.sendall(b"\x81\x7f" + len(text).to_bytes(8, "big") + text)
    while data := sock.recv(1 << 16):
        size = len(data).to_bytes(2, "big")
        sock.sendall(b"\x82\x7e" + size + data + b"\x81\x02{}")


def test_a_connection_over_tls_loses_nothing_and_never_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))
    with peer(echo_messages, is_tls=True) as url:
        check_route(to(url))
        link = connect(to(url))
        lines = b""

        def hear() -> bool:
            nonlocal lines
            lines += link.read(link.fds()[0]) or b""
            return lines.endswith(b"\n")

        wait_until(hear, what="a long message")
        assert len(lines) == 300_001
        lines = b""
        assert link.read(link.fds()[0]) == b""
        link.send(b'{"id":1}\n')
        wait_until(hear, what="an answer")
        assert lines == b"{}\n"
        assert link.end() == "the connection was closed"
        link.close()


def test_much_goes_over_tls_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))
    may_read, size, heard = threading.Event(), 6_000_000, bytearray()

    def behave(sock: socket.socket) -> None:
        accept_upgrade(sock)
        may_read.wait(DEADLINE_S)
        while data := sock.recv(1 << 16):
            heard.extend(data)

    with peer(behave, is_tls=True) as url:
        link = connect(to(url))
        link.send(b"x" * size + b"\n")
        assert link.write_fd() == link.fds()[0]
        may_read.set()

        def is_sent() -> bool:
            link.send(b"")
            return link.write_fd() is None

        wait_until(is_sent, what="the end of a long message")
        link.end()
        link.close()
    assert len(heard) == len(frame(TEXT, b"x" * size, b"mask")) + len(frame(BINARY, b"\x03\xe8", b"mask"))


def test_a_certificate_of_an_unknown_authority_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with peer(accept_upgrade, is_tls=True) as url:
        assert refusal(to(url)) == f"the certificate of {url} is not trusted: self-signed certificate"
        monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))
        other = url.replace("127.0.0.1", "127.0.0.2")
        with socket.create_server(("127.0.0.2", 0)):
            assert "Connection refused" in refusal(to(other))


def test_a_tls_server_that_is_spoken_to_in_plain_text() -> None:
    with peer(accept_upgrade, is_tls=True) as url:
        message = refusal(to(url.replace("wss://", "ws://")))
    assert message.endswith(("speaks TLS", "it drops the connection: Connection reset by peer", "without an answer"))


def test_what_came_over_tls_before_a_reset_is_read_before_it_is_told() -> None:
    class Records:
        """A TLS socket with two records, then a reset."""

        fileno = close = None

        def __init__(self) -> None:
            self._records = [b"one ", b"two"]

        def pending(self) -> int:
            return len(self._records)

        def recv(self, _: int) -> bytes:
            if not self._records:
                raise ConnectionResetError
            return self._records.pop(0)

    wire = _TlsWire(Records())  # type: ignore[arg-type]
    assert wire.recv(4) == b"one two"
    with pytest.raises(ConnectionResetError):
        wire.recv(4)
    assert _TlsWire(Records()).recv(100) == b"one two"  # type: ignore[arg-type]


def test_the_wire_of_tls_ends_as_a_plain_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))

    def vanish(sock: socket.socket) -> None:
        accept_upgrade(sock)
        sock.sendall(b"\x81\x02{}")  # and no farewell of TLS

    with peer(vanish, is_tls=True) as url:
        link = connect(to(url))
        lines = b""

        def is_over() -> bool:
            nonlocal lines
            data = link.read(link.fds()[0])
            lines += data or b""
            return data is None

        wait_until(is_over, what="the end")
        assert lines == b"{}\n"
        assert link.end() == "the connection was lost"
        link.close()


def test_an_address_of_the_host_that_is_silent_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    silent, timeouts, connect = ("127.0.0.2", 9), [], socket.socket.connect

    def connect_or_wait(sock: socket.socket, place: tuple[str, int]) -> None:
        timeouts.append(sock.gettimeout() or 0.0)
        if place == silent:
            raise TimeoutError
        connect(sock, place)

    monkeypatch.setattr(socket.socket, "connect", connect_or_wait)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        places = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", place) for place in (silent, ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        with _connected(parse_address(f"ws://host:{port}"), Deadline(10)) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
    assert 4 < timeouts[0] <= 5 < timeouts[1] <= 10
