"""What a home takes of the disk, for `doctor`: bytes, counts, and what no bound of `gc` deletes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codex_server_cli.disk.files import read_bytes, write_json
from codex_server_cli.disk.gc import keeping, space
from codex_server_cli.disk.gc.sizes import size_of
from codex_server_cli.disk.gc.space import Share, Space
from codex_server_cli.disk.journal import journal
from tests.kit.turns_on_disk import TurnsOnDisk


def du(path: Path) -> int:
    run = subprocess.run(["du", "-s", "-B1", str(path)], capture_output=True, text=True, check=True)
    return int(run.stdout.split()[0])


def test_a_home_without_anything_takes_nothing(tmp_path: Path) -> None:
    assert space.space(tmp_path / "none") == Space(Share(), {}, Share(), Share(), Share())


def test_turns_are_counted_with_their_bytes_and_those_that_stay_with_the_reason(turns: TurnsOnDisk) -> None:
    ended, named, running = turns.complete("x" * 50_000), turns.complete(name="keep"), turns.running()
    queued = turns.complete()
    write_json(queued.queued, {"version": 1})
    turns.dead()  # its end is published by the next who reads it, and then it may go
    found = space.space(turns.path.parent)
    assert found.turns == Share(5, sum(du(path) for path in turns.path.iterdir()))
    assert found.turns.n_bytes > du(ended.path) > 50_000
    assert found.immune == {
        keeping.NAMED: Share(1, du(named.path)),
        keeping.RUNNING: Share(1, du(running.path)),
        keeping.QUEUED: Share(1, du(queued.path)),
    }


def test_a_record_that_cannot_be_read_may_have_had_a_name(turns: TurnsOnDisk) -> None:
    turns.complete().meta.write_text("{")
    assert set(space.space(turns.path.parent).immune) == {keeping.NAMED}


def test_what_is_beside_the_turns_is_counted_by_itself(turns: TurnsOnDisk) -> None:
    home = turns.path.parent
    turns.complete()
    (home / "worktrees" / "20261120-165501-482-7f3a").mkdir(parents=True)
    (home / "worktrees" / "20261120-165501-482-7f3a" / "file").write_bytes(bytes(100_000))
    (turns.path / ".gc-20261120-165501-482-7f3a").mkdir()
    journal.append(home, journal.phase_entry("20261120-165501-482-7f3a", "starting", None))
    found = space.space(home)
    assert (found.turns.number, found.leftovers.number, found.journal.number) == (1, 1, 2)  # with its lock
    assert (found.worktrees.number, found.worktrees.n_bytes > 100_000) == (1, True)


def test_a_turn_that_may_not_be_read_is_counted_as_such(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.complete()

    def refuse(path: Path) -> bytes:
        if path == turn.meta:
            raise PermissionError
        return read_bytes(path)

    monkeypatch.setattr("codex_server_cli.disk.files.read_bytes", refuse)
    assert set(space.space(turns.path.parent).immune) == {keeping.UNREADABLE}


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_bytes(bytes(100_000))
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "link").symlink_to(tmp_path / "theirs")
    assert size_of(ours) == du(ours) < 100_000
    assert size_of(tmp_path / "gone") == 0


def test_without_the_time_for_all_turns_the_rest_is_counted_only(turns: TurnsOnDisk) -> None:
    turns.complete(), turns.complete(), turns.complete(name="keep")
    newest = du(max(turns.path.iterdir()))
    looks = iter((True, False))
    found = space.space(turns.path.parent, lambda: next(looks))
    assert (found.turns, found.n_looked) == (Share(3, newest), 1)
    assert space.space(turns.path.parent).n_looked == 3
