"""The locks that keep two of our turns from writing one thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_server_cli.disk import lock
from codex_server_cli.disk.queue import queue, thread_locks

THREAD = "019ab1d2-0000-7000-8000-000000000001"
TURN = "20261120-165501-482-7f3a"


@pytest.fixture
def turns_path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "turns"


def test_a_thread_has_one_writer_who_is_named(turns_path: Path) -> None:
    claim = thread_locks.claim(turns_path, THREAD)
    assert claim is not None
    assert thread_locks.holder(turns_path, THREAD) == ""
    claim.name_holder(TURN)
    assert thread_locks.claim(turns_path, THREAD) is None
    assert thread_locks.holder(turns_path, THREAD) == TURN


def test_a_writer_that_is_just_being_made_is_waited_for_until_it_tells_its_name(
    turns_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_locks, "_NAMING_S", 30.0)
    claim = thread_locks.claim(turns_path, THREAD)
    assert claim is not None
    timer = threading.Timer(0.05, claim.name_holder, (TURN,))
    timer.start()
    assert thread_locks.holder(turns_path, THREAD) == TURN
    timer.join()


def test_a_thread_that_was_given_back_is_free_and_leaves_no_file(turns_path: Path) -> None:
    claim = thread_locks.claim(turns_path, THREAD)
    assert claim is not None
    claim.release()
    assert thread_locks.holder(turns_path, THREAD) is None
    assert list(thread_locks.folder_of(turns_path).iterdir()) == []
    assert thread_locks.claim(turns_path, THREAD) is not None


def test_a_probe_in_passing_is_no_writer(turns_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = thread_locks.claim(turns_path, THREAD)
    assert claim is not None
    os.close(claim.fd)
    fd = lock.probe(claim.path)
    assert fd is not None
    monkeypatch.setattr(thread_locks, "_PASSING_S", 30.0)
    timer = threading.Timer(0.005, os.close, (fd,))
    timer.start()
    assert thread_locks.claim(turns_path, THREAD) is not None
    timer.join()


def enter_queue(turns_path: Path) -> None:
    with queue.in_order(queue.folder_of(turns_path)):
        pass


def claim_thread(turns_path: Path) -> None:
    thread_locks.claim(turns_path, THREAD)


@pytest.mark.parametrize(("folder", "use"), [("threads", claim_thread), ("queue", enter_queue)])
def test_a_planted_folder_link_is_not_followed(
    turns_path: Path, tmp_path: Path, folder: str, use: Callable[[Path], None]
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "order").write_text("mine")
    turns_path.mkdir(parents=True)
    (turns_path.parent / folder).symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        use(turns_path)
    assert [(path.name, path.read_text()) for path in (tmp_path / "victim").iterdir()] == [("order", "mine")]


def test_a_writer_that_died_is_no_holder_though_its_file_is_there(turns_path: Path) -> None:
    claim = thread_locks.claim(turns_path, THREAD)
    assert claim is not None
    claim.name_holder(TURN)
    os.close(claim.fd)
    assert thread_locks.holder(turns_path, THREAD) is None
    again = thread_locks.claim(turns_path, THREAD)
    assert again is not None


def test_a_thread_that_was_never_written_has_no_holder(turns_path: Path) -> None:
    assert thread_locks.holder(turns_path, THREAD) is None
    assert not thread_locks.folder_of(turns_path).exists()


@pytest.mark.parametrize("thread_id", ["../../escape", "/etc/passwd", "a" * 1000, "a\0b", "é"])
def test_whatever_an_id_is_it_stays_a_name(turns_path: Path, thread_id: str) -> None:
    claim = thread_locks.claim(turns_path, thread_id)
    assert claim is not None
    assert claim.path.parent == thread_locks.folder_of(turns_path)
    assert claim.path.exists()
