"""Turns on the shared app-server while it is outdated, stopped, killed; and what they leave behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from codex_server_cli.codex.server.look import count_clients, leftovers_of
from codex_server_cli.codex.server.shared import Lease, retire
from codex_server_cli.codex.server.state import Generation, generations_in
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.kit.home import sleepers
from tests.kit.shared_server import SharedServer, is_gone
from tests.kit.support import wait_until

WHOLE = "The first half, and the second."


def gated_turn(server: SharedServer, generation: Generation | None = None) -> tuple[Generation, Gate]:
    """A generation, and the gate that a turn there waits for in the middle of its answer."""
    gate = Gate()
    server.model([say("The first half, ", hold(gate), "and the second."), say("Another turn.")])
    return generation or server.ensure(), gate


def nap(server: SharedServer) -> str:
    """A sleep that no other test has."""
    return f"sleep 300.{abs(hash(server.home)) % 10**9}"


def detached(server: SharedServer) -> str:
    """A command that leaves a process which neither its group nor its environment tells of.

    It ends a little later: before it has a group of its own, what is left would be ended with the command's.
    """
    return f"env -i setsid {nap(server)} >/dev/null 2>&1 & sleep 0.5"


@pytest.mark.measured
def test_an_outdated_generation_runs_its_turn_to_the_end_while_the_next_one_takes_new_ones(
    server: SharedServer,
) -> None:
    old, gate = gated_turn(server)
    turn = server.start_turn(old)
    gate.wait_until_reached()
    new = server.replace()
    assert new.number == 2
    assert retire(old)  # a second word does not end the turn
    assert server.start_turn(new).result() == "completed"
    assert not turn.done()
    assert [each.number for each in generations_in(str(server.directory))] == [2, 1]
    gate.open()
    turn.result()
    assert server.is_in_a_session(WHOLE)
    wait_until(lambda: is_gone(old.pid) and is_gone(old.keeper_pid), what="the end of the old generation")
    assert generations_in(str(server.directory)) == [new]
    assert not Path(old.socket_path).is_symlink()


def test_who_is_there_when_a_generation_is_outdated_may_still_begin_a_turn(one_server: SharedServer) -> None:
    one_server.model([say(WHOLE)])
    generation = one_server.ensure()
    lease = Lease(generation)
    assert retire(generation)
    wait_until(lambda: one_server.find() is None, what="the record of an outdated generation to be withdrawn")
    assert one_server.start_turn(generation).result() == "completed"
    lease.release()
    wait_until(lambda: is_gone(generation.pid), what="its end")


def test_at_once_means_its_turns_too(one_server: SharedServer) -> None:
    generation, gate = gated_turn(one_server)
    turn = one_server.start_turn(generation)
    gate.wait_until_reached()
    assert retire(generation, at_once=True)
    assert "does not answer" in turn.result()
    gate.open()
    wait_until(lambda: not one_server.processes(), what="its end")


def test_a_turn_outlives_the_keeper(server: SharedServer) -> None:
    generation, gate = gated_turn(server)
    turn = server.start_turn(generation)
    gate.wait_until_reached()
    os.kill(generation.keeper_pid, signal.SIGKILL)
    wait_until(lambda: is_gone(generation.keeper_pid), what="the end of the keeper")
    new = server.ensure()
    assert new.number == 2
    assert not is_gone(generation.pid)
    assert [each.number for each in generations_in(str(server.directory))] == [2, 1]
    gate.open()
    turn.result()
    assert server.is_in_a_session(WHOLE)
    wait_until(lambda: is_gone(generation.pid), what="the end of the server without a keeper")


def test_a_killed_keeper_leaves_nothing_that_its_turns_detached(server: SharedServer) -> None:
    gate = Gate()
    server.model([reply(run_command(detached(server))), reply(say("a", hold(gate), "b"))])
    generation = server.ensure()
    turn = server.start_turn(generation)
    gate.wait_until_reached()
    wait_until(lambda: leftovers_of(generation), what="what the turn left")
    os.kill(generation.keeper_pid, signal.SIGKILL)
    wait_until(lambda: is_gone(generation.keeper_pid), what="the end of the keeper")
    assert server.ensure().number == 2
    assert sleepers(nap(server))  # its turn runs on
    gate.open()
    turn.result()
    wait_until(lambda: not sleepers(nap(server)), what="the end of what the turn left")
    wait_until(lambda: not Path(generation.clients_path).exists(), what="the end of the process above the keeper")


@pytest.mark.measured
def test_what_a_turn_detached_is_ended_once_no_client_is_there(server: SharedServer) -> None:
    server.model([reply(run_command(detached(server))), say("Done.")])
    generation = server.ensure()
    lease = Lease(generation)
    assert count_clients(generation) == 1
    assert server.start_turn(generation).result() == "completed"
    (sleeper,) = wait_until(lambda: sleepers(nap(server)), what="what the turn left")
    wait_until(lambda: [left.pid for left in leftovers_of(generation)] == [sleeper.pid], what="its parent's end")
    assert leftovers_of(generation)[0].command == nap(server)
    lease.release()
    wait_until(lambda: not sleepers(nap(server)), what="the end of what the turn left")
    assert server.find() == generation
    wait_until(lambda: "had left running" in server.log, what="the keeper's word")


@pytest.mark.full
def test_what_a_turn_detached_lives_as_long_as_a_turn_of_any_client_is_active(one_server: SharedServer) -> None:
    gate = Gate()

    one_server.model([reply(run_command(detached(one_server))), reply(say("a", hold(gate), "b"))])
    generation = one_server.ensure()
    turn = one_server.start_turn(generation)  # it holds no lease
    gate.wait_until_reached()
    wait_until(lambda: leftovers_of(generation), what="what the turn left")
    (keeper,) = [each for each in one_server.processes() if each.pid == generation.keeper_pid]
    wait_until(lambda: len(keeper.children()) == 3, what="the keeper's question")
    wait_until(lambda: len(keeper.children()) == 2, what="the answer")
    assert sleepers(nap(one_server))
    gate.open()
    assert turn.result() == "completed"
    wait_until(lambda: not sleepers(nap(one_server)), what="the end of what the turn left")


@pytest.mark.full
def test_a_killed_server_leaves_nothing_that_its_turns_detached(one_server: SharedServer) -> None:
    one_server.model([reply(run_command(detached(one_server))), say("Done.")])
    generation = one_server.ensure()
    with_lease = Lease(generation)
    assert one_server.start_turn(generation).result() == "completed"
    wait_until(lambda: leftovers_of(generation), what="what the turn left")
    os.kill(generation.pid, signal.SIGKILL)
    wait_until(lambda: not sleepers(nap(one_server)), what="the end of what the turn left")
    with_lease.release()
    assert one_server.ensure().number == 2
