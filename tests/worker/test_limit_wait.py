"""A turn that waits for the usage limit: the clock decides, and a failed query keeps no turn from running."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.queue.queue import Slot
from codex_server_cli.worker import limit_wait
from codex_server_cli.worker.queued_turn import QueuedTurn


class ClockWorld:
    """A clock that only waiting moves, one slot, and a queue in which the turn is always the next."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 1000.0
        self.stop_cause: Cause | None = None
        self.calls: list[str] = []
        self.rests: list[float] = []
        self.stops_at_s: float | None = None
        self._folder = folder

    def time(self) -> float:
        return self.now_s

    def wait(self) -> Slot | None:
        self.calls.append("wait")
        return queue.take_slot(self._folder, "20261120-165501-482-7f3a", 1) if self.stop_cause is None else None

    def leave_queue(self) -> None:
        self.calls.append("leave")

    def enqueue(self) -> None:
        self.calls.append("stand")

    def rest(self, timeout_s: float, fd: int | None = None) -> bool:
        if fd is not None:
            if self.stops_at_s is not None:
                self.stop_cause = Cause.CANCELLED
            return bool(select.select([fd], [], [], timeout_s if self.stop_cause is None else 0)[0])
        self.rests.append(timeout_s)
        self.now_s += timeout_s
        if self.stops_at_s is not None and self.now_s >= self.stops_at_s:
            self.stop_cause = Cause.CANCELLED
        return False


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClockWorld:
    world = ClockWorld(tmp_path / "queue")
    clock = SimpleNamespace(time=world.time, monotonic=time.monotonic, gmtime=time.gmtime, strftime=time.strftime)
    monkeypatch.setattr("codex_server_cli.worker.limit_wait.time", clock)
    monkeypatch.setattr(limit_wait, "say", world.calls.append)
    return world


def wait(world: ClockWorld, tmp_path: Path, held_until_s: float) -> Slot | None:
    return limit_wait.wait_for_reset(cast("QueuedTurn", world), tmp_path / "turns" / "turn", held_until_s)


def answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *lines: str) -> None:
    """Let queries for the limit return these, one each time, and then nothing."""
    for number, line in enumerate(lines):
        (tmp_path / f"answer-{number}").write_text(line)
    code = (
        "import os, pathlib, sys\n"
        f"path = next(iter(sorted(pathlib.Path({str(tmp_path)!r}).glob('answer-*'))), None)\n"
        "if path is None: sys.exit(1)\n"
        "print(path.read_text()); path.unlink()"
    )
    monkeypatch.setattr(limit_wait, "_CODE", code)


def test_where_no_limit_holds_the_first_slot_is_it(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, tmp_path, "0.0")
    slot = wait(world, tmp_path, 0.0)
    assert slot is not None
    assert (world.calls, world.rests) == (["wait", "leave"], [])
    slot.release()


def test_a_limit_is_waited_out_of_the_queue_by_a_clock_that_is_looked_at_often(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, tmp_path, "1025.0", "0.0")
    slot = wait(world, tmp_path, 0.0)
    assert slot is not None
    assert [call for call in world.calls if " " not in call] == ["wait", "leave", "stand", "wait", "leave"]
    assert world.rests[:2] == [10.0, 10.0]
    assert 5.0 <= world.rests[2] <= 5.0 + limit_wait.SPREAD_S
    slot.release()


def test_a_clock_that_is_set_forward_ends_the_wait(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, tmp_path, "0.0")

    def leap(timeout_s: float, fd: int | None = None) -> bool:
        world.rests.append(timeout_s)
        world.now_s += 100_000
        return False if fd is None else bool(select.select([fd], [], [], timeout_s)[0])

    monkeypatch.setattr(world, "rest", leap)
    slot = wait(world, tmp_path, 90_000.0)
    assert slot is not None
    assert world.rests[0] == 10.0
    slot.release()


def test_who_is_stopped_while_held_comes_back_without_a_slot(world: ClockWorld, tmp_path: Path) -> None:
    world.stops_at_s = 1060.0
    assert wait(world, tmp_path, 5000.0) is None
    assert "stand" not in world.calls


def test_who_is_stopped_while_asking_asks_no_more(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_wait, "_CODE", "import signal; signal.pause()")
    world.stops_at_s = 0.0
    slot = wait(world, tmp_path, 0.0)
    assert (slot is not None, world.stop_cause) == (True, Cause.CANCELLED)
    cast("Slot", slot).release()


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('what?')", "import os; os.close(1)"])
def test_a_probe_that_fails_delays_no_turn(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(limit_wait, "_CODE", code)
    slot = wait(world, tmp_path, 0.0)
    assert slot is not None
    slot.release()


def test_a_probe_that_never_ends_delays_no_turn_for_long(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_wait, "_CODE", "import signal; signal.pause()")
    monkeypatch.setattr(limit_wait, "ASK_TIMEOUT_S", 0.2)
    slot = wait(world, tmp_path, 0.0)
    assert slot is not None
    slot.release()


def test_a_machine_without_room_for_a_probe_delays_no_turn(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", refuse)
    slot = wait(world, tmp_path, 0.0)
    assert slot is not None
    assert any("cannot ask" in call for call in world.calls)
    slot.release()


def test_a_slot_in_which_nothing_ran_still_names_whom_the_next_one_has_to_end(
    world: ClockWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = queue.take_slot(tmp_path / "queue", "20261120-165501-482-0000", 1)
    assert dead is not None
    os.close(dead.fd)
    answers(monkeypatch, tmp_path, "1150.0", "0.0")
    slot = wait(world, tmp_path, 0.0)
    assert slot is not None
    assert slot.left_by == "20261120-165501-482-0000"
    slot.release()
