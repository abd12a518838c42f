"""Signals and kills that our shared server gets from elsewhere, and one that does not start: no turn pays for it."""

from __future__ import annotations

import os
import shutil
import signal

import psutil
import pytest

from codex_server_cli.codex.server.draining import is_draining
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from tests.e2e.test_continuing import echo, ended
from tests.e2e.transports.test_fault_server import (
    ESCAPING,
    FULL_ACCESS,
    assert_completes,
    keeper_of,
    server_of,
    start_held,
)
from tests.kit.home import Turn, sleepers, start_sleeping
from tests.kit.places import TransportHome
from tests.kit.processes import is_running
from tests.kit.support import wait_until

WAITING = 3


def wait_for_drain(turn: Turn) -> None:
    """Wait until the server of a turn takes no more."""
    wait_until(lambda: is_draining(server_of(turn)["path"], 5.0), what="the drain")


def test_a_server_that_somebody_tells_to_end_completes_its_turn_and_a_new_one_has_the_next(
    shared_place: TransportHome,
) -> None:
    (turn,), gate = start_held(shared_place)
    server = server_of(turn)
    os.kill(server["pid"], signal.SIGTERM)
    wait_for_drain(turn)
    (row,) = shared_place.run("server", "status", "--json").json["servers"]
    assert row["state"] == "draining"
    new = ended(shared_place, "new", "one")
    assert_completes(new, "re: one")
    assert server_of(new)["generation"] > server["generation"]
    assert shared_place.run("server", "restart").code == 0
    assert not turn.is_ended
    gate.open()
    assert_completes(turn)
    wait_until(lambda: not is_running(server["pid"]), what="the end of the old server")


@pytest.mark.full
def test_a_keeper_that_is_killed_while_its_server_drains_costs_no_turn(shared_place: TransportHome) -> None:
    (turn,), gate = start_held(shared_place)
    server, keeper = server_of(turn), keeper_of(turn)
    assert shared_place.run("server", "restart").code == 0
    wait_for_drain(turn)
    keeper.kill()
    wait_until(lambda: not is_running(keeper.pid), what="its end")
    assert_completes(ended(shared_place, "new", "one"), "re: one")
    assert not turn.is_ended
    gate.open()
    assert_completes(turn)
    wait_until(lambda: not is_running(server["pid"]), what="the end of the old server")


@pytest.mark.full
@pytest.mark.parametrize("what_comes", [("new", "one", "--wait"), ("server", "stop")], ids=["a turn", "a stop"])
def test_all_that_keeps_a_server_is_killed_with_it_and_nothing_stays(
    shared_place: TransportHome, what_comes: tuple[str, ...]
) -> None:
    turn, sleep = start_sleeping(shared_place, ESCAPING, *FULL_ACCESS)
    wait_until(lambda: len(sleepers(sleep)) == 3, what="all three")
    keeper = keeper_of(turn)
    killed = [psutil.Process(server_of(turn)["pid"]), keeper, psutil.Process(keeper.ppid())]
    for process in killed:
        process.suspend()
    for process in killed:
        process.kill()
    done = turn.wait()
    assert (done["state"], done["error"]["kind"]) == ("failed", "codex_crashed")
    shared_place.model(echo)
    assert shared_place.run(*what_comes).code == 0
    assert sleepers(sleep) == []


def start_waiting(place: TransportHome) -> list[Turn]:
    """Turns whose server never accepts, and for which they wait now."""
    codex = place.root / "hanging" / "codex"
    codex.parent.mkdir()
    codex.write_text(f'#!/bin/sh\ncase "$*" in *--listen*) exec sleep 3600;; esac\nexec {place.codex} "$@"\n')
    codex.chmod(0o755)
    place.configure(codex=str(codex))
    turns = [place.start("new", f"prompt {number}") for number in range(WAITING)]
    wait_until(lambda: place.processes("sleep", "3600"), what="a start")
    return turns


@pytest.mark.parametrize("way", ["cancel", "signal"])
@pytest.mark.full
def test_turns_that_wait_for_a_server_end_when_they_are_told_to(shared_place: TransportHome, way: str) -> None:
    turns = start_waiting(shared_place)
    for turn in turns:
        if way == "cancel":
            inbox.post(TurnDir(turn.path), "cancel")  # the command itself would kill the worker after a while
        else:
            os.kill(turn.meta["pid"], signal.SIGTERM)
    for turn in turns:
        wait_until(lambda turn=turn: turn.is_ended, what="its end")  # type: ignore[misc]
    (keeper,) = {each.ppid() for each in shared_place.processes("sleep", "3600")}
    assert is_running(keeper), "they did not wait for the server"
    states = {(turn.result["state"], turn.result["error"]["kind"]) for turn in turns}
    assert states == ({("cancelled", "cancelled")} if way == "cancel" else {("abandoned", "worker_died")})
    os.kill(keeper, signal.SIGINT)


def test_a_deleted_turn_that_waits_for_a_server_is_over(shared_place: TransportHome) -> None:
    turns = start_waiting(shared_place)
    pids = [turn.meta["pid"] for turn in turns]
    for turn in turns:
        shutil.rmtree(turn.path)
    wait_until(lambda: not any(map(is_running, pids)), what="the end of their workers")
    (keeper,) = {each.ppid() for each in shared_place.processes("sleep", "3600")}
    os.kill(keeper, signal.SIGINT)
