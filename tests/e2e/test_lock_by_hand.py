"""A lock file that a user deletes as stale, or replaces: the turn is lost, and reported so, once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.home import FIRST_HALF, Home, Turn
from tests.kit.story import is_alive
from tests.kit.support import DEADLINE_S, wait_until

TAKEN: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: None,
    "another file": lambda path: path.touch(),
    "a FIFO": lambda path: os.mkfifo(path),
    "a directory": lambda path: path.mkdir(),
}


def take_lock_away(turn: Turn, how: str = "deleted") -> None:
    path = turn.path / "lock"
    path.unlink()
    TAKEN[how](path)


def files_of(turn: Turn) -> dict[str, bytes]:
    """The files of the turn's directory without the worker's own diagnostics."""
    paths = [path for path in turn.path.iterdir() if path.is_file() and path.name != "worker.log"]
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("how", TAKEN)
@pytest.mark.full
def test_a_worker_whose_lock_was_taken_away_ends_with_all_that_its_turn_runs(one_home: Home, how: str) -> None:
    turn, _ = one_home.start_held()
    worker = turn.worker()
    take_lock_away(turn, how)
    wait_until(lambda: not is_alive(worker), what="the end of the worker")
    assert one_home.left_running() == []
    assert "lock was deleted or replaced" in (turn.path / "worker.log").read_text()
    status = turn.status()
    assert (status["state"], status["error"]["kind"]) == ("abandoned", "worker_died")
    answer = one_home.call("answer", turn.id)
    assert (answer.code, answer.stdout) == (3, f"{FIRST_HALF}\n")


def test_a_worker_that_wakes_after_its_turn_was_repaired_writes_no_more(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    worker = turn.worker()
    worker.suspend()
    take_lock_away(turn)
    status = turn.status()  # the reader becomes the repairer: a free lock means a dead worker
    assert (status["state"], status["error"]["kind"]) == ("abandoned", "worker_died")
    before = files_of(turn)
    gate.open()
    worker.resume()
    wait_until(lambda: not is_alive(worker), what="the end of the worker")
    assert files_of(turn) == before
    assert turn.status()["state"] == "abandoned"
    assert one_home.left_running() == []


def test_a_waiting_command_says_that_the_lock_of_its_turn_is_gone(one_home: Home) -> None:
    turn, _ = one_home.start_held()
    waiter = one_home.spawn("wait", turn.id, "--print", "answer")
    take_lock_away(turn)
    stdout, stderr = waiter.communicate(timeout=DEADLINE_S)
    assert (waiter.returncode, stdout) == (3, f"{FIRST_HALF}\n"), stderr


def test_a_queued_turn_whose_lock_was_taken_away_never_starts_codex(one_home: Home) -> None:
    one_home.configure(max_running=1)
    first, gate = one_home.start_held()
    second = one_home.start("new", "hi")
    wait_until(lambda: second.status()["phase"] == "queued", what="phase queued")
    worker = second.worker()
    take_lock_away(second)
    assert second.status()["state"] == "abandoned"
    before = files_of(second)
    third = one_home.start("new", "hi")
    gate.open()
    assert [turn.wait()["state"] for turn in (first, third)] == ["complete", "complete"]
    wait_until(lambda: not is_alive(worker), what="the end of its worker")
    assert files_of(second) == before
    assert second.events == []
