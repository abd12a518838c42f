"""Starting and ending an app-server, however it behaves: every step of the escalation, and its stderr tail."""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from codex_server_cli.codex.transport import spawned
from codex_server_cli.codex.transport.spawned import AppServer
from tests.fakes import codex as fake
from tests.kit.support import wait_until

Start = Callable[..., AppServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a misbehaving app-server; all are ended after the test."""
    servers: list[AppServer] = []

    def start(behaviour: str, **options: Any) -> AppServer:
        binary = fake.write(tmp_path / "codex", behaviour)
        server = AppServer(binary, str(tmp_path), **{"may_bill_api_key": False, **options})
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.end()
        server.close()


def read_line(server: AppServer) -> dict[str, Any]:
    """The first line that it writes, as JSON."""
    data = bytearray()

    def whole() -> bool:
        data.extend(server._pipes.read() or b"")
        return data.endswith(b"\n")

    wait_until(whole, what="a line")
    line: dict[str, Any] = json.loads(data)
    return line


def wait_until_ready(server: AppServer) -> None:
    wait_until(lambda: server.drain_stderr() and "ready" in server.stderr_tail(), what="readiness")


@pytest.fixture
def long_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that exits by itself may take its time: the machine may be busy."""
    monkeypatch.setattr(spawned, "GRACE_S", 60.0)


@pytest.mark.usefixtures("long_grace")
def test_a_well_behaved_one_goes_at_the_end_of_its_stdin(start: Start) -> None:
    server = start("silent")
    assert server.end() == "exit code 0"
    assert not psutil.pid_exists(server.pid)


def test_one_that_ignores_its_stdin_is_told_by_sigterm(start: Start) -> None:
    server = start("polite")
    wait_until_ready(server)
    assert server.end() == "signal 15"


def test_one_that_ignores_sigterm_too_is_killed(start: Start) -> None:
    server = start("stubborn")
    wait_until_ready(server)
    assert server.end() == "signal 9"


@pytest.mark.usefixtures("long_grace")
def test_ending_twice_says_the_same(start: Start) -> None:
    server = start("exits")
    assert [server.end(), server.end()] == ["exit code 101", "exit code 101"]


@pytest.mark.usefixtures("long_grace")
def test_its_stderr_tail_are_kept_without_colours(start: Start) -> None:
    server = start("exits")
    server.end()
    assert server.stderr_tail() == f"ERROR it begins\n{fake.STDERR_TAIL}"


def test_a_line_of_stderr_that_comes_in_pieces_is_one_line(start: Start) -> None:
    server = start("exits")
    server.end()
    for piece in (b"\n", b"env: ", b"'/no'", b": No such file\nnext", b" line\n", b"\n", b"last"):
        server._keep(piece)
    assert server.stderr_tail().endswith("\nenv: '/no': No such file\nnext line\nlast")


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes have one size here")
def test_a_flood_on_stderr_leaves_time_for_all_else(start: Start) -> None:
    server = start("noisy")
    fcntl.fcntl(server.stderr_fd, fcntl.F_SETPIPE_SZ, 1 << 20)

    def unread() -> int:
        count = array.array("i", [0])
        fcntl.ioctl(server.stderr_fd, termios.FIONREAD, count)
        return count[0]

    wait_until(lambda: unread() > 400_000, what="a flood")
    assert server.drain_stderr()
    assert unread() > 0


def test_of_too_many_words_the_log_gets_the_beginning_and_the_end(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with log.open("wb") as file:
        server = start("noisy", on_stderr=file.write)
        wait_until(lambda: server.drain_stderr() and "line 19999 " in server.stderr_tail(), what="the last line")
        server.end()
    lines = log.read_text().splitlines()
    assert lines[0] == "line 0 of far too many"
    assert lines[-1] == "line 19999 of far too many"
    assert log.stat().st_size < 120_000
    assert any("bytes of stderr in all" in line for line in lines)
    assert len(server.stderr_tail()) <= 32 * 1024


def test_it_gets_the_environment_less_what_could_bill_an_api_key(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")
    for name in (*keys, "HTTPS_PROXY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.delenv("CODEX_SERVER_TURN_ID", raising=False)
    reported = read_line(start("telltale", turn_id="20261120-165501-482-7f3a"))
    assert not set(keys) & set(reported["env"])
    assert reported["env"]["HTTPS_PROXY"] == "secret"
    assert reported["env"]["CODEX_SERVER_TURN_ID"] == "20261120-165501-482-7f3a"
    assert reported["cwd"] == str(tmp_path)
    reported = read_line(start("telltale", may_bill_api_key=True))
    assert set(keys) <= set(reported["env"])
    assert "CODEX_SERVER_TURN_ID" not in reported["env"]


def test_it_leads_a_session_of_its_own(start: Start) -> None:
    server = start("silent")
    assert os.getsid(server.pid) == os.getpgid(server.pid) == server.pid


def test_what_cannot_be_run_is_an_os_error(tmp_path: Path) -> None:
    binary = fake.write(tmp_path / "codex")
    with pytest.raises(FileNotFoundError):
        AppServer(tmp_path / "missing", str(tmp_path), may_bill_api_key=False)
    with pytest.raises(FileNotFoundError):
        AppServer(binary, str(tmp_path / "missing"), may_bill_api_key=False)
    binary.chmod(0o600)
    with pytest.raises(PermissionError):
        AppServer(binary, str(tmp_path), may_bill_api_key=False)


def test_one_that_is_dead_already_can_be_ended(start: Start) -> None:
    server = start("silent")
    os.kill(server.pid, signal.SIGKILL)
    assert server.end() == "signal 9"
