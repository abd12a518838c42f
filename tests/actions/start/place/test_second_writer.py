"""The word about another turn that writes where this one would: only of turns that run, and write there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.start.place.second_writer import warn_of_writer
from codex_server_cli.disk.queue import queue
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import TurnsOnDisk

WRITES = {"sandbox": "workspace-write"}


class SlotHolders:
    """Turns that hold a slot."""

    def __init__(self, settings: Settings, turns: TurnsOnDisk, slots: ExitStack) -> None:
        self._settings, self._turns, self._slots = settings, turns, slots

    def start(self, **meta: Any) -> str:
        turn = self._turns.running(**meta)
        slot = queue.take_slot(queue.folder_of(self._settings.turns_path), turn.turn_id, 8)
        assert slot is not None
        self._slots.callback(slot.release)
        return turn.turn_id


@pytest.fixture
def running(settings: Settings, turns: TurnsOnDisk) -> Iterator[SlotHolders]:
    settings.home.mkdir()
    with ExitStack() as slots:
        yield SlotHolders(settings, turns, slots)


def warned(settings: Settings, place: Path | str, parent: str | None = None) -> tuple[str, ...]:
    return warn_of_writer(settings, str(place), parent)


def test_the_first_writer_is_named_wherever_the_two_overlap(
    settings: Settings, running: SlotHolders, tmp_path: Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    turn_id = running.start(cwd=str(tmp_path / "a"), name="first", **WRITES)
    for place in ("a", "link"):
        (warning,) = warned(settings, tmp_path / place)
        assert warning == f"turn {turn_id} (first) may be writing here just now; --worktree gives a turn its own copy"
    for place in ("a/b", "."):
        (warning,) = warned(settings, tmp_path / place)
        assert f"turn {turn_id} (first) may be writing in {tmp_path / 'a'} just now" in warning
    assert warned(settings, tmp_path / "ab") == ()


@pytest.mark.parametrize(
    "meta",
    [
        {"sandbox": "read-only"},
        {},
        {**WRITES, "worktree": {"path": "/elsewhere", "repository": "/", "prefix": "", "started_in": "/", "base": "c"}},
        {**WRITES, "worktree": {"path": None, "repository": "/", "prefix": "", "started_in": "/", "base": "c"}},
    ],
    ids=["reads", "unknown", "worktree", "worktree to be made"],
)
def test_who_does_not_write_here_is_not_told_of(
    settings: Settings, running: SlotHolders, tmp_path: Path, meta: dict[str, Any]
) -> None:
    running.start(cwd=str(tmp_path), **meta)
    assert warned(settings, tmp_path) == ()


def test_neither_is_an_ended_turn_nor_the_one_that_we_run_in(
    settings: Settings, running: SlotHolders, turns: TurnsOnDisk, tmp_path: Path
) -> None:
    turns.complete(cwd=str(tmp_path), **WRITES)
    turns.running(cwd=str(tmp_path), **WRITES)  # queued: it holds no slot
    parent = running.start(cwd=str(tmp_path), **WRITES)
    assert warned(settings, tmp_path, parent) == ()
    assert len(warned(settings, tmp_path)) == 1
    assert warned(settings._replace(home=tmp_path / "none"), tmp_path) == ()
