"""Deleting what nobody needs any more: never a running turn, never one with a name, never half of one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from codex_server_cli.core.turn import State, format_time_ms
from codex_server_cli.disk import collect, lock
from codex_server_cli.disk.collect import Collected
from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.disk.turns import read_state
from codex_server_cli.errors import ErrorKind
from tests.turns_on_disk import TurnsOnDisk

DAY_S = 86400.0
LONG_AGO = format_time_ms(int((time.time() - 8 * DAY_S) * 1000))


def run(turns: TurnsOnDisk, older_than_s: float = 7 * DAY_S, *, dry: bool = False, named: bool = False) -> Collected:
    return collect.collect(turns.path, older_than_s, is_dry_run=dry, includes_named=named)


def orphan(turns: TurnsOnDisk, name: str, age_s: float) -> Path:
    path = turns.path / name
    path.mkdir(parents=True)
    (path / "prompt.txt").write_text("hi")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_turns_that_ended_long_ago_are_deleted_and_others_stay(turns: TurnsOnDisk) -> None:
    old = [turns.complete(finished_at=LONG_AGO), turns.failed(ErrorKind.NETWORK, finished_at=LONG_AGO)]
    young = turns.complete()
    collected = run(turns)
    assert set(collected.turn_ids) == {turn.turn_id for turn in old}
    assert collected.freed_bytes > 0
    assert [path.name for path in turns.path.iterdir()] == [young.turn_id]


def test_a_running_turn_is_never_deleted(turns: TurnsOnDisk) -> None:
    turns.running(finished_at=LONG_AGO)
    finishing = turns.running(finished_at=LONG_AGO)
    finishing.done.write_text("{}")  # its marker stands, its lock has not fallen yet
    assert run(turns, 0).turn_ids == ()
    assert finishing.prompt.exists()


def test_an_end_that_nobody_has_published_is_left_to_the_repairer(turns: TurnsOnDisk) -> None:
    turn = turns.dead(finished_at=LONG_AGO)
    assert run(turns, 0).turn_ids == ()
    assert read_state(turn, lambda _turn_id: 0) is State.ABANDONED


def test_a_turn_without_its_lock_file_keeps_no_other_from_being_deleted(turns: TurnsOnDisk) -> None:
    old = [turns.complete(finished_at=LONG_AGO) for _ in range(3)]
    old[1].lock.unlink()
    collected = run(turns)
    assert {old[0].turn_id, old[2].turn_id} <= set(collected.turn_ids)
    assert not old[0].path.exists()
    assert not old[2].path.exists()


def test_a_named_turn_stays_until_it_is_asked_for(turns: TurnsOnDisk) -> None:
    turn = turns.complete(name="keep", finished_at=LONG_AGO)
    assert run(turns).turn_ids == ()
    assert run(turns, named=True).turn_ids == (turn.turn_id,)


def test_a_dry_run_tells_and_deletes_nothing(turns: TurnsOnDisk) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    left = orphan(turns, ".new-20261120-165501-482-7f3a", 2 * 3600)
    told = run(turns, dry=True)
    assert (told.turn_ids, told.orphans) == ((turn.turn_id,), 1)
    assert turn.prompt.exists()
    assert left.exists()
    done = run(turns)
    assert done == told
    assert list(turns.path.iterdir()) == []


@pytest.mark.parametrize("name", [".new-20261120-165501-482-7f3a", ".gc-20261120-165501-482-7f3a"])
def test_what_the_dead_left_half_made_or_half_deleted_goes_after_an_hour(turns: TurnsOnDisk, name: str) -> None:
    path = orphan(turns, name, 30 * 60)
    assert run(turns).orphans == 0
    os.utime(path, (time.time() - 2 * 3600,) * 2)
    assert run(turns).orphans == 1
    assert not path.exists()


def test_a_directory_that_is_being_filled_is_no_orphan_however_old(turns: TurnsOnDisk) -> None:
    path = orphan(turns, ".new-20261120-165501-482-7f3a", 0)
    fd = lock.create_locked(path / "lock")
    os.utime(path, (time.time() - 2 * 3600,) * 2)
    assert run(turns).orphans == 0
    os.close(fd)


def test_a_turn_is_out_of_sight_before_its_first_file_goes(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    seen: list[State] = []

    def look(path: Path, **_: object) -> None:
        assert (path / "done").exists()
        seen.append(read_state(TurnDir(turn.path), lambda _turn_id: 0))

    monkeypatch.setattr("shutil.rmtree", look)
    run(turns)
    assert seen == [State.MISSING]


def test_without_a_turns_directory_there_is_nothing_to_delete(tmp_path: Path) -> None:
    collected = collect.collect(tmp_path / "none", 0, is_dry_run=False, includes_named=True)
    assert collected == Collected((), 0, 0)
