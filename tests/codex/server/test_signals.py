"""Signals that the shared server and our processes above it get from elsewhere: no turn is ended by a second one."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from codex_server_cli.codex.server.draining import is_draining
from codex_server_cli.codex.server.shared import Lease, put_away, retire
from codex_server_cli.codex.server.state import Generation, generations_in
from tests.codex.server.test_turns_there import WHOLE, gated_turn
from tests.kit.shared_server import SharedServer, is_gone
from tests.kit.support import wait_until


def above(generation: Generation) -> int:
    """The process above the keeper."""
    return psutil.Process(generation.keeper_pid).ppid()


def kill_at_once(*pids: int) -> None:
    """Kill processes, none of which sees the end of another."""
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, signum)
    wait_until(lambda: all(map(is_gone, pids)), what="their end")


def told_from_outside(generation: Generation) -> None:
    """Make a server drain without a word to its keeper."""
    os.kill(generation.pid, signal.SIGTERM)
    wait_until(lambda: is_draining(generation.socket_path, 5.0), what="the drain")


@pytest.mark.full
def test_one_that_was_told_by_somebody_else_is_replaced_once_it_is_doubted_and_ends_its_turns(
    server: SharedServer,
) -> None:
    old, gate = gated_turn(server)
    assert server.ensure(doubted=old) == old
    turn = server.start_turn(old)
    gate.wait_until_reached()
    told_from_outside(old)
    assert server.ensure() == old  # nothing shows it from outside
    new = server.ensure(doubted=old)
    assert new.number == 2
    wait_until(lambda: "somebody else has made it drain" in server.log, what="the keeper's word")
    assert not turn.done()
    assert server.start_turn(new).result() == "completed"
    gate.open()
    turn.result()
    assert server.is_in_a_session(WHOLE)
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the old generation")
    assert generations_in(str(server.directory)) == [new]


def test_what_a_shutdown_signals_all_at_once_ends_its_turn(one_server: SharedServer) -> None:
    generation, gate = gated_turn(one_server)
    turn = one_server.start_turn(generation)
    gate.wait_until_reached()
    for pid in (generation.pid, generation.keeper_pid, above(generation)):
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: "somebody else has made it drain" in one_server.log, what="the keeper's word")
    assert not turn.done()
    gate.open()
    turn.result()
    assert one_server.is_in_a_session(WHOLE)
    wait_until(lambda: not one_server.processes(), what="the end of all")


def test_a_keeper_that_is_killed_while_its_server_drains_costs_no_turn(server: SharedServer) -> None:
    old, gate = gated_turn(server)
    turn = server.start_turn(old)
    gate.wait_until_reached()
    upper = above(old)
    assert retire(old)
    wait_until(lambda: is_draining(old.socket_path, 5.0), what="the drain")
    wait_until(lambda: Path(old.told_path).exists(), what="the keeper's note")
    os.kill(old.keeper_pid, signal.SIGKILL)
    wait_until(lambda: psutil.Process(old.pid).ppid() == upper, what="the one above to have the server")
    new = server.ensure()
    assert (new.number, turn.done()) == (2, False)
    os.kill(upper, signal.SIGKILL)
    wait_until(lambda: psutil.Process(old.pid).ppid() != upper, what="the end of the one above, too")
    put_away(server.home)
    gate.open()
    turn.result()
    assert server.is_in_a_session(WHOLE)
    wait_until(lambda: is_gone(old.pid), what="its end")
    server.replace()
    assert sorted(path.name for path in server.directory.glob("*1*")) == []


def test_a_server_whose_keepers_were_killed_is_told_by_the_next_start_and_once(one_server: SharedServer) -> None:
    old, gate = gated_turn(one_server)
    turn = one_server.start_turn(old)
    gate.wait_until_reached()
    kill_at_once(old.keeper_pid, above(old))
    assert not is_draining(old.socket_path, 5.0)
    assert one_server.ensure().number == 2
    wait_until(lambda: is_draining(old.socket_path, 5.0), what="the drain")
    Path(old.told_path).write_bytes(b"")  # as of one that was killed right after the signal
    assert retire(old)
    assert one_server.replace().number == 3
    assert not turn.done()
    gate.open()
    turn.result()
    assert one_server.is_in_a_session(WHOLE)
    wait_until(lambda: is_gone(old.pid), what="its end")


@pytest.mark.parametrize("is_told", [False, True], ids=["that takes turns", "that drains"])
@pytest.mark.full
def test_a_server_without_keepers_is_ended_at_once_all_the_same(one_server: SharedServer, *, is_told: bool) -> None:
    old, gate = gated_turn(one_server)
    turn = one_server.start_turn(old)
    gate.wait_until_reached()
    kill_at_once(old.keeper_pid, above(old))
    if is_told:
        assert retire(old)
        wait_until(lambda: is_draining(old.socket_path, 5.0), what="the drain")
    assert retire(old, at_once=True)
    wait_until(lambda: is_gone(old.pid), what="its end")
    assert "does not answer" in turn.result()
    gate.open()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_process_above_the_keeper_goes_with_that_alone(one_server: SharedServer, signum: int) -> None:
    generation = one_server.ensure()
    upper = above(generation)
    os.kill(upper, signum)
    os.kill(generation.keeper_pid, signal.SIGHUP)  # of a terminal: it has none
    os.kill(generation.keeper_pid, signal.SIGKILL)
    wait_until(lambda: not one_server.processes(), what="the end of the server, and of all others")


def test_a_server_that_was_stopped_goes_on_when_it_is_to_end(one_server: SharedServer) -> None:
    old, kept = one_server.ensure(), []
    os.kill(old.pid, signal.SIGSTOP)
    kept.append(Lease(old))
    assert retire(old)
    wait_until(lambda: is_gone(old.pid), what="the end of a server that was stopped")
    new = one_server.ensure()
    os.kill(new.pid, signal.SIGSTOP)
    os.kill(new.keeper_pid, signal.SIGKILL)
    wait_until(lambda: is_gone(new.pid), what="the end of another, whose keeper was killed")


def test_a_directory_that_is_deleted_while_a_server_drains_costs_neither_its_turn_nor_the_next_server(
    server: SharedServer,
) -> None:
    old, gate = gated_turn(server)
    turn = server.start_turn(old)
    gate.wait_until_reached()
    assert retire(old)
    wait_until(lambda: is_draining(old.socket_path, 5.0), what="the drain")
    shutil.rmtree(server.directory)
    new = server.ensure()
    assert not turn.done()
    gate.open()
    turn.result()
    assert server.is_in_a_session(WHOLE)
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the old generation")
    assert server.find() == new
    assert server.start_turn(new).result() == "completed"
