"""The journal's files: private, never a link's target, cheap, and harmless where they cannot be written."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from codex_server_cli.disk import lock
from codex_server_cli.disk.journal import journal
from tests.disk.conftest import FullDisk

TURN = "20261120-165501-482-7f3a"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def entry(number: int) -> journal.Entry:
    return {"turn_id": TURN, "event": "phase", "number": number}


def fill(home: Path, count: int) -> None:
    for number in range(count):
        journal.append(home, entry(number))


def numbers(home: Path, after: int = 0) -> list[object]:
    return [found["number"] for _, found in journal.read(home, after)]


def segments(home: Path) -> list[Path]:
    return sorted(journal.folder_of(home).glob("*.jsonl"))


def test_files_are_private_and_no_link_is_followed(home: Path, tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        fill(home, 1)
    finally:
        os.umask(previous)
    folder = journal.folder_of(home)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    segment = segments(home)[0]
    segment.rename(tmp_path / "elsewhere.jsonl")
    segment.symlink_to(tmp_path / "elsewhere.jsonl")
    with pytest.raises(OSError, match="symbolic"):
        journal.append(home, entry(1))
    assert list(journal.read(home)) == []


def test_a_journal_that_is_a_link_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    journal.folder_of(home).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        journal.append(home, entry(0))
    with pytest.raises(NotADirectoryError):
        journal.prepare(home)
    assert list(journal.read(home)) == []
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_home_that_was_deleted_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        journal.append(tmp_path / "gone", entry(0))
    assert not (tmp_path / "gone").exists()


def test_a_home_that_is_deleted_at_that_very_moment_is_not_either(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def make_late(path: Path, mode: int = 0o777) -> None:
        if path != home and home.exists():
            home.rmdir()
            monkeypatch.undo()  # once
        make(path, mode)

    monkeypatch.setattr(Path, "mkdir", make_late)
    with pytest.raises(FileNotFoundError):
        journal.append(home, entry(0))
    assert not home.exists()


def test_a_full_disk_is_told_and_spoils_nothing(home: Path, full_disk: FullDisk) -> None:
    fill(home, 1)
    with full_disk(), pytest.raises(OSError, match="large"):
        journal.append(home, entry(1))
    journal.append(home, entry(2))
    assert numbers(home) == [0, 2]


def test_a_lock_that_somebody_keeps_is_waited_for_no_longer_than_told(home: Path) -> None:
    fill(home, 1)
    fd = lock.try_lock(journal.folder_of(home) / "lock")
    assert fd is not None
    started = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            journal.append(home, entry(1), 0.1)
        assert 0.1 <= time.monotonic() - started < journal.LOCK_TIMEOUT_S
        assert numbers(home) == [0]
    finally:
        os.close(fd)
    journal.append(home, entry(1))
    assert numbers(home) == [0, 1]


def test_a_line_costs_next_to_nothing(home: Path) -> None:
    fill(home, 5)
    started = time.process_time()
    fill(home, 1000)
    assert time.process_time() - started < 1  # 0.04 on a quiet machine, where nothing is measured
