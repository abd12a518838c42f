"""The work tree before a turn and after it: when the two states are taken, and what is told where they are not."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.core.record.changes import Changes
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.worker.git import snapshot, tree_state
from codex_server_cli.worker.git.snapshot import Snapshot, live_changes
from tests.core.model.test_unified_diff import ADDED
from tests.core.record.test_changes import diff, item
from tests.kit.support import make_repository, wait_until
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    make_repository(directory)
    (directory / "a").write_text("a\n")
    (directory / ".gitignore").write_text("*.log\n")
    return directory


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[TurnDir]:
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        yield turns.running()


def slow_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git that hangs."""
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nsleep 1000\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    return fake


def test_what_a_command_wrote_is_told_apart_from_what_a_patch_did(turn: TurnDir, project: Path) -> None:
    taken = Snapshot(turn, str(project))
    taken.begin()
    taken.begin()
    taken.wait_for_first_state()
    taken.wait_for_first_state()
    assert turn.snapshot.is_dir()
    for name in ("n.txt", "by command", "x.log"):
        (project / name).write_text("n\n")
    (project.parent / "beyond").write_text("n\n")
    patched = ("n.txt", "x.log", "undone", "../beyond")
    changes = Changes()
    changes.note_item(item(*((os.path.normpath(project / name), None) for name in patched)))
    sections = [ADDED.replace("n.txt", name) for name in ("n.txt", "x.log", "undone", f"/{project.parent}/beyond")]
    changes.note_diff(diff("".join(sections).replace(f"b//{project.parent}", f"b/{project.parent}")))
    taken.changes = changes
    found = taken.finish()
    assert found is not None
    told = {entry["path"]: entry.get("by") for entry in found.to_json(str(project))}
    assert told == {"by command": "command", "n.txt": None, "x.log": None, str(project.parent / "beyond"): None}
    assert not turn.snapshot.exists()


def test_a_path_through_a_symlink_is_that_of_the_work_tree(turn: TurnDir, project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    taken = Snapshot(turn, str(tmp_path / "link"))
    taken.begin()
    taken.wait_for_first_state()
    (project / "n.txt").write_text("n\n")
    taken.changes.note_item(item((str(tmp_path / "link" / "n.txt"), None)))
    taken.changes.note_diff(diff(ADDED))
    found = taken.finish()
    assert found is not None
    assert found.to_json(str(project)) == [{"path": "n.txt", "kind": "add", "added": 1, "removed": 0}]


def test_a_running_turn_is_compared_without_a_change_to_its_directory(
    turn: TurnDir, project: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert live_changes(turn, Changes(), str(project), scratch) is None
    taken = Snapshot(turn, str(project))
    taken.begin()
    taken.wait_for_first_state()
    (project / "b").write_text("b\n")
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in turn.path.rglob("*"))
    found = live_changes(turn, Changes(), str(project), scratch)
    assert found is not None
    assert [entry["path"] for entry in found.to_json(str(project))] == ["b"]
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in turn.path.rglob("*")) == before
    assert taken.finish() is not None


def test_what_was_never_begun_or_is_no_repository_leaves_nothing(turn: TurnDir, tmp_path: Path) -> None:
    never = Snapshot(turn, str(tmp_path))
    never.wait_for_first_state()
    assert never.finish() is None
    elsewhere = Snapshot(turn, str(tmp_path))
    elsewhere.begin()
    elsewhere.wait_for_first_state()
    assert elsewhere.finish() is None
    assert not turn.snapshot.exists()


def test_a_git_that_hangs_costs_no_more_than_the_limit(
    turn: TurnDir, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = slow_git(tmp_path, monkeypatch)
    monkeypatch.setattr(snapshot, "LIMIT_S", 0.5)
    taken = Snapshot(turn, str(project))
    began = time.monotonic()
    taken.begin()
    taken.wait_for_first_state()
    assert time.monotonic() - began < 30
    assert taken.finish() is None
    fake.unlink()
    taken = Snapshot(turn, str(project))
    monkeypatch.setattr(snapshot, "LIMIT_S", 60.0)
    taken.begin()
    taken.wait_for_first_state()
    (project / "b").write_text("b\n")
    fake.write_text("#!/bin/sh\nsleep 1000\n")
    fake.chmod(0o755)
    monkeypatch.setattr(snapshot, "LIMIT_S", 0.5)
    assert taken.finish() is None
    assert not turn.snapshot.exists()


def test_a_first_state_that_comes_too_late_does_not_count(
    turn: TurnDir, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LIMIT_S", 0.0)
    monkeypatch.setattr(tree_state, "_rest_s", lambda _deadline: 60.0)
    taken = Snapshot(turn, str(project))
    taken.begin()
    taken.wait_for_first_state()
    wait_until(lambda: list((turn.snapshot / "objects").glob("??/*")), what="the late state")
    assert not (turn.snapshot / "state.json").exists()
    assert taken.finish() is None
