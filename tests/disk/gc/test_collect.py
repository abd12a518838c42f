"""Deleting what is no longer needed: never a running turn, never a named one, never half of one."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import NoReturn

import pytest

from codex_server_cli.core.model.collected import Collected
from codex_server_cli.core.model.turn import State, format_time_ms
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.gc import collect
from codex_server_cli.disk.gc.bounds import by_age
from codex_server_cli.disk.gc.stamp import DAY_S
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.errors import ErrorKind
from tests.kit.turns_on_disk import WHOLE_TURN, TurnsOnDisk

NAMED_DAYS = 30.0
LONG_AGO = format_time_ms(int((time.time() - 8 * DAY_S) * 1000))


def ended(_turn: TurnDir) -> int:
    """A sweep that finds nothing."""
    return 0


def run(turns: TurnsOnDisk, older_than_s: float = 7 * DAY_S, *, dry: bool = False, named: bool = False) -> Collected:
    bounds = by_age(older_than_s, NAMED_DAYS)._replace(includes_named=named)
    return collect.collect(turns.path.parent, bounds, TurnReader(ended), is_dry_run=dry)


def orphan(turns: TurnsOnDisk, name: str, age_s: float) -> Path:
    path = turns.path / name
    path.mkdir(parents=True)
    (path / "prompt.txt").write_text("hi")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def names_in(turns: TurnsOnDisk) -> list[str]:
    return sorted(path.name for path in turns.path.iterdir())


# --- turns


def test_pictures_are_deleted_with_their_turn_whole_or_half_made(turns: TurnsOnDisk) -> None:
    turn, half = turns.complete(finished_at=LONG_AGO), orphan(turns, ".new-20261120-165501-482-7f3a", 2 * DAY_S)
    for path in (turn.path, half):
        (path / "images").mkdir()
        (path / "images" / "1-a.png").write_bytes(bytes(100_000))
    os.utime(half, (time.time() - 2 * DAY_S,) * 2)
    collected = run(turns)
    assert (collected.turn_ids, collected.orphans, names_in(turns)) == ((turn.turn_id,), 1, [])
    assert collected.freed_bytes >= 200_000


def test_what_a_killed_worker_left_of_its_work_tree_goes_with_the_turn(turns: TurnsOnDisk) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    (turn.snapshot / "objects").mkdir(parents=True)
    assert run(turns).turn_ids == (turn.turn_id,)
    assert names_in(turns) == []


def test_turns_that_ended_long_ago_are_deleted_and_others_stay(turns: TurnsOnDisk) -> None:
    old = [turns.complete(finished_at=LONG_AGO), turns.failed(ErrorKind.NETWORK, finished_at=LONG_AGO)]
    young = turns.complete()
    collected = run(turns)
    assert set(collected.turn_ids) == {turn.turn_id for turn in old}
    assert collected.freed_bytes > 0
    assert names_in(turns) == [young.turn_id]


def test_a_running_turn_is_never_deleted(turns: TurnsOnDisk) -> None:
    turns.running(finished_at=LONG_AGO)
    finishing = turns.running(finished_at=LONG_AGO)
    finishing.done.write_text("{}")  # its marker exists, its lock is still held
    assert run(turns, 0, dry=True).turn_ids == ()
    assert run(turns, 0).turn_ids == ()
    assert finishing.prompt.exists()


def test_a_turn_whose_worker_died_gets_its_end_and_is_as_old_as_that(turns: TurnsOnDisk) -> None:
    turn = turns.dead(WHOLE_TURN, finished_at=LONG_AGO)
    assert run(turns).turn_ids == ()
    assert turn.done.exists()
    assert run(turns, 0).turn_ids == (turn.turn_id,)


def test_what_a_dead_worker_left_running_is_swept(turns: TurnsOnDisk) -> None:
    turn, swept = turns.dead(), list[TurnDir]()
    collect.collect(turns.path.parent, by_age(DAY_S, 1), TurnReader(swept.append), is_dry_run=False)
    assert [each.turn_id for each in swept] == [turn.turn_id]
    assert turn.error.exists()


def test_a_named_turn_stays_until_it_is_asked_for(turns: TurnsOnDisk) -> None:
    turn = turns.complete(name="keep", finished_at=LONG_AGO)
    assert run(turns).turn_ids == ()
    assert run(turns, named=True).turn_ids == (turn.turn_id,)


def without_an_end(turn: TurnDir) -> None:
    write_json(turn.meta, (read_json(turn.meta) or {}) | {"finished_at": "some day"})


def without_a_record(turn: TurnDir) -> None:
    turn.meta.write_text('{"version": 1, "na')


@pytest.mark.parametrize(("change", "named"), [(without_an_end, False), (without_a_record, True)])
def test_a_turn_that_does_not_tell_its_end_is_as_old_as_its_marker(
    turns: TurnsOnDisk, change: Callable[[TurnDir], None], named: bool
) -> None:
    complete, failed = turns.complete(), turns.failed(ErrorKind.NETWORK)
    for turn, marker in ((complete, complete.done), (failed, failed.error)):
        change(turn)
        os.utime(marker, (time.time() - 6 * DAY_S,) * 2)
    assert run(turns, named=named).turn_ids == ()
    os.utime(complete.done, (time.time() - 8 * DAY_S,) * 2)
    assert run(turns, named=named).turn_ids == (complete.turn_id,)
    assert names_in(turns) == [failed.turn_id]


def test_a_dry_run_tells_and_deletes_nothing(turns: TurnsOnDisk) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    left = orphan(turns, ".new-20261120-165501-482-7f3a", 2 * 3600)
    planned = run(turns, dry=True)
    assert (planned.turn_ids, planned.orphans) == ((turn.turn_id,), 1)
    assert turn.prompt.exists()
    assert left.exists()
    done = run(turns)
    assert [turn._replace(age_s=0) for turn in done.turns] == [turn._replace(age_s=0) for turn in planned.turns]
    assert done._replace(turns=()) == planned._replace(turns=())
    assert names_in(turns) == []


def test_a_turn_is_out_of_sight_before_its_first_file_goes(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    seen: list[State] = []

    def look(path: Path, **_: object) -> None:
        assert (path / "done").exists()
        seen.append(TurnReader(ended).state(TurnDir(turn.path)))

    monkeypatch.setattr("shutil.rmtree", look)
    run(turns)
    assert seen == [State.MISSING]


def test_without_a_turns_directory_there_is_nothing_to_delete(tmp_path: Path) -> None:
    assert collect.collect(tmp_path / "none", by_age(0, 1), TurnReader(ended), is_dry_run=False) == Collected()


# --- what has an unexpected shape


def without_its_lock(turn: TurnDir) -> None:
    turn.lock.unlink()


def with_a_lock_elsewhere(turn: TurnDir) -> None:
    turn.lock.rename(turn.path / "moved")
    turn.lock.symlink_to("moved")


def under_another_id(turn: TurnDir) -> None:
    write_json(turn.meta, (read_json(turn.meta) or {}) | {"turn_id": "20261120-000000-000-0000"})


def with_an_unreadable_record(turn: TurnDir) -> None:
    turn.meta.write_text('{"version": 1, "na')  # whether it has a name is unknown


def with_a_foreign_tree(turn: TurnDir) -> None:
    (turn.path / "worktree").mkdir()


def behind_a_link(turn: TurnDir) -> None:
    elsewhere = turn.path.parents[1] / "elsewhere"
    turn.path.rename(elsewhere)
    turn.path.symlink_to(elsewhere)


@pytest.mark.parametrize(
    "change",
    [
        without_its_lock,
        with_a_lock_elsewhere,
        under_another_id,
        with_an_unreadable_record,
        with_a_foreign_tree,
        behind_a_link,
    ],
)
def test_a_turn_that_is_not_as_we_made_it_is_left_and_hinders_no_other(turns: TurnsOnDisk, change: object) -> None:
    first, strange, last = (turns.complete(finished_at=LONG_AGO) for _ in range(3))
    assert callable(change)
    change(strange)
    assert set(run(turns, dry=True).turn_ids) == {first.turn_id, last.turn_id}
    assert set(run(turns).turn_ids) == {first.turn_id, last.turn_id}
    assert strange.prompt.read_text() == "hi"


def test_what_a_turn_links_to_stays(turns: TurnsOnDisk, tmp_path: Path) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("x")
    turn.inbox.rmdir()
    turn.inbox.symlink_to(theirs)
    assert run(turns).turn_ids == (turn.turn_id,)
    assert (theirs / "file").exists()


def test_turns_that_cannot_be_moved_stay_whole(turns: TurnsOnDisk) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    hidden = turns.path / f".gc-{turn.turn_id}"
    hidden.write_text("in the way")
    assert run(turns).turn_ids == ()
    assert turn.done.exists()


def refuse(code: int) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("is_orphan", [False, True])
def test_a_home_in_which_nothing_may_be_moved_is_told(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, code: int, is_orphan: bool
) -> None:
    if is_orphan:
        orphan(turns, ".new-20261120-165501-482-7f3a", 2 * 3600)
    else:
        turns.complete(finished_at=LONG_AGO)
    before = names_in(turns)
    monkeypatch.setattr(Path, "rename", refuse(code))
    with pytest.raises(OSError, match=os.strerror(code)):
        run(turns)
    assert names_in(turns) == before


def test_a_turn_that_may_not_be_moved_hinders_no_other(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    stays, goes = turns.complete(finished_at=LONG_AGO), turns.complete(finished_at=LONG_AGO)
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda path, to: refuse(errno.EPERM)() if path == stays.path else rename(path, to)
    )
    assert run(turns).turn_ids == (goes.turn_id,)


@pytest.mark.parametrize("dry", [False, True])
def test_a_home_that_is_read_only_is_told(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, dry: bool) -> None:
    turns.complete(finished_at=LONG_AGO)
    monkeypatch.setattr(lock, "try_lock", refuse(errno.EROFS))
    with pytest.raises(OSError, match="Read-only"):
        run(turns, dry=dry)


def test_a_turn_whose_lock_is_not_ours_to_hold_hinders_no_other(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, theirs = turns.complete(finished_at=LONG_AGO), turns.complete(finished_at=LONG_AGO)
    try_lock = lock.try_lock

    def refuse_foreign(path: Path) -> int | None:
        return try_lock(path) if path != theirs.lock else refuse(errno.EACCES)()

    monkeypatch.setattr(lock, "try_lock", refuse_foreign)
    assert run(turns).turn_ids == (other.turn_id,)


# --- orphans


@pytest.mark.parametrize("has_lock", [True, False])
def test_what_the_dead_left_half_made_goes_after_an_hour(turns: TurnsOnDisk, has_lock: bool) -> None:
    path = orphan(turns, ".new-20261120-165501-482-7f3a", 0)
    if has_lock:
        os.close(lock.create_locked(path / "lock"))
    os.utime(path, (time.time() - 30 * 60,) * 2)
    assert run(turns).orphans == 0
    os.utime(path, (time.time() - 2 * 3600,) * 2)
    collected = run(turns)
    assert (collected.orphans, collected.freed_bytes > 0) == (1, True)
    assert names_in(turns) == []


def test_what_the_dead_left_half_deleted_goes_at_once(turns: TurnsOnDisk) -> None:
    orphan(turns, ".gc-20261120-165501-482-7f3a", 0)
    assert run(turns).orphans == 1
    assert names_in(turns) == []


def test_a_directory_that_is_being_filled_is_no_orphan_however_old(turns: TurnsOnDisk) -> None:
    path = orphan(turns, ".new-20261120-165501-482-7f3a", 0)
    fd = lock.create_locked(path / "lock")
    os.utime(path, (time.time() - 2 * 3600,) * 2)
    assert run(turns).orphans == 0
    os.close(fd)


@pytest.mark.parametrize("prefix", [".new-", ".gc-"])
def test_an_orphan_that_is_a_link_is_left(turns: TurnsOnDisk, tmp_path: Path, prefix: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    turns.path.mkdir(parents=True)
    link = turns.path / f"{prefix}20261120-165501-482-7f3a"
    link.symlink_to(theirs)
    os.utime(link, (0, 0), follow_symlinks=False)
    assert run(turns).orphans == 0
    assert link.is_symlink()
    assert theirs.exists()


def test_an_orphan_that_cannot_be_moved_is_left_for_another_day(turns: TurnsOnDisk) -> None:
    path = orphan(turns, ".new-20261120-165501-482-7f3a", 2 * 3600)
    (turns.path / ".gc-20261120-165501-482-7f3a" / "tree").mkdir(parents=True)
    assert run(turns).freed_bytes == 0
    assert path.exists()


def test_an_orphan_that_another_collector_deletes_at_the_same_moment_is_none(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = orphan(turns, ".new-20261120-165501-482-7f3a", 2 * 3600)
    lstat = Path.lstat

    def come_late(self: Path) -> os.stat_result:
        if self == path:
            shutil.rmtree(path, ignore_errors=True)
        return lstat(self)

    monkeypatch.setattr(Path, "lstat", come_late)
    assert run(turns).orphans == 0


# --- several collectors at once


def test_two_collectors_at_once_delete_each_turn_once(turns: TurnsOnDisk) -> None:
    old = {turns.complete(finished_at=LONG_AGO).turn_id for _ in range(40)}
    found: list[Collected] = []
    threads = [Thread(target=lambda: found.append(run(turns))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deleted = [turn_id for collected in found for turn_id in collected.turn_ids]
    assert sorted(deleted) == sorted(old)
    assert names_in(turns) == []


def test_a_turn_that_another_collector_takes_from_under_us_is_its(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    try_lock = lock.try_lock

    def lose_the_race(path: Path) -> int | None:
        fd = try_lock(path)
        shutil.move(turn.path, turns.path / ".gc-theirs")
        return fd

    monkeypatch.setattr(lock, "try_lock", lose_the_race)
    assert run(turns).turn_ids == ()
    assert names_in(turns) == [".gc-theirs"]


def test_a_lock_that_is_not_the_one_by_its_name_any_more_is_none(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    try_lock = lock.try_lock

    def lock_the_old_one(path: Path) -> int | None:
        fd = try_lock(path)
        path.unlink()
        path.touch()
        return fd

    monkeypatch.setattr(lock, "try_lock", lock_the_old_one)
    assert run(turns).turn_ids == ()
    assert turn.prompt.exists()


def test_a_reader_who_probes_the_lock_in_passing_keeps_no_turn(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    try_lock, refusals = lock.try_lock, iter([True, True, False])

    def meet_a_reader(path: Path) -> int | None:
        return None if next(refusals) else try_lock(path)

    monkeypatch.setattr(lock, "try_lock", meet_a_reader)
    assert run(turns).turn_ids == (turn.turn_id,)


def test_a_reader_with_an_open_file_reads_it_to_its_end(turns: TurnsOnDisk) -> None:
    turn = turns.complete(finished_at=LONG_AGO)
    with turn.answer.open() as file:
        assert run(turns).turn_ids == (turn.turn_id,)
        assert file.read() == "Hello from mock"


# --- beside the turns


def test_the_lock_of_a_thread_stays_while_somebody_writes_the_thread(turns: TurnsOnDisk) -> None:
    threads = turns.path.parent / "threads"
    threads.mkdir(parents=True)
    os.close(lock.create_locked(threads / "free.lock"))
    fd = lock.create_locked(threads / "held.lock")
    (threads / "note").touch()
    (threads / "link.lock").symlink_to("note")
    assert run(turns, dry=True).leftovers == 0
    assert run(turns).leftovers == 1
    assert sorted(path.name for path in threads.iterdir()) == ["held.lock", "link.lock", "note"]
    os.close(fd)


def test_a_lock_that_cannot_be_deleted_is_no_fault(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = turns.path.parent / "threads"
    threads.mkdir(parents=True)
    os.close(lock.create_locked(threads / "free.lock"))

    def refuse(_path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refuse)
    assert run(turns).leftovers == 0


def test_tickets_of_turns_that_died_in_the_queue_go_and_those_of_the_living_stay(turns: TurnsOnDisk) -> None:
    line = turns.path.parent / "queue"
    with queue.in_order(line) as order:
        dead = order.take_ticket()
    os.close(dead.fd)
    assert run(turns).leftovers == 1
    with queue.in_order(line) as order:
        alive = order.take_ticket()
    assert run(turns).leftovers == 0
    alive.leave()


@pytest.mark.parametrize(("older_than_s", "dropped"), [(0, 1), (3 * DAY_S, 0)])
def test_the_journal_is_kept_as_long_as_the_turns_and_a_day_at_least(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, older_than_s: float, dropped: int
) -> None:
    home = turns.path.parent
    home.mkdir()
    monkeypatch.setattr(journal, "MAX_SEGMENT_BYTES", 1)
    for _ in range(3):
        journal.append(home, journal.phase_entry("20261120-165501-482-7f3a", "starting", None))
    segments = sorted((home / "journal").glob("*.jsonl"))
    for segment, age_s in zip(segments, (2 * DAY_S, DAY_S / 2, 0), strict=True):
        os.utime(segment, (time.time() - age_s,) * 2)
    assert run(turns, older_than_s).leftovers == dropped
    assert len(list((home / "journal").glob("*.jsonl"))) == 3 - dropped


def test_what_lies_beside_the_turns_and_cannot_be_written_is_no_fault(turns: TurnsOnDisk) -> None:
    for name in ("queue", "journal"):
        (turns.path.parent / name).mkdir(parents=True)
        (turns.path.parent / name / ("order" if name == "queue" else "lock")).mkdir()
    assert run(turns).leftovers == 0
