"""Noticing that another client has queued a message for Codex."""

from __future__ import annotations

import os
from pathlib import Path

from codex_server_cli.worker.queue_watch import QueueWatch


def test_a_home_that_no_path_can_be_never_changes() -> None:
    watch = QueueWatch()
    for home in ("/a\0b", "/\ud800", "/a\0b"):
        assert not watch.has_changed(home)


def test_a_change_of_either_file_is_noticed_once(tmp_path: Path) -> None:
    watch, home = QueueWatch(), str(tmp_path)
    assert not watch.has_changed(None)
    assert not watch.has_changed(home)
    for name in ("queue_1.sqlite", "queue_1.sqlite-wal"):
        (tmp_path / name).write_bytes(b"1")
        assert watch.has_changed(home)
        assert not watch.has_changed(home)
    os.utime(tmp_path / "queue_1.sqlite-wal", (1, 1))
    assert watch.has_changed(home)
    (tmp_path / "queue_1.sqlite-wal").unlink()
    assert watch.has_changed(home)
    (tmp_path / "state_5.sqlite").write_bytes(b"1")
    assert not watch.has_changed(home)
