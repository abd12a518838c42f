"""`rpc`: one raw call of an app-server, on each way to one, and what is said where it does not work."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.kit.app_servers import ListeningServer, peer, token_flags
from tests.kit.cases import for_each
from tests.kit.home import Home
from tests.kit.sshd import running_sshd
from tests.kit.support import wait_until

INITIALIZES = (
    'line = json.loads(read()); print(json.dumps({"id": line["id"], "result": {"userAgent": "x/1"}}), flush=True)'
)


def pin(home: Home, *lines: str) -> None:
    """Pin a codex whose app-server is these lines of Python, after the handshake; `read` returns its next line."""
    path = home.root / "scripted-codex"
    begin = f"#!{sys.executable} -IS\nimport json, sys, time\nread = sys.stdin.buffer.readline\n"
    path.write_text("\n".join([begin, INITIALIZES, "read()", *lines, ""]))
    path.chmod(0o755)
    home.configure(codex=str(path))


@pytest.mark.measured
def test_a_call_prints_the_result_as_it_came(home: Home) -> None:
    run = home.run("rpc", "thread/loaded/list")
    assert (run.code, run.json, run.stderr) == (0, {"data": [], "nextCursor": None}, "")
    run = home.run("rpc", "thread/list", "-", stdin='{"limit": 1}')
    assert run.json["data"] == []


@pytest.mark.measured
@pytest.mark.full
def test_an_error_is_told_as_every_other_with_its_code(one_home: Home) -> None:
    run = one_home.run("rpc", "thread/read", '{"threadId": "01a1fa42-6c80-78a2-9b1e-8e0f86b82eb3"}')
    assert run.code == 1
    assert run.json["error"]["code"] == -32600
    assert run.json["error"]["message"] in run.stderr
    run = one_home.run("rpc", "thread/lis")
    assert (run.code, run.json["error"]["message"]) == (1, "this app-server has no method thread/lis")
    assert "thread/list" in run.json["error"]["hint"]


@for_each(
    ("arguments", "code", "words"),
    [
        (["x", "{"], 65, "PARAMS is no JSON"),
        (["x", "NaN"], 65, "PARAMS is no JSON: NaN"),
        (["x", '["\\ud800"]'], 65, "PARAMS is no JSON"),
        (["x", '{"a": 1e999}'], 65, "PARAMS is no JSON: Out of range float values"),
        (["x", "[" * 100_000], 65, "PARAMS is no JSON"),
        (["x", "3"], 65, "PARAMS must be a JSON object, an array or null"),
        (["x", '"text"'], 65, "PARAMS must be"),
        ([" "], 64, "METHOD is empty"),
        (["x", "--timeout", "soon"], 64, "--timeout takes a duration"),
        (["x", "--server", "https://h/rpc"], 64, "HTTP service"),
        (["x", "--server", "ssh://-oProxyCommand=x"], 64, "begins with '-'"),
        (["x", "--server", "unix:///none"], 69, "nothing listens at /none"),
        (["x", "--server", "ws://127.0.0.1:1"], 69, "127.0.0.1:1"),
        (["x", "--server-token-env", "T"], 65, "takes no token"),
    ],
)
def test_bad_input_is_one_clear_line(one_home: Home, arguments: list[str], code: int, words: str) -> None:
    run = one_home.call("rpc", *arguments)
    assert (run.code, run.json["error"]["exit_code"]) == (code, code)
    assert words in run.json["error"]["message"]
    assert run.stderr.count("\n") == 1


def test_a_peer_that_is_silent_is_given_up_within_the_time(one_home: Home) -> None:
    def hear(sock: socket.socket) -> None:
        while sock.recv(1 << 16):
            pass

    with peer(hear) as url:
        run = one_home.call("rpc", "x", "--server", url, "--timeout", "1")
    assert (run.code, run.json["error"]["message"]) == (69, f"{url} does not answer within 1 s")


def test_the_refusal_of_http_names_the_way(one_home: Home) -> None:
    assert "POST" in one_home.call("rpc", "x", "--server", "HTTPS://h/rpc").json["error"]["hint"]
    hint = one_home.call("rpc", "x", "--server", "https://h/rpc?a=1&b=2").json["error"]["hint"]
    assert hint.endswith("'https://h/rpc?a=1&b=2'")


@pytest.mark.full
def test_a_server_that_is_too_busy_is_asked_again(one_home: Home) -> None:
    busy = (
        'for _ in range(3): print(json.dumps({"id": json.loads(read())["id"], "error": {"code": -32001}}), flush=True)'
    )
    done = 'print(json.dumps({"id": json.loads(read())["id"], "result": "done"}), flush=True); read()'
    pin(one_home, busy, done)
    assert one_home.run("rpc", "x", "null").stdout == '"done"\n'
    pin(one_home, busy.replace("range(3)", "range(999)"))
    run = one_home.run("rpc", "x", "--timeout", "4")
    assert (run.code, run.json["error"]["kind"], run.json["error"]["code"]) == (1, "overloaded", -32001)


@pytest.mark.full
@pytest.mark.measured
def test_no_reply_in_time_is_124_and_a_server_that_ends_is_69(one_home: Home) -> None:
    pin(one_home, "read(); read()")
    run = one_home.run("rpc", "x", "--timeout", "4")
    assert (run.code, run.json["error"]["message"]) == (124, "no reply to x in time")
    pin(one_home, "read(); sys.exit('broken')")
    run = one_home.run("rpc", "x")
    assert (run.code, run.json["error"]["message"]) == (69, "codex app-server does not answer: broken")
    pin(one_home, "read(); sys.stdin.close(); sys.stdout.close(); sys.exit(3)")
    assert "(exit code 3)" in one_home.run("rpc", "x").json["error"]["message"]


@pytest.mark.parametrize("listen", ["unix://", "ws://127.0.0.1:0"])
def test_a_server_that_listens_is_called_and_followed(one_home: Home, tmp_path: Path, listen: str) -> None:
    flags = () if listen == "unix://" else token_flags(tmp_path, "a-token-of-the-tests")
    given = () if listen == "unix://" else ("--server-token-file", str(tmp_path / "server-token"))
    with ListeningServer(one_home.codex, one_home.codex_home, listen, *flags) as server:
        way = ("--server", server.url, *given)
        found = one_home.run("rpc", "server/diagnostics", *way)
        assert found.json["process"]["id"] == server.process.pid
        follower = one_home.spawn("rpc", "thread/loaded/list", *way, "--follow")
        lines = follower.stdout
        assert lines is not None
        assert json.loads(lines.readline()) == {"data": [], "nextCursor": None}
        assert one_home.run("rpc", "thread/start", "{}", *way).code == 0
        wait_until(lambda: "thread/started" in lines.readline(), what="thread/started")
        server.close()
        _, stderr = follower.communicate(timeout=60)
        assert follower.returncode == 69
        assert f"{server.url} does not answer any more: the connection was lost" in stderr
        run = one_home.run("rpc", "server/diagnostics", *way)
        assert run.code == 69


@pytest.mark.full
@pytest.mark.version_free
def test_a_codex_of_another_host_is_called_and_proxied(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "remote-bin"
    folder.mkdir()
    (folder / "codex").symlink_to(home.codex)
    with running_sshd(tmp_path / "sshd", home.codex_home, str(folder)) as sshd:
        home.env["PATH"] = f"{sshd.bin}{os.pathsep}{home.env['PATH']}"
        assert home.run("rpc", "thread/loaded/list", "--server", sshd.address).json["data"] == []
        initialize = {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "x", "version": "1"}}}
        run = home.run("proxy", "--server", sshd.address, stdin=json.dumps(initialize))
        assert (run.code, run.stderr) == (0, "")
        assert "userAgent" in json.loads(run.stdout.splitlines()[0])["result"]
        (folder / "codex").unlink()
        run = home.run("proxy", "--server", sshd.address, stdin=json.dumps(initialize))
        assert (run.code, "cannot run codex" in run.stderr, "server_command" in run.stderr) == (69, True, True)
        home.configure(server_command=str(home.codex), server=sshd.address)
        assert home.run("rpc", "thread/loaded/list").code == 0


@pytest.mark.full
@pytest.mark.measured
def test_following_ends_with_its_time_or_ctrl_c(one_home: Home) -> None:
    replies = 'print(json.dumps({"id": json.loads(read())["id"], "result": 1}), flush=True)'
    pin(one_home, replies, """print('{"method":"m"}', flush=True)""", "read()")
    run = one_home.run("rpc", "x", "-f", "--timeout", "4")
    assert (run.code, run.stdout) == (0, '1\n{"method":"m"}\n')
    follower = one_home.spawn("rpc", "x", "--follow")
    assert follower.stdout is not None
    assert follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=60)
    assert follower.returncode == 130


def test_the_server_of_the_configuration_is_called(one_home: Home) -> None:
    one_home.configure(server="unix:///none")
    assert "nothing listens at /none" in one_home.run("rpc", "x").stderr
    assert one_home.run("rpc", "thread/loaded/list", "--server", "spawn").code == 0
    one_home.configure(server="nowhere")
    run = one_home.run("rpc", "x")
    assert (run.code, "config.json" in run.stderr) == (65, True)
