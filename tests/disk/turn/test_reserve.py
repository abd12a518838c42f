"""Space reserved for the end of a turn: there while it runs, gone after it, whichever process publishes the end."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from codex_server_cli.disk import files
from codex_server_cli.disk.turn import repair, reserve
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.writer import TurnWriter
from tests.kit.turns_on_disk import TurnsOnDisk


def test_what_is_set_aside_takes_space_and_is_given_back(tmp_path: Path) -> None:
    turn = TurnDir(tmp_path)
    reserve.set_aside(turn)
    assert (turn.path / reserve.NAME).stat().st_blocks * 512 >= reserve.SIZE_BYTES
    reserve.release(turn)
    reserve.release(turn)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_so_much_space_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_all(fd: int, data: bytes) -> None:
        os.write(fd, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_all", write_all)
    reserve.set_aside(TurnDir(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_gone_is_no_matter(tmp_path: Path) -> None:
    reserve.set_aside(TurnDir(tmp_path / "gone"))
    reserve.release(TurnDir(tmp_path / "gone"))


def test_a_repairer_restores_what_a_dead_worker_had_set_aside(tmp_path: Path) -> None:
    with TurnsOnDisk(tmp_path / "turns") as turns:
        turn = turns.running()
        TurnWriter(turn, turns.lock_fd(turn.turn_id)).close()
        assert (turn.path / reserve.NAME).exists()
        turns.drop_lock(turn.turn_id)
        repair.repair(turn, lambda _: None)
    assert turn.error.exists()
    assert not (turn.path / reserve.NAME).exists()
