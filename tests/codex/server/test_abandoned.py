"""What turns have detached with an emptied environment, where everything above it was killed; and what is another's."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.codex.server import shared
from codex_server_cli.codex.server.look import leftovers_of
from codex_server_cli.codex.server.mark import marked, set_mark
from codex_server_cli.codex.server.process import can_connect
from codex_server_cli.codex.server.shared import Lease, ensure_shared, find_shared, put_away, retire
from codex_server_cli.codex.server.state import Generation, generations_in
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.codex.server.test_shared import RACER
from tests.codex.server.test_signals import above, kill_at_once
from tests.codex.server.test_turns_there import detached, nap
from tests.kit.home import sleepers
from tests.kit.shared_server import SharedServer, is_gone
from tests.kit.support import wait_until

ANOTHER_TURN = "20260101-000000-abcd"

Start = Callable[[SharedServer], object]


def begin_again(server: SharedServer) -> None:
    server.ensure()


def stop_all(server: SharedServer) -> None:
    put_away(server.home)


def left_by_a_turn(server: SharedServer) -> tuple[Generation, psutil.Process]:
    """A generation, and what its turn has left: it is not ended, as somebody holds the server."""
    server.model([reply(run_command(detached(server))), say("Done.")])
    generation = server.ensure()
    server.opened.callback(Lease(generation).release)
    assert server.start_turn(generation).result() == "completed"
    (left,) = wait_until(lambda: sleepers(nap(server)), what="what the turn left")
    wait_until(lambda: left.ppid() == generation.keeper_pid, what="the end of its parent")
    return generation, left


@pytest.mark.parametrize("what_comes", [begin_again, stop_all], ids=["the next generation", "a stop"])
@pytest.mark.full
def test_what_was_left_by_all_that_were_killed_is_ended_by(server: SharedServer, what_comes: Start) -> None:
    old, left = left_by_a_turn(server)
    kill_at_once(old.pid, old.keeper_pid, above(old))
    assert left.environ() == {}
    assert sleepers(nap(server))
    what_comes(server)
    assert not sleepers(nap(server))
    assert "ended what killed generations had left running" in server.log
    assert not [each for each in generations_in(str(server.directory)) if each.number == old.number]


def test_what_was_left_by_killed_keepers_stays_as_long_as_their_server_runs_turns(one_server: SharedServer) -> None:
    gate = Gate()
    one_server.model([reply(run_command(detached(one_server))), reply(say("a", hold(gate), "b"))])
    old = one_server.ensure()
    turn = one_server.start_turn(old)
    gate.wait_until_reached()
    kill_at_once(old.keeper_pid, above(old))
    new = one_server.ensure()
    assert sleepers(nap(one_server))
    gate.open()
    turn.result()
    wait_until(lambda: is_gone(old.pid), what="the end of the server without a keeper")
    put_away(one_server.home)  # the next generation is at work: it is its own turn
    assert sleepers(nap(one_server))
    assert one_server.replace().number == new.number + 1
    assert not sleepers(nap(one_server))


@pytest.mark.parametrize("has_token", [False, True], ids=["without a token", "with a token"])
@pytest.mark.full
def test_what_a_turn_on_a_port_has_left_is_ended_while_the_server_runs(
    one_server: SharedServer, tmp_path: Path, *, has_token: bool
) -> None:
    token = tmp_path / "token" if has_token else None
    flags = ["--listen=ws://127.0.0.1:0"]
    if token is not None:
        token.write_text("a-token-of-more-than-thirty-two-characters")
        token.chmod(0o600)
        flags += ["--ws-auth=capability-token", f"--ws-token-file={token}"]
    one_server.model([reply(run_command(detached(one_server))), say("Done.")])
    generation = ensure_shared(one_server.home, one_server.key._replace(extra=tuple(flags)))
    assert one_server.start_turn(generation, token).result() == "completed"
    wait_until(lambda: sleepers(nap(one_server)), what="what the turn left")
    wait_until(lambda: not sleepers(nap(one_server)), what="its end")
    assert generation.is_alive()


def test_a_server_on_a_port_leaves_nothing_either(one_server: SharedServer) -> None:
    key = one_server.key._replace(extra=("--listen=ws://127.0.0.1:0",))
    old = ensure_shared(one_server.home, key)
    shell = ["sh", "-c", f"(env -i setsid {nap(one_server)} >/dev/null 2>&1 &)"]
    subprocess.run(shell, check=True, preexec_fn=lambda: set_mark(old.directory, old.number))
    (left,) = wait_until(lambda: sleepers(nap(one_server)), what="a process as its turns leave it")
    assert marked(old.directory) == {left.pid: old.number}
    put_away(one_server.home)
    assert sleepers(nap(one_server))
    kill_at_once(old.pid, old.keeper_pid, above(old))
    assert ensure_shared(one_server.home, key).number == 2
    assert not sleepers(nap(one_server))


def test_a_server_that_nothing_records_is_ended_by_the_next_start(one_server: SharedServer) -> None:
    old = one_server.ensure()
    kill_at_once(old.keeper_pid, above(old))
    (one_server.directory / "server.json").unlink()  # as where they are killed before they have written it
    one_server.ensure()
    assert is_gone(old.pid)


def test_what_a_turn_has_left_whose_worker_is_gone_is_ended(one_server: SharedServer) -> None:
    lock = one_server.home / "turns" / ANOTHER_TURN / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    holder = os.open(lock, os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    own = f"{TURN_VARIABLE}={ANOTHER_TURN} setsid {nap(one_server)} >/dev/null 2>&1 & sleep 0.5"
    one_server.model([reply(run_command(own)), say("Done.")])
    generation = one_server.ensure()
    assert one_server.start_turn(generation).result() == "completed"
    (left,) = wait_until(lambda: sleepers(nap(one_server)), what="what the turn left")
    wait_until(lambda: left.ppid() == generation.keeper_pid, what="the end of its parent")
    assert leftovers_of(generation) == ()
    os.close(holder)
    wait_until(lambda: not sleepers(nap(one_server)), what="its end")
    assert one_server.find() == generation


def test_what_a_turn_was_told_to_start_outlives_the_server_where_it_is_a_turn_of_its_own(
    server: SharedServer,
) -> None:
    own = f"{TURN_VARIABLE}={ANOTHER_TURN} setsid {nap(server)} >/dev/null 2>&1 & sleep 0.5"
    server.model([reply(run_command(own)), say("Done.")])
    old = server.ensure()
    assert server.start_turn(old).result() == "completed"
    (left,) = wait_until(lambda: sleepers(nap(server)), what="the other turn")
    wait_until(lambda: left.ppid() == old.keeper_pid, what="the end of its parent")
    assert leftovers_of(old) == ()
    server.replace()
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the keeper")
    assert sleepers(nap(server))
    put_away(server.home)
    assert marked(str(server.directory)) == {}
    left.kill()


def test_a_shared_server_that_a_turn_has_started_outlives_the_one_of_that_turn(one_server: SharedServer) -> None:
    inner = one_server.home.with_name("inner")
    words = [sys.executable, "-c", RACER, str(inner), str(one_server.codex_home), str(one_server.codex)]
    one_server.model([reply(run_command(shlex.join(words))), say("Done.")])
    old = one_server.ensure()
    assert one_server.start_turn(old).result() == "completed"
    found = find_shared(inner, one_server.key)
    assert found is not None
    one_server.replace()
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the keeper")
    assert find_shared(inner, one_server.key) == found
    assert can_connect(found.socket_path)
    assert not is_gone(above(found))
    assert retire(found, at_once=True)
    wait_until(lambda: is_gone(found.keeper_pid), what="the end of the inner one")


def test_a_directory_that_cannot_be_put_in_order_is_left_unlocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise OSError

    (tmp_path / "servers" / "k").mkdir(parents=True)
    monkeypatch.setattr(shared, "clean_up_killed_keepers", fail)
    for _ in range(2):  # the second time it would find the lock held
        with pytest.raises(OSError, match=r"^$"):
            put_away(tmp_path)
