"""A new turn takes a free slot at once; where slots are scarce they are taken in the order of ids, whatever dies."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from codex_server_cli.disk import lock
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.worker.launch import Launch
from codex_server_cli.worker.leases import Leases
from tests.kit.support import DEADLINE_S, wait_until

AT_ONCE = 16
SEED = 20261129
TURNS = 12
MAX_RUNNING = 2
CODEX = "#!/bin/sh\nwhile read -r line; do :; done\n"
"""Says nothing, and ends at the end of its input."""
RUN_TURNS = f"""
import os, pathlib, sys
from codex_server_cli.disk.queue import queue
from codex_server_cli.worker.leases import Leases
from codex_server_cli.worker.queued_turn import QueuedTurn

turns_path = pathlib.Path(sys.argv[1])
log_fd = os.open(turns_path.parent / "log", os.O_WRONLY | os.O_APPEND)
sys.stderr = open(os.devnull, "w")
for _ in range({TURNS}):
    with queue.in_order(queue.folder_of(turns_path)) as order:
        ticket = order.take_ticket()
        path = turns_path / ticket.turn_id
        (path / "inbox").mkdir(parents=True)
        os.mkfifo(path / "wake")
        leases = Leases(turns_path, ticket, None)
        leases.try_slot({MAX_RUNNING}, None)
        if leases.slot is not None:
            os.write(log_fd, f"{{ticket.turn_id}}\\n".encode())
    if leases.slot is None:
        turn = QueuedTurn(path, ticket, {MAX_RUNNING}, None)
        turn.listen()
        leases.slot = turn.wait()
        os.write(log_fd, f"{{ticket.turn_id}}\\n".encode())
        leases.leave_queue()
    leases.release()
"""
"""Turns one after the other, as a worker and the process that waits take their slots; each slot is logged."""


@pytest.fixture
def turns_path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "turns"
    path.mkdir(parents=True)
    return path


def new_turn(turns_path: Path) -> Leases:
    """A turn that is just being created."""
    with queue.in_order(queue.folder_of(turns_path)) as order:
        return Leases(turns_path, order.take_ticket(), None)


def try_slot(turns_path: Path, leases: Leases, max_running: int = 1, parent: str | None = None) -> bool:
    leases.try_slot(max_running, parent)
    return leases.slot is not None


def tickets(turns_path: Path) -> list[str]:
    return [path.name for path in queue.folder_of(turns_path).iterdir() if path.name[:1].isdigit()]


def test_with_free_slots_no_turn_of_many_at_once_is_queued_or_starts_a_second_interpreter(
    turns_path: Path, tmp_path: Path
) -> None:
    codex = tmp_path / "codex"
    codex.write_text(CODEX)
    codex.chmod(0o755)
    launches = [Launch() for _ in range(AT_ONCE)]
    for launch in launches:
        launch.spawn()

    def hand_over(launch: Launch) -> TurnDir:
        meta = {"version": 1, "codex": str(codex), "request": {"cwd": str(tmp_path)}, "thread_id": None}
        return TurnDir(turns_path / launch.hand_over(turns_path, "hi", meta, AT_ONCE)[0])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        turns = list(pool.map(hand_over, launches))
    wait_until(lambda: all(turn.events.stat().st_size for turn in turns), what="the start of every codex")
    assert tickets(turns_path) == []
    commands = [" ".join(psutil.Process(launch._pid).cmdline()) for launch in launches]
    assert all("worker.main" in command for command in commands)
    for turn in turns:
        inbox.post(turn, "cancel")
    for turn, launch in zip(turns, launches, strict=True):
        assert lock.wait_until_free(turn.lock, DEADLINE_S)
        launch.reap()
    phases = [entry.get("phase") for _, entry in journal.read(turns_path.parent)]
    assert phases.count("starting") == AT_ONCE
    assert "queued" not in phases


def test_a_turn_that_has_a_slot_at_once_leaves_no_ticket(turns_path: Path) -> None:
    first, second = new_turn(turns_path), new_turn(turns_path)
    assert try_slot(turns_path, first, max_running=2)
    assert try_slot(turns_path, second, max_running=2)
    assert (first.ticket, second.ticket, tickets(turns_path)) == (None, None, [])
    first.release()
    second.release()


def test_a_free_slot_belongs_to_the_turn_that_waits_and_not_to_a_new_one(turns_path: Path) -> None:
    running, waiting = new_turn(turns_path), new_turn(turns_path)
    assert try_slot(turns_path, running)
    assert not try_slot(turns_path, waiting)
    running.release()
    new = new_turn(turns_path)
    assert not try_slot(turns_path, new)
    assert try_slot(turns_path, waiting)
    waiting.release()
    assert try_slot(turns_path, new)
    new.release()


def test_a_turn_that_died_in_the_queue_keeps_no_new_one_from_a_free_slot(turns_path: Path) -> None:
    running, dead = new_turn(turns_path), new_turn(turns_path)
    assert try_slot(turns_path, running)
    assert not try_slot(turns_path, dead)
    assert dead.ticket is not None
    os.close(dead.ticket.fd)
    running.release()
    new = new_turn(turns_path)
    assert try_slot(turns_path, new)
    assert tickets(turns_path) == []
    new.release()


def test_a_turn_below_another_passes_those_that_wait_and_opens_no_gap_between_them(turns_path: Path) -> None:
    parent, waiting, child = (new_turn(turns_path) for _ in range(3))
    assert parent.ticket is not None
    parent_id = parent.ticket.turn_id
    assert try_slot(turns_path, parent)
    assert not try_slot(turns_path, waiting)
    assert try_slot(turns_path, child, parent=parent_id)
    last = new_turn(turns_path)
    parent.release()
    assert not try_slot(turns_path, last)
    assert try_slot(turns_path, waiting)
    for leases in (waiting, child):
        leases.release()
    assert try_slot(turns_path, last)
    last.release()


def test_a_queue_without_a_slot_that_can_be_had_leaves_the_turn_queued(turns_path: Path) -> None:
    (queue.folder_of(turns_path) / "slot-0").mkdir(parents=True)
    leases = new_turn(turns_path)
    assert not try_slot(turns_path, leases)
    assert leases.ticket is not None
    leases.leave_queue()


def test_slots_are_taken_in_the_order_of_ids_whatever_is_killed(turns_path: Path) -> None:
    dice = random.Random(SEED)
    command = [sys.executable, "-c", RUN_TURNS, str(turns_path)]
    log = turns_path.parent / "log"
    log.touch()
    full = [new_turn(turns_path) for _ in range(MAX_RUNNING)]
    assert all(try_slot(turns_path, leases, MAX_RUNNING) for leases in full)
    survivors = [subprocess.Popen(command) for _ in range(3)]
    wait_until(lambda: len(tickets(turns_path)) == len(survivors), what="a line")
    for leases in full:
        leases.release()
    for _ in range(4):
        n_before = len(log.read_text().splitlines())
        victim = subprocess.Popen(command)
        n_enough = n_before + dice.randrange(1, 12)  # no moment is safe
        wait_until(
            lambda: len(log.read_text().splitlines()) >= n_enough or victim.poll() is not None,  # noqa: B023
            what="turns of all, or the end of the victim",
        )
        victim.kill()
        victim.wait()
    assert [survivor.wait(DEADLINE_S) for survivor in survivors] == [0, 0, 0]
    ids = log.read_text().splitlines()
    assert ids == sorted(ids)
    assert len(ids) >= len(survivors) * TURNS
    last = new_turn(turns_path)
    assert try_slot(turns_path, last, MAX_RUNNING)
    last.release()
    queue.sweep_tickets(queue.folder_of(turns_path))
    assert tickets(turns_path) == []
