"""What a person is told of a turn that was started just now: what to call it, and whether it waits for its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.for_people import new_turn, newest_called
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.disk.files import write_json
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.mark.parametrize(
    ("name", "called"),
    [("tests", "tests"), ("7f3a", "1a2b"), (None, "1a2b")],
    ids=["its name", "a name that may be an id", "no name"],
)
def test_a_turn_of_another_directory_is_called_by_its_name_or_else_by_its_id(
    turns: TurnsOnDisk, name: str | None, called: str
) -> None:
    assert newest_called(read.status(turns.running(name=name)), "1a2b") == called


def test_a_turn_of_this_directory_is_called_last_unless_the_directory_is_gone(
    turns: TurnsOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    view = read.status(turns.running(cwd=str(here)))
    assert newest_called(view, "1a2b") == "last"
    here.rmdir()
    assert newest_called(view, "1a2b") == "1a2b"


@pytest.mark.parametrize(
    ("max_running", "request_", "phase"),
    [(8, {}, Phase.STARTING), (1, {}, Phase.QUEUED), (8, {"is_after_reset": True}, Phase.QUEUED)],
    ids=["a free place", "no free place", "held until its limit is reset"],
)
def test_a_turn_whose_worker_has_said_nothing_yet_is_starting_or_queued(
    settings: Settings, turns: TurnsOnDisk, max_running: int, request_: dict[str, Any], phase: Phase
) -> None:
    turns.running()
    write_json(settings.config_path, {"max_running": max_running})
    now = new_turn(settings, read.status(turns.running(request=request_)))
    assert (now.state, now.phase) == (State.RUNNING, phase)


def test_a_turn_that_has_ended_at_once_is_told_as_ended(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.running()
    before = read.status(turn)
    turns.end(turn)
    assert (before.state, new_turn(settings, before).state) == (State.RUNNING, State.COMPLETE)
