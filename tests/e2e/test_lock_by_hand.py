"""A lock file that somebody deletes, as one that looked stale, or replaces: the turn goes on, and its end is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_server_cli.disk import lock
from tests.e2e.home import FIRST_HALF, SECOND_HALF, Home
from tests.story import is_alive
from tests.support import DEADLINE_S, wait_until

REPLACED: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: None,
    "a FIFO": lambda path: os.mkfifo(path),
}


@pytest.mark.parametrize("how", REPLACED)
def test_a_turn_whose_lock_was_taken_away_goes_on_and_has_it_back_soon(one_home: Home, how: str) -> None:
    turn, gate = one_home.start_held()
    path = turn.path / "lock"
    path.unlink()
    REPLACED[how](path)
    assert turn.status()["state"] == "running"
    waiter = one_home.spawn("wait", turn.id, "--print", "answer")
    wait_until(lambda: lock.is_held(path), what="the lock in the worker's hands again")
    gate.open()
    stdout, stderr = waiter.communicate(timeout=DEADLINE_S)
    assert (waiter.returncode, stdout) == (0, f"{FIRST_HALF}{SECOND_HALF}\n"), stderr
    assert not list(turn.path.glob(".*"))


def test_where_the_lock_cannot_be_taken_back_the_worker_is_known_by_its_pid(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    path = turn.path / "lock"
    path.unlink()
    path.mkdir()
    assert turn.status()["state"] == "running"
    assert one_home.run("wait", turn.id, "--timeout", "0.3").code == 124
    gate.open()
    assert turn.wait()["answer"] == f"{FIRST_HALF}{SECOND_HALF}"


def test_a_worker_that_dies_without_its_lock_is_found_dead(one_home: Home) -> None:
    turn, _ = one_home.start_held()
    path = turn.path / "lock"
    path.unlink()
    path.mkdir()
    worker = turn.worker()
    worker.kill()
    wait_until(lambda: not is_alive(worker), what="the death of the worker")
    status = turn.status()
    assert (status["state"], status["error"]["kind"]) == ("abandoned", "worker_died")
