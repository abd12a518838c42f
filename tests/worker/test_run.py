"""A turn in the worker whose record has changed, or that meets a defect. The rest is run for real: `tests/e2e`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from codex_server_cli.codex.transport import early
from codex_server_cli.core.model.turn import Marker, State
from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.turn import repair
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.disk.turn.writer import LockLostError
from codex_server_cli.worker import run
from codex_server_cli.worker.cleanup.sweep import is_alive
from codex_server_cli.worker.leases import Leases
from codex_server_cli.worker.run import run_turn
from tests.fakes import codex as fake
from tests.kit.turns_on_disk import TurnsOnDisk


def test_a_turn_that_was_deleted_in_the_queue_leaves_it_and_is_told_as_cancelled(tmp_path: Path) -> None:
    turns_path = tmp_path / "home" / "turns"
    turns_path.mkdir(parents=True)
    with queue.in_order(queue.folder_of(turns_path)) as order:
        ticket = order.take_ticket()
    leases = Leases(turns_path, ticket, None)
    leases.slot = queue.take_slot(queue.folder_of(turns_path), ticket.turn_id, 1)
    run_turn(TurnDir(turns_path / ticket.turn_id), -1, leases, stop_cause=Cause.CANCELLED)
    entries = [(entry["turn_id"], entry["event"], entry["state"]) for _, entry in journal.read(tmp_path / "home")]
    assert entries == [(ticket.turn_id, "end", "cancelled")]
    assert leases.slot is None
    assert not (queue.folder_of(turns_path) / ticket.turn_id).exists()
    assert list(turns_path.iterdir()) == []


@pytest.mark.parametrize(
    ("request_", "kind"),
    [({"images": [1]}, "internal"), ({"sandbox": "wider"}, "internal"), ({"cwd": None}, "cancelled")],
)
def test_a_turn_whose_record_was_edited_in_the_queue_still_comes_to_its_end(
    tmp_path: Path, request_: dict[str, Any], kind: str
) -> None:
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        turn = turns.running(request={"cwd": "/", **request_})
        run_turn(turn, turns.lock_fd(turn.turn_id), Leases(turns.path, None, None), stop_cause=Cause.CANCELLED)
        assert (read_json(turn.error) or {})["kind"] == kind
        assert not (turn.path / ".reserve").exists()


def test_a_defect_that_the_replay_meets_too_ends_the_turn_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError("odd")

    monkeypatch.setattr(run, "_drive", fail)
    monkeypatch.setattr(repair, "replay", fail)
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        turn = turns.running(request={"cwd": "/"})
        run_turn(turn, turns.lock_fd(turn.turn_id), Leases(turns.path, None, None))
        error = read_json(turn.error) or {}
        assert (error["kind"], error["message"]) == ("internal", "RuntimeError: odd")


def test_a_turn_whose_lock_was_deleted_in_the_queue_is_not_begun(tmp_path: Path) -> None:
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        turn = turns.running(request={"cwd": "/"})
        turn.lock.unlink()
        before = sorted(turn.path.iterdir())
        run_turn(turn, turns.lock_fd(turn.turn_id), Leases(turns.path, None, None))
        assert sorted(turn.path.iterdir()) == before
    assert list(journal.read(tmp_path / "home")) == []


def test_a_codex_that_was_begun_for_a_turn_that_is_not_is_ended(tmp_path: Path) -> None:
    binary = fake.write(tmp_path / "codex")
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        turn = turns.running(request={"cwd": "/"})
        early.begin(binary, "/", may_bill_api_key=False, turn_id=turn.turn_id, on_stderr=None)
        turn.lock.unlink()
        run_turn(turn, turns.lock_fd(turn.turn_id), Leases(turns.path, None, None))
    codex = early.take()
    assert codex is not None
    assert not is_alive(psutil.Process(codex.pid))
    codex.end()
    codex.close()


def test_an_end_is_not_published_over_that_of_a_repairer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_the_lock(turn: TurnDir, *_: object) -> NoReturn:
        turn.lock.unlink()
        assert TurnReader(lambda _: None).view(turn).state is State.ABANDONED
        raise RuntimeError("too late")

    monkeypatch.setattr(run, "_drive", lose_the_lock)
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        turn = turns.running(request={"cwd": "/"})
        run_turn(turn, turns.lock_fd(turn.turn_id), Leases(turns.path, None, None))
        assert (turn.marker, (read_json(turn.error) or {})["kind"]) == (Marker.ERROR, "worker_died")
    assert [entry.get("state") for _, entry in journal.read(tmp_path / "home")] == [None, "abandoned"]


def test_a_turn_that_is_deleted_file_by_file_is_told_as_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete_during_the_check(turn: TurnDir, *_: object) -> NoReturn:
        shutil.rmtree(turn.path)
        raise LockLostError

    monkeypatch.setattr(run, "_drive", delete_during_the_check)
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        turn = turns.running(request={"cwd": "/"})
        run_turn(turn, turns.lock_fd(turn.turn_id), Leases(turns.path, None, None))
    assert not turn.path.exists()
    assert [entry.get("state") for _, entry in journal.read(tmp_path / "home")] == [None, "cancelled"]
