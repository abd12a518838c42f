"""The two pages of an app-server on a TCP port, against servers of every kind, and against each real codex."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codex_server_cli.codex.server.health import Health, read_health
from codex_server_cli.codex.server.keeper.generations import listening_at
from codex_server_cli.codex.server.token import check_listen_files, make_token
from codex_server_cli.core.model.server.address import parse_address
from codex_server_cli.core.model.server.listen import ListenFlags, listen_arguments
from codex_server_cli.core.model.server.ws_auth import WsAuth
from tests.kit.support import codex_env, wait_until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def answering(answer: bytes, *, closes: bool = True) -> Iterator[tuple[int, list[bytes]]]:
    """Serve one fixed answer on loopback; the port, and what was asked."""
    asked: list[bytes] = []
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                asked.append(connection.recv(4096))
                connection.sendall(answer)
                if closes:
                    connection.close()
                else:
                    kept.append(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


def test_both_pages_are_asked_without_an_origin_and_without_a_token() -> None:
    with answering(OK) as (port, asked):
        assert read_health(parse_address(f"ws://127.0.0.1:{port}")) == Health(True, True)
    first, second = (each.decode() for each in asked)
    assert first.startswith("GET /readyz HTTP/1.1\r\n")
    assert second.startswith("GET /healthz HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n" in first
    assert not re.search("origin|authorization", first + second, re.IGNORECASE)


def test_all_interfaces_are_asked_on_loopback() -> None:
    with answering(OK) as (port, _):
        assert read_health(parse_address(f"ws://0.0.0.0:{port}")).is_ready


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "is no app-server: it answers 404 to /readyz"),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", "is no app-server: it answers 200 to /readyz"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, "it answers 200 to /readyz"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"", "closes the connection without an answer"),
    ],
)
def test_another_server_is_told(answer: bytes, problem: str) -> None:
    with answering(answer) as (port, _):
        found = read_health(parse_address(f"ws://127.0.0.1:{port}"))
    assert (found.is_ready, found.is_healthy) == (False, False)
    assert problem in (found.problem or "")


def test_a_connection_that_stays_open_after_the_answer_is_no_problem() -> None:
    with answering(OK, closes=False) as (port, _):
        assert read_health(parse_address(f"ws://127.0.0.1:{port}"), 0.2).is_ready


def test_a_silent_server_takes_no_longer_than_its_time() -> None:
    started = time.monotonic()
    with answering(b"", closes=False) as (port, _):
        found = read_health(parse_address(f"ws://127.0.0.1:{port}"), 0.1)
    assert found.problem == f"ws://127.0.0.1:{port} does not answer within 0.1 s"
    assert time.monotonic() - started < 5


def test_a_port_without_a_listener_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "Connection refused" in (read_health(parse_address(f"ws://127.0.0.1:{port}")).problem or "")


@pytest.mark.parametrize(
    "auth", ["signed", *(pytest.param(each, marks=pytest.mark.full) for each in ("none", "token", "digest"))]
)
def test_each_codex_starts_with_our_arguments_and_is_ready(codex: Path, codex_home: Path, auth: str) -> None:
    made = make_token(codex_home / "token")
    secret = str(made.path)
    flags = {
        "none": ListenFlags("ws://127.0.0.1:0"),
        "token": ListenFlags("ws://[::1]:0", WsAuth.CAPABILITY_TOKEN, secret),
        "digest": ListenFlags("ws://0.0.0.0:0", WsAuth.CAPABILITY_TOKEN, ws_token_sha256=made.sha256),
        "signed": ListenFlags("ws://127.0.0.1:0", WsAuth.SIGNED_BEARER_TOKEN, None, None, secret, "-me", "you", 5),
    }[auth]
    check_listen_files(flags, "/")
    log = codex_home / "stderr"
    with log.open("wb") as stderr:
        command = [str(codex), "app-server", *listen_arguments(flags, "/")]
        process = subprocess.Popen(
            command, env=codex_env(codex_home), cwd=codex_home, stdin=subprocess.DEVNULL, stderr=stderr
        )
    try:
        wait_until(lambda: listening_at(log.read_text()) or process.poll() is not None, what="the address")
        address = parse_address(listening_at(log.read_text()))
        assert read_health(address) == Health(True, True)
    finally:
        process.terminate()
        process.wait()
    assert read_health(address).problem is not None
