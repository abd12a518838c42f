"""The way through a unix socket: to a real app-server, and to paths where there is none."""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.codex.transport import unix
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route, check_route, connect, route_of
from codex_server_cli.codex.transport.unix import open_socket
from codex_server_cli.core.model.server.address import ServerAddress, ServerKind, parse_address
from codex_server_cli.core.protocol import rpc
from codex_server_cli.errors import ServerError
from codex_server_cli.settings.environment import interpreter
from tests.kit.app_servers import ListeningServer, accept_upgrade, answer, peer
from tests.kit.cases import for_each
from tests.kit.support import DEADLINE_S, wait_until

MIB = 1024 * 1024
HELLO = {"clientInfo": {"name": "codex_server_test", "version": "0"}, "capabilities": {"experimentalApi": True}}


def reply(link: Link, request_id: int, method: str, params: dict[str, object]) -> rpc.Message:
    """Ask an app-server."""
    link.send(rpc.encode(rpc.request(request_id, method, params)))
    lines = b""
    while True:
        writing = link.write_fd()
        assert any(select.select(link.fds(), [] if writing is None else [writing], [], DEADLINE_S)), "silence"
        link.send(b"")
        data = link.read(link.fds()[0])
        assert data is not None, link.end()
        lines += data
        for line in lines.split(b"\n")[:-1]:
            if (message := rpc.parse_line(line)) is not None and message.get("id") == request_id:
                return message


def refusal(route: Route, timeout_s: float = DEADLINE_S) -> str:
    """The one line that a connection is refused with."""
    with pytest.raises(ServerError) as caught:
        connect(route, timeout_s=timeout_s)
    error = caught.value
    assert error.exit_code == 69
    assert error.hint
    assert "\n" not in error.message + error.hint
    assert len(error.message) <= 200
    return error.message


def await_loss(link: Link) -> None:
    """Wait until a link tells that its server is gone."""
    wait_until(lambda: link.read(link.fds()[0]) is None, what="the end of the stream")
    assert link.end() == "the connection was lost"


def at(path: Path | str) -> Route:
    return Route(parse_address(f"unix://{path}"), str(path))


# --- a real app-server


def test_an_app_server_is_reached_on_its_default_socket_and_outlives_each_connection(
    codex: Path, codex_home: Path
) -> None:
    with ListeningServer(codex, codex_home, "unix://"):
        route = route_of(parse_address("unix://"), codex_home=codex_home)
        check_route(route)
        for _ in range(2):
            link = connect(route)
            assert "userAgent" in reply(link, 1, "initialize", HELLO)["result"]
            link.send(rpc.encode({"method": "initialized"}))
            assert reply(link, 2, "server/diagnostics", {})["result"]
            assert link.end() == "the connection was closed"
            link.close()


def test_a_path_longer_than_a_client_can_name_and_a_message_longer_than_a_frame_may_be(
    codex: Path, codex_home: Path, tmp_path: Path
) -> None:
    directory = tmp_path / ("d" * 140)
    directory.mkdir(mode=0o700)
    with ListeningServer(codex, codex_home, f"unix://{directory}/s.sock") as server:
        short = tmp_path / "short"  # of the user's own
        short.symlink_to(directory / "s.sock")
        for path in (directory / "s.sock", short):
            link = connect(at(path))
            assert "result" in reply(link, 1, "initialize", HELLO)
            link.send(rpc.encode({"method": "initialized"}))
            assert "result" in reply(link, 2, "thread/loaded/list", {"cursor": None, "junk": "x" * 20 * MIB})
            if path is short:
                server.close()
                await_loss(link)
            link.end()
            link.close()
        assert refusal(at(directory / "s.sock")).endswith("any more: its app-server has ended")


def test_the_generation_of_a_shared_server_is_reached_by_its_path(tmp_path: Path) -> None:
    with peer(accept_upgrade, path=tmp_path / "s"):
        route = Route(ServerAddress(ServerKind.SHARED, "shared"), str(tmp_path / "s"))
        check_route(route)
        connect(route).close()


def test_a_unix_socket_loads_nothing_of_tls_and_no_library() -> None:
    code = "from codex_server_cli.codex.transport import connect, unix; import sys; print(*sys.modules)"
    modules = set(subprocess.run(interpreter(code), capture_output=True, text=True, check=True).stdout.split())
    assert "codex_server_cli.core.protocol.websocket" in modules
    assert not modules & {"ssl", "hashlib", "_hashlib", "asyncio", "http", "websockets"}


# --- no app-server


def test_without_a_listener_the_error_says_what_stands_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "stale link").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "dead"))
    listening = {
        "none": "there is no such socket",
        "stale link": "any more: the socket that it leads to is gone",
        "dead": "any more: its app-server has ended",
    }
    assert {name: refusal(at_(tmp_path / name)) for name in listening} == {
        name: f"nothing listens at {tmp_path / name}{' ' if 'any more' in words else ': '}{words}"
        for name, words in listening.items()
    }
    assert refusal(at(tmp_path / "file")) == f"{tmp_path / 'file'} is no socket"
    assert refusal(at(tmp_path)) == f"{tmp_path} is no socket"
    assert refusal(at(tmp_path / "file" / "x")).endswith("cannot be connected to: Not a directory")
    assert refusal(at(tmp_path / "loop")).endswith("cannot be connected to: Too many levels of symbolic links")
    assert refusal(at(tmp_path / ("x" * 120))).endswith("there is no such socket")
    assert refusal(at(tmp_path / ("x" * 300) / "s")).endswith("there is no such socket")
    (tmp_path / ("x" * 120)).touch()
    assert refusal(at(tmp_path / ("x" * 120))).startswith("the path of the socket is too long")


def at_(path: Path) -> Route:
    """A route whose path no address could have."""
    return Route(ServerAddress(ServerKind.UNIX, "unix://"), str(path))


@for_each(
    ("path", "command"),
    [
        ("a b", "codex app-server --listen unix://'{}/a b'"),
        ("no/s", "mkdir -p -m 700 {0}/no && codex app-server --listen unix://{0}/no/s"),
        ("app-server-control/app-server-control.sock", "codex app-server --listen unix://"),
    ],
)
def test_the_next_step_of_a_dead_path_is_a_command_that_works(path: str, command: str, tmp_path: Path) -> None:
    with pytest.raises(ServerError) as caught:
        connect(at_(tmp_path / path))
    assert caught.value.hint.startswith(f"Start it: {command.format(tmp_path)}; ")


@for_each("code", [errno.EACCES, errno.EPERM])
def test_a_socket_of_another_user_is_said_to_be_one(code: int) -> None:
    error = unix._no_connection("/run/s", "/run/s", OSError(code, os.strerror(code)))
    assert error.message == "this user may not connect to /run/s"


def test_who_is_silent_or_speaks_something_else_is_no_app_server(tmp_path: Path) -> None:
    def hang_up(sock: socket.socket) -> None:
        sock.recv(1)

    def send_banner(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        sock.recv(4096)

    def wait(sock: socket.socket) -> None:
        while sock.recv(4096):
            pass

    def serve(sock: socket.socket) -> None:
        answer(sock, "404 Not Found", "no such page")

    answers = [
        (hang_up, DEADLINE_S, "is no app-server: it drops the connection: Connection reset by peer"),
        (send_banner, DEADLINE_S, "is no app-server: it does not speak HTTP"),
        (serve, DEADLINE_S, "is no app-server: it answers HTTP 404 (no such page)"),
        (wait, 0.1, "does not answer within 0.1 s"),
    ]
    for number, (behave, timeout_s, words) in enumerate(answers):
        with peer(behave, path=tmp_path / str(number)):
            assert refusal(at(tmp_path / str(number)), timeout_s) == f"{tmp_path}/{number} {words}"


def test_a_server_that_has_no_time_to_accept_is_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(tmp_path / "s"))
        busy.listen(0)
        waiting = [open_socket(str(tmp_path / "s"), DEADLINE_S)]
        assert refusal(at(tmp_path / "s"), 0.05).endswith("does not answer within 0.05 s")
        for each in waiting:
            each.close()


# --- whose socket it is


def test_a_directory_of_sockets_that_others_may_enter_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = tmp_path / "codex-daemon-0"
    monkeypatch.setattr(unix, "_DAEMON_DIRECTORY", re.compile(re.escape(str(daemon))))
    (tmp_path / "link").symlink_to(daemon / "socket")
    assert refusal(at(tmp_path / "link")).endswith("the socket that it leads to is gone")
    daemon.mkdir(mode=0o700)
    with peer(accept_upgrade, path=daemon / "socket"):
        check_route(at(tmp_path / "link"))
        daemon.chmod(0o755)
        with pytest.raises(ServerError, match="others may enter \\(mode 755\\)") as caught:
            check_route(at(tmp_path / "link"))
        assert caught.value.hint == f"chmod 700 {daemon}"
        daemon.chmod(0o700)
        monkeypatch.setattr(os, "getuid", lambda: daemon.stat().st_uid + 1)
        assert "belongs to another user" in refusal(at(daemon / "socket"))


def test_a_directory_of_sockets_that_is_a_link_to_anywhere_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, elsewhere = tmp_path / "codex-daemon-0", tmp_path / "elsewhere"
    monkeypatch.setattr(unix, "_DAEMON_DIRECTORY", re.compile(re.escape(str(daemon))))
    elsewhere.mkdir(mode=0o700)
    daemon.symlink_to(elsewhere)
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to(daemon / "socket")
    with peer(accept_upgrade, path=elsewhere / "socket"):
        check_route(at(elsewhere / "socket"))
        for name in ("first", "second"):
            assert "belongs to another user" in refusal(at(tmp_path / name))


def test_a_path_that_may_not_be_looked_at_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "lstat", refuse)
    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(unix, "socket", type("Refusing", (socket.socket,), {"connect": refuse}))
    assert refusal(at(tmp_path / "s")) == f"this user may not connect to {tmp_path / 's'}"


def test_the_directory_of_sockets_is_known_by_its_name(tmp_path: Path) -> None:
    assert unix._DAEMON_DIRECTORY.fullmatch("/tmp/codex-daemon-1000")
    assert unix._DAEMON_DIRECTORY.fullmatch("/private/tmp/codex-daemon-501")
    assert not unix._DAEMON_DIRECTORY.fullmatch(str(tmp_path))
