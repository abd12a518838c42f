"""Deleting one turn: it must have ended, be as we made it, and have nothing left to bring back."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions.control.delete import delete
from codex_server_cli.disk import lock
from codex_server_cli.errors import BadInputError, BusyError
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import TurnsOnDisk


def test_an_ended_turn_is_deleted_whatever_its_age_and_name_and_no_other(
    settings: Settings, turns: TurnsOnDisk
) -> None:
    ended, other = turns.complete(name="n"), turns.complete()
    assert delete(settings, ended).turn_id == ended.turn_id
    assert (ended.exists, other.exists) == (False, True)
    assert [path.name for path in settings.turns_path.iterdir()] == [other.turn_id]


def test_a_turn_that_runs_or_is_held_stays(settings: Settings, turns: TurnsOnDisk) -> None:
    running, held = turns.running(), turns.complete()
    fd = lock.acquire(held.lock, 1)
    assert fd is not None
    with pytest.raises(BusyError, match="is still running"):
        delete(settings, running)
    with pytest.raises(BusyError, match="is held by another process"):
        delete(settings, held)
    assert running.exists
    assert held.exists


def test_a_turn_whose_worktree_holds_what_was_not_applied_stays(
    settings: Settings, turns: TurnsOnDisk, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text("gitdir: /nowhere\n")
    where = {"repository": "/nowhere", "prefix": "", "base": "0" * 40, "started_in": "/nowhere"}
    record = {**where, "name": "x", "path": str(tmp_path / "tree"), "branch": "codex/x", "is_removed": False}
    ended = turns.complete(worktree=record)
    with pytest.raises(BadInputError, match="has to stay: not applied"):
        delete(settings, ended)
    assert ended.exists
