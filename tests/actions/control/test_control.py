"""Cancelling: first by request, then by SIGKILL, and never the wrong process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.actions.control import control
from codex_server_cli.core.model.turn import State
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.process import process_identity
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind, HomeError
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import ANSWER, CUT_TURN, TurnsOnDisk

HOLD = """
import os, pathlib, signal, sys
from codex_server_cli.disk import lock
print(lock.try_lock(pathlib.Path(sys.argv[1])) is not None, flush=True)
signal.pause()
"""


@pytest.fixture
def unresponsive(turns: TurnsOnDisk) -> Iterator[tuple[TurnDir, subprocess.Popen[bytes]]]:
    """A turn whose worker holds the lock and ignores its inbox, and that worker."""
    turn = turns.dead(CUT_TURN)
    worker = subprocess.Popen([sys.executable, "-c", HOLD, str(turn.lock)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"True\n"
    yield turn, worker
    worker.kill()
    worker.communicate()


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "CANCEL_TIMEOUT_S", 0.2)


def name_worker(turn: TurnDir, pid: int, identity: tuple[int | None, str | None]) -> None:
    ticks, boot_id = identity
    meta = read_json(turn.meta) or {}
    write_json(turn.meta, meta | {"pid": pid, "pid_start_ticks": ticks, "boot_id": boot_id})


def test_an_ended_turn_is_left_as_it_is(turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    assert control.cancel([turn])[0].state is State.COMPLETE
    assert list(turn.inbox.iterdir()) == []


def test_a_dead_worker_needs_no_cancel(turns: TurnsOnDisk) -> None:
    turn = turns.dead()
    assert control.cancel([turn])[0].state is State.ABANDONED
    assert list(turn.inbox.iterdir()) == []


def test_a_worker_that_does_not_listen_is_killed_and_the_turn_is_cancelled(
    unresponsive: tuple[TurnDir, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "CANCEL_TIMEOUT_S", 2.0)  # bounds the wait for its death, too
    turn, worker = unresponsive
    name_worker(turn, worker.pid, process_identity(worker.pid))
    view = control.cancel([turn])[0]
    assert (view.state, (view.error or {})["kind"], view.answer) == (State.CANCELLED, ErrorKind.CANCELLED, ANSWER)
    assert worker.wait(DEADLINE_S) == -9


@pytest.mark.parametrize("lie", ["other start", "other boot", "no proof"])
def test_a_process_that_only_has_the_pid_of_the_worker_is_never_killed(
    unresponsive: tuple[TurnDir, subprocess.Popen[bytes]], lie: str
) -> None:
    turn, worker = unresponsive
    ticks, boot_id = process_identity(worker.pid)
    identities: dict[str, tuple[int | None, str | None]] = {
        "other start": ((ticks or 0) + 1, boot_id),
        "other boot": (ticks, "another"),
        "no proof": (None, None),
    }
    name_worker(turn, worker.pid, identities[lie])
    assert control.cancel([turn])[0].state is State.RUNNING
    assert worker.poll() is None
    assert [request.op for request in inbox.unanswered(turn)] == ["cancel"]


def test_a_request_that_cannot_be_left_is_told(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.inbox.rmdir()
    with pytest.raises(HomeError, match=f"cannot write {turn.inbox}: No such file or directory"):
        control.cancel([turn])


def test_a_worker_that_listens_is_asked_once(turns: TurnsOnDisk, tmp_path: Path) -> None:
    turn = turns.running()
    fd = inbox.open_wake(turn)
    assert control.cancel([turn])[0].state is State.RUNNING  # this one only reads the byte
    assert os.read(fd, 10) == b"!"
    os.close(fd)
    assert [request.op for request in inbox.unanswered(turn)] == ["cancel"]
    assert lock.is_held(turn.lock)
