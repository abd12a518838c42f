"""`proxy`: any client of JSON lines, any app-server; however slow either is, and whichever of them goes first."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
import pytest

from tests.kit.app_servers import ListeningServer
from tests.kit.home import COMMAND, Home
from tests.kit.support import DEADLINE_S, Json, wait_until

INITIALIZE = {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "x", "version": "1"}}}
EXPERIMENTAL = {"capabilities": {"experimentalApi": True}}


class Proxied:
    """A client behind `codex-server proxy`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
        self.stderr: IO[bytes] = process.stderr

    def send(self, *messages: Json) -> None:
        self.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        self.stdin.flush()

    def next(self) -> Json:
        message: Json = json.loads(self.stdout.readline())
        return message

    def reply(self, request_id: object) -> Json:
        """The reply to a request; what comes before it is dropped."""
        while (message := self.next()).get("id") != request_id or "method" in message:
            pass
        return message

    def end(self) -> tuple[int, bytes, str]:
        """Its exit code, the rest of stdout, and stderr."""
        stdout, stderr = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, stdout, stderr.decode()


@contextmanager
def proxied(home: Home, *flags: str) -> Iterator[Proxied]:
    process = subprocess.Popen(
        [COMMAND, "proxy", *flags],
        env=home.env,
        cwd=home.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield Proxied(process)
        finally:
            if process.poll() is None:
                process.kill()


def pin(home: Home, *lines: str) -> None:
    """Pin a codex whose app-server is these lines of Python."""
    path = home.root / "scripted-codex"
    path.write_text("\n".join([f"#!{sys.executable} -IS", "import json, os, sys", *lines, ""]))
    path.chmod(0o755)
    home.configure(codex=str(path))


@pytest.mark.measured
def test_a_client_that_pipes_its_requests_and_leaves_gets_every_reply(home: Home) -> None:
    with proxied(home) as client:
        client.send(INITIALIZE)
        client.stdin.write(b"\nthis is no JSON\n" + json.dumps({"method": "initialized"}).encode() + b"\n")
        client.stdin.write(json.dumps({"id": "last", "method": "thread/list", "params": {}}).encode())  # no newline
        code, stdout, stderr = client.end()
    assert (code, stderr) == (0, "")
    messages = [json.loads(line) for line in stdout.splitlines()]
    replies = {message["id"]: message for message in messages if "method" not in message}
    assert "userAgent" in replies[1]["result"]
    assert replies["last"]["result"]["data"] == []
    assert replies[None]["error"]["code"] == -32700


@pytest.mark.full
@pytest.mark.parametrize("is_unix", [False, True], ids=["spawn", "unix"])
def test_a_message_of_twenty_megabytes_goes_through_and_a_server_that_dies_is_told(
    one_home: Home, is_unix: bool
) -> None:
    with (
        ListeningServer(one_home.codex, one_home.codex_home, "unix://") as server,
        proxied(one_home, *(["--server", "unix://"] if is_unix else [])) as client,
    ):
        client.send(INITIALIZE, {"method": "initialized"})
        client.reply(1)
        client.send({"id": 2, "method": "thread/list", "params": {"searchTerm": "x" * 20_000_000}})
        assert client.reply(2)["result"]["data"] == []
        if is_unix:
            server.close()
        else:
            (codex,) = psutil.Process(client.process.pid).children()
            codex.kill()
        assert client.process.wait(DEADLINE_S) == 69  # though stdin is open
        stderr = client.stderr.read().decode()
    assert stderr.count("\n") == 1
    assert "the connection was lost" in stderr if is_unix else "signal 9" in stderr


def test_thousands_of_requests_at_once_are_all_answered(one_home: Home) -> None:
    with (
        ListeningServer(one_home.codex, one_home.codex_home, "unix://"),
        proxied(one_home, "--server", "unix://") as client,
    ):
        client.send(INITIALIZE)
        client.reply(1)
        client.send(*({"id": n, "method": "thread/loaded/list", "params": {}} for n in range(2, 3000)))
        code, stdout, stderr = client.end()
    assert (code, stderr) == (0, "")
    ids = [message["id"] for line in stdout.splitlines() if "method" not in (message := json.loads(line))]
    assert sorted(ids) == list(range(2, 3000))


def test_unread_messages_are_buffered_so_that_the_server_is_not_slowed(one_home: Home, tmp_path: Path) -> None:
    done = tmp_path / "done"
    write = 'for n in range(100_000): os.write(1, b\'{"method":"delta","params":{"n":%d}}\\n\' % n)'
    pin(one_home, write, f"open({str(done)!r}, 'w').close()", "sys.stdin.read()")
    with proxied(one_home) as client:
        wait_until(done.exists, what="all that the server has to say")
        code, stdout, stderr = client.end()
    assert (code, stderr) == (0, "")
    assert [json.loads(line)["params"]["n"] for line in stdout.splitlines()] == list(range(100_000))


@pytest.mark.full
@pytest.mark.measured
def test_what_the_server_does_not_read_is_not_taken_from_the_client(one_home: Home, tmp_path: Path) -> None:
    begin = tmp_path / "begin"
    os.mkfifo(begin)
    pin(
        one_home,
        f"open({str(begin)!r}).read()",
        "count = 0",
        "while b'\"id\"' not in (line := sys.stdin.buffer.readline()): count += len(line)",
        "print(json.dumps({'id': 1, 'result': count}), flush=True)",
    )
    line = json.dumps({"method": "x", "params": "y" * 100_000}).encode() + b"\n"
    with proxied(one_home) as client:
        os.set_blocking(client.stdin.fileno(), False)
        sent = 0
        while select.select([], [client.stdin], [], 1.0)[1]:
            sent += os.write(client.stdin.fileno(), line[sent % len(line) :][: select.PIPE_BUF])
        assert sent < 10_000_000
        begin.write_text("")
        os.set_blocking(client.stdin.fileno(), True)
        rest = line[sent % len(line) :]
        client.stdin.write(rest)
        client.send({"id": 1, "method": "count"})
        client.stdin.close()
        assert client.next() == {"id": 1, "result": sent + len(rest)}
        assert client.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.measured
def test_a_signal_ends_it_and_its_server_at_once(one_home: Home, signum: int, code: int) -> None:
    with proxied(one_home) as client:
        client.send(INITIALIZE)
        client.reply(1)
        (codex,) = psutil.Process(client.process.pid).children()
        client.process.send_signal(signum)
        assert client.process.wait(DEADLINE_S) == code
        assert not codex.is_running()
        assert client.stderr.read() == b""


def test_a_client_that_reads_nothing_more_ends_it(one_home: Home) -> None:
    with proxied(one_home) as client:
        client.send(INITIALIZE)
        client.reply(1)
        client.stdout.close()
        assert client.process.wait(DEADLINE_S) == 0
        assert client.stderr.read() == b""


@pytest.mark.measured
def test_so_does_one_that_has_requests_without_a_reply(one_home: Home) -> None:
    pin(one_home, "sys.stdin.readline(); print('{}', flush=True); sys.stdin.read()")
    with proxied(one_home) as client:
        client.send({"id": 1, "method": "never"})
        assert client.next() == {}
        client.stdout.close()
        assert (client.process.wait(DEADLINE_S), client.stderr.read()) == (0, b"")


@pytest.mark.full
@pytest.mark.measured
def test_a_request_without_a_reply_keeps_it_for_seconds_only(one_home: Home) -> None:
    pin(one_home, "import signal; sys.stdin.read(); signal.pause()")
    with proxied(one_home) as client:
        client.send({"id": 1, "method": "never"})
        code, stdout, stderr = client.end()
    assert (code, stdout) == (124, b"")
    assert stderr == "codex-server: 1 request has no reply 10 s after the end of stdin\n"


@pytest.mark.measured
def test_a_server_that_is_not_there_is_told(one_home: Home) -> None:
    with proxied(one_home, "--server", "unix:///none") as client:
        code, stdout, stderr = client.end()
    assert (code, stdout) == (69, b"")
    assert "nothing listens at /none" in stderr
    pin(one_home, "sys.exit('Error: broken')")
    with proxied(one_home) as client:
        assert client.process.wait(DEADLINE_S) == 69
        assert "Error: broken" in client.stderr.read().decode()
