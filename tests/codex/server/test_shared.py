"""The shared app-server with the real codex: found, started, outdated, killed, in the way of others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from codex_server_cli.codex.server.key import login_of
from codex_server_cli.codex.server.process import can_connect
from codex_server_cli.codex.server.shared import ensure_shared, find_shared, retire
from codex_server_cli.codex.server.state import read_generation
from codex_server_cli.errors import ServerError
from codex_server_cli.settings.environment import SERVER_MARK
from tests.kit.shared_server import SharedServer, is_gone
from tests.kit.support import wait_until

PROCESSES = 3
"""Codex, its keeper, and the process above that."""
RACER = """
import sys
from pathlib import Path
from codex_server_cli.codex.server.key import make_key
from codex_server_cli.codex.server.shared import ensure_shared
home, codex_home, codex = map(Path, sys.argv[1:])
found = ensure_shared(home, make_key(codex_home, codex, may_bill_api_key=False), timeout_s=100.0)
print(found.number, found.pid, found.keeper_pid)
"""


def race(server: SharedServer, number: int) -> list[str]:
    """What that many processes are told that ask for the server at once."""
    command = [sys.executable, "-c", RACER, str(server.home), str(server.codex_home), str(server.codex)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(number)]
    answers = [racer.communicate()[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * number
    return answers


def test_the_first_client_starts_it_and_the_next_one_finds_it(server: SharedServer) -> None:
    assert server.find() is None
    first = server.ensure()
    assert first.number == 1
    assert can_connect(first.socket_path)
    assert server.find() == first
    assert server.ensure() == first
    process, keeper = psutil.Process(first.pid), psutil.Process(first.keeper_pid)
    assert process.ppid() == first.keeper_pid
    assert process.cmdline()[1:] == [
        *("app-server", "--listen", f"unix://{first.socket_path}", "-c", "thread_unload_delay_secs=1"),
    ]
    assert process.cwd() == "/"
    assert process.environ()["CODEX_SERVER_TURN_ID"] == SERVER_MARK
    assert keeper.ppid() != os.getpid()  # it is no zombie of ours at its end
    assert os.getsid(first.keeper_pid) != os.getsid(0)
    assert server.directory.stat().st_mode & 0o777 == 0o700
    assert first.codex_version in subprocess.check_output([server.codex, "--version"], text=True)


def test_processes_that_start_it_at_once_get_one(one_server: SharedServer) -> None:
    assert len(set(race(one_server, 8))) == 1
    assert len(one_server.processes()) == PROCESSES


@pytest.mark.full
def test_fifty_processes_that_start_it_at_once_get_one(server: SharedServer) -> None:
    assert len(set(race(server, 50))) == 1
    assert len(server.processes()) == PROCESSES


@pytest.mark.full
def test_fifty_processes_that_find_it_outdated_get_one_successor(one_server: SharedServer) -> None:
    old = one_server.ensure()
    one_server.write_login(auth_mode="chatgpt", tokens={"account_id": "other"})
    answers = set(race(one_server, 50))
    assert len(answers) == 1
    assert answers.pop().split()[0] == "2"
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the outdated keeper")


def test_a_client_that_dies_while_it_starts_the_server_leaves_it_to_the_others(one_server: SharedServer) -> None:
    command = [sys.executable, "-c", RACER, *map(str, (one_server.home, one_server.codex_home, one_server.codex))]
    client = subprocess.Popen(command)
    wait_until(lambda: (one_server.home / "servers").exists(), what="the beginning of its start")
    client.kill()
    client.wait()
    assert can_connect(one_server.ensure().socket_path)
    assert len(one_server.processes()) == PROCESSES


@pytest.mark.parametrize("change", ["login", "key", "binary"])
def test_an_outdated_generation_is_replaced(one_server: SharedServer, change: str, tmp_path: Path) -> None:
    own = tmp_path / "codex"
    own.write_text(f'#!/bin/sh\nexec {one_server.codex} "$@"\n')
    own.chmod(0o755)
    one_server.codex = own
    one_server.write_login(auth_mode="apikey", OPENAI_API_KEY="one")
    old = one_server.ensure()
    one_server.write_login(OPENAI_API_KEY="one", auth_mode="apikey", last_refresh="now")  # a token was renewed
    assert one_server.find() == old
    if change == "login":
        one_server.write_login(auth_mode="chatgpt", tokens={"account_id": "a"})
    elif change == "key":
        one_server.write_login(auth_mode="apikey", OPENAI_API_KEY="two")
    else:
        os.utime(own, (1, 1))
    assert one_server.find() is None
    new = one_server.ensure()
    assert (new.number, new.key) == (2, old.key)
    assert new.socket_path != old.socket_path
    wait_until(lambda: is_gone(old.pid) and is_gone(old.keeper_pid), what="the end of the outdated one")
    assert one_server.find() == new
    assert "one" not in (one_server.directory / "server.json").read_text()


def test_a_keeper_that_is_killed_takes_its_server_along(server: SharedServer) -> None:
    old = server.ensure()
    os.kill(old.keeper_pid, signal.SIGKILL)
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the keeper")
    assert server.find() is None
    wait_until(lambda: is_gone(old.pid), what="the end of its server")
    new = server.ensure()
    assert new.number == 2
    assert len(server.processes()) == PROCESSES


def test_a_recorded_pid_that_is_another_process_by_now_is_not_signalled(one_server: SharedServer) -> None:
    old = one_server.ensure()
    record = json.loads((one_server.directory / "server.json").read_text())
    one_server.end()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record |= {"pid": stranger.pid, "keeper_pid": stranger.pid}
        (one_server.directory / "server.json").write_text(json.dumps(record))
        found = read_generation(f"{one_server.directory}/server.json")
        assert found is not None
        assert not retire(found, at_once=True)
        assert one_server.ensure().number > old.number
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"number": 1}', '{"number": true}'])
def test_a_torn_record_is_none(one_server: SharedServer, text: str) -> None:
    one_server.directory.mkdir(parents=True)
    (one_server.directory / "server.json").write_text(text)
    assert one_server.find() is None


def test_a_socket_that_a_cleaner_has_deleted_is_left_for_a_new_one(one_server: SharedServer) -> None:
    old = one_server.ensure()
    Path(old.socket_path).resolve().unlink()
    assert one_server.find() is None
    new = one_server.ensure()
    assert new.number == 2
    wait_until(lambda: is_gone(old.pid), what="the end of the server without a socket")
    assert can_connect(new.socket_path)


def test_a_path_where_something_lies_already_is_never_taken(one_server: SharedServer) -> None:
    one_server.directory.mkdir(parents=True)
    note = one_server.directory / "g1.sock"
    note.write_text("mine")
    (one_server.directory / "g2.clients").symlink_to("nowhere")
    assert one_server.ensure().number == 3
    assert note.read_text() == "mine"


def test_callers_that_differ_in_what_a_server_keeps_get_another(
    one_server: SharedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = one_server.codex_home / "config.toml"
    config.write_text('[model_providers.mine]\nenv_key = "MY_KEY"\nenv_http_headers = { A = "MY_HEAD" }\n')
    names = [one_server.key.name]
    for name in ("MY_KEY", "MY_HEAD", "HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/one")
        names.append(one_server.key.name)
        monkeypatch.setenv(name, "/two")
        names.append(one_server.key.name)
    monkeypatch.setenv("PATH", "/elsewhere")
    monkeypatch.setenv("OPENAI_API_KEY", "is not passed on")
    assert one_server.key.name == names[-1]
    (tmp_path / "link").symlink_to(one_server.codex_home)
    one_server.codex_home = tmp_path / "link"
    assert one_server.key.name == names[-1]
    one_server.codex_home = shutil.copytree(one_server.codex_home, tmp_path / "copy")
    names.append(one_server.key.name)
    assert len(set(names)) == len(names)


def test_the_default_socket_of_the_user_stays_his(one_server: SharedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    default = one_server.codex_home / "app-server-control" / "app-server-control.sock"
    default.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as users:
        monkeypatch.chdir(default.parent)
        users.bind(default.name)  # its whole path may be too long
        users.listen()
        users.settimeout(0.1)
        inode = default.lstat().st_ino
        one_server.ensure()
        with pytest.raises(TimeoutError):
            users.accept()
        assert default.lstat().st_ino == inode


def test_a_path_too_long_for_a_client_is_reached_by_what_it_links_to(
    one_server: SharedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_server.home = tmp_path / ("h" * 100)
    one_server.put_into_environment(monkeypatch)
    generation = one_server.ensure()
    assert len(generation.socket_path) > 107
    assert can_connect(generation.socket_path)


def test_further_arguments_make_another_server_and_may_say_where_it_listens(one_server: SharedServer) -> None:
    usual = one_server.ensure()
    key = one_server.key._replace(extra=("--listen=ws://127.0.0.1:0",))
    other = ensure_shared(one_server.home, key)
    assert find_shared(one_server.home, key) == other == ensure_shared(one_server.home, key)
    assert (other.number, other.socket_path) == (1, "")
    assert other.key != usual.key
    host, _, port = other.url.removeprefix("ws://").partition(":")
    socket.create_connection((host, int(port))).close()


def test_a_login_that_is_torn_or_no_login_counts_as_none(one_server: SharedServer) -> None:
    auth = one_server.codex_home / "auth.json"
    for text in ("", '{"auth_mode": "chat', "[]", "{}", '{"tokens": 3, "auth_mode": "x"}'):
        auth.write_text(text)
        assert login_of(str(one_server.codex_home)) == "none", text
    auth.unlink()
    assert login_of(str(one_server.codex_home)) == "none"


def test_a_home_that_does_not_exist_is_made_for_its_user_alone(
    one_server: SharedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_server.home = tmp_path / "fresh"
    one_server.put_into_environment(monkeypatch)
    one_server.ensure()
    assert [path.stat().st_mode & 0o777 for path in (one_server.home, one_server.home / "servers")] == [0o700] * 2


def test_a_wait_that_is_given_up_leaves_a_whole_server_to_others(one_server: SharedServer) -> None:
    with pytest.raises(ServerError, match="not waited for"):
        one_server.ensure(should_give_up=lambda: bool(one_server.processes()))
    assert one_server.ensure().number == 1
    assert len(one_server.processes()) == PROCESSES


@pytest.mark.full
def test_a_wait_that_is_given_up_leaves_nothing_of_a_server_that_never_accepts(
    one_server: SharedServer, tmp_path: Path
) -> None:
    one_server.codex = tmp_path / "codex"
    one_server.codex.write_text("#!/bin/sh\nexec sleep 3600\n")
    one_server.codex.chmod(0o755)
    with pytest.raises(ServerError, match="not waited for"):
        one_server.ensure(timeout_s=3.0, should_give_up=lambda: len(one_server.processes()) >= PROCESSES)
    answers = iter([False, False, True])
    with pytest.raises(ServerError, match="not waited for"):  # while another's start goes on
        one_server.ensure(should_give_up=lambda: next(answers))
    wait_until(lambda: not one_server.processes(), what="the end of the start")
    assert sorted(path.name for path in one_server.directory.iterdir()) == ["lock", "server.log"]
