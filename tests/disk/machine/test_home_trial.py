"""What a home's file system can do: tried in it, and nothing of the trial stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from codex_server_cli.disk.machine import home_trial


def refusing(number: int) -> object:
    """An operation that the file system refuses with this error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return refuse


def test_a_disk_of_this_machine_has_locks_and_fifos(tmp_path: Path) -> None:
    assert home_trial.has_locks(tmp_path)
    assert home_trial.has_fifos(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert home_trial.free_bytes(tmp_path) > 0


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_that_refuses_to_lock_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr("fcntl.flock", refusing(number))
    assert not home_trial.has_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_where_a_lock_is_seen_by_its_holder_alone_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    assert not home_trial.has_locks(tmp_path)


def test_a_place_that_cannot_be_written_is_no_place_without_locks(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        home_trial.has_locks(tmp_path / "none")


def test_a_file_system_that_makes_no_fifo_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.mkfifo", refusing(errno.EPERM))
    assert not home_trial.has_fifos(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_whose_fifos_wake_no_reader_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_trial, "_WAKE_MS", 1)
    monkeypatch.setattr(home_trial, "send_byte", lambda _path: True)
    assert not home_trial.has_fifos(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_dead_trial_disturb_no_later_one(tmp_path: Path) -> None:
    (tmp_path / f".new-doctor-{os.getpid()}").touch()
    with pytest.raises(FileExistsError):
        home_trial.has_locks(tmp_path)
    assert home_trial.has_locks(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="no /proc on this machine")
def test_its_type_is_that_of_the_mount_below_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    assert home_trial.type_of(tmp_path / "link" / "self") == "proc"


def test_without_proc_its_type_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", refusing(errno.ENOENT))
    assert home_trial.type_of(tmp_path) is None
