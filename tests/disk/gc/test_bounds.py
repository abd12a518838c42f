"""What ended turns have to keep within: which go, in which order, and what is said where a bound cannot hold."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bench.month import fill
from codex_server_cli.core.model.collected import Collected, Why
from codex_server_cli.core.model.turn import State, format_time_ms
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import write_json
from codex_server_cli.disk.gc import collect, keeping
from codex_server_cli.disk.gc.bounds import Bounds, by_age
from codex_server_cli.disk.gc.sizes import size_of
from codex_server_cli.disk.gc.stamp import DAY_S
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.errors import ErrorKind
from tests.kit.turns_on_disk import TurnsOnDisk

YEAR = by_age(365 * DAY_S, 365)


def ended(_turn: TurnDir) -> int:
    """A sweep that finds nothing."""
    return 0


def run(turns: TurnsOnDisk, bounds: Bounds, *, dry: bool = False, **more: Any) -> Collected:
    return collect.collect(turns.path.parent, bounds, TurnReader(ended), is_dry_run=dry, **more)


def days_ago(days: float) -> str:
    return format_time_ms(int((time.time() - days * DAY_S) * 1000))


def aged(turns: TurnsOnDisk, *ages: float, **meta: Any) -> list[TurnDir]:
    """Turns that ended so many days ago."""
    return [turns.complete(finished_at=days_ago(age), **meta) for age in ages]


def ids(turns: list[TurnDir]) -> tuple[str, ...]:
    return tuple(turn.turn_id for turn in turns)


def left(turns: TurnsOnDisk) -> set[str]:
    return {path.name for path in turns.path.iterdir()}


# --- names


def test_named_turns_go_after_a_longer_time(turns: TurnsOnDisk) -> None:
    young, old = aged(turns, 20, 40, name="rev")
    collected = run(turns, by_age(7 * DAY_S, 30))
    assert (collected.turn_ids, collected.kept) == ((old.turn_id,), {keeping.NAMED: 1})
    assert left(turns) == {young.turn_id}


def test_a_name_never_makes_a_turn_go_sooner(turns: TurnsOnDisk) -> None:
    aged(turns, 40, name="rev")
    assert run(turns, by_age(60 * DAY_S, 30)).turn_ids == ()


def test_named_turns_are_as_others_where_that_is_asked_for(turns: TurnsOnDisk) -> None:
    named = aged(turns, 3, 2, 1, name="rev")
    assert run(turns, YEAR._replace(keep=2)).kept == {keeping.NAMED: 1}
    collected = run(turns, YEAR._replace(keep=2, includes_named=True))
    assert (collected.turn_ids, collected.kept, collected.exceeded) == (ids(named[:1]), {}, ())


# --- a number


def test_the_newest_stay_whatever_the_order_they_were_started_in(turns: TurnsOnDisk) -> None:
    newest, oldest, middle = aged(turns, 1, 3, 2)
    turns.running()
    collected = run(turns, YEAR._replace(keep=1))
    assert collected.turn_ids == ids([oldest, middle])
    assert {turn.why for turn in collected.turns} == {Why.KEEP}
    assert (collected.n_left, collected.left_bytes, collected.exceeded) == (1, None, ())
    assert newest.done.exists()


def test_a_number_that_named_turns_alone_exceed_is_told(turns: TurnsOnDisk) -> None:
    aged(turns, 3, 2, name="rev")
    (last,) = aged(turns, 1)
    collected = run(turns, YEAR._replace(keep=1))
    assert (collected.turn_ids, collected.n_left, collected.exceeded) == ((), 3, (Why.KEEP,))
    assert last.done.exists()


# --- a size


def large(turns: TurnsOnDisk, *ages: float, **meta: Any) -> list[TurnDir]:
    """Turns of the same size, a megabyte and a little."""
    found = aged(turns, *ages, **meta)
    for turn in found:
        turn.out.write_bytes(bytes(2**20))
    return found


def test_the_oldest_go_until_the_rest_fits(turns: TurnsOnDisk) -> None:
    found = large(turns, 5, 4, 3, 2, 1)
    one = size_of(found[0].path)
    bounds = YEAR._replace(max_bytes=3 * one)
    planned = run(turns, bounds, dry=True)
    collected = run(turns, bounds)
    for each in (planned, collected):
        assert each.turn_ids == ids(found[:2])
        assert [(turn.n_bytes, turn.why, turn.state) for turn in each.turns] == [
            (one, Why.MAX_SIZE, State.COMPLETE)
        ] * 2
        assert (each.freed_bytes, each.n_left, each.left_bytes, each.exceeded) == (2 * one, 3, 3 * one, ())
    assert left(turns) == set(ids(found[2:]))
    assert run(turns, bounds).turn_ids == ()


def test_age_number_and_size_hold_together_each_with_its_own_reason(turns: TurnsOnDisk) -> None:
    found = large(turns, 9, 4, 3, 2, 1)
    one = size_of(found[0].path)
    bounds = Bounds(7 * DAY_S, 7 * DAY_S, keep=3, max_bytes=2 * one)
    assert [(turn.turn_id, turn.why) for turn in run(turns, bounds).turns] == [
        (found[0].turn_id, Why.AGE),
        (found[1].turn_id, Why.KEEP),
        (found[2].turn_id, Why.MAX_SIZE),
    ]


def test_what_stays_for_a_reason_is_passed_over_and_the_next_oldest_goes(turns: TurnsOnDisk) -> None:
    named, held, queued, strange, kept, *others = large(turns, 9, 8, 7, 6, 5, 4, 3)
    write_json(named.meta, {"turn_id": named.turn_id, "name": "rev", "request": {}, "finished_at": days_ago(9)})
    write_json(queued.queued, {"version": 1})
    (strange.path / "tree").mkdir()
    fd = lock.try_lock(held.lock)
    assert fd is not None

    def keeps(meta: Mapping[str, Any]) -> str | None:
        return "not applied" if meta["turn_id"] == kept.turn_id else None

    one = size_of(others[0].path)
    collected = run(turns, YEAR._replace(max_bytes=6 * one + one // 2), keeps=keeps)
    assert collected.turn_ids == ids(others[:1])
    reasons = (keeping.NAMED, keeping.RUNNING, keeping.QUEUED, keeping.STRANGE, "not applied")
    assert collected.kept == dict.fromkeys(reasons, 1)
    assert collected.exceeded == ()
    told = run(turns, YEAR._replace(max_bytes=one), keeps=keeps)
    assert (told.turn_ids, told.n_left, told.exceeded) == (ids(others[1:]), 5, (Why.MAX_SIZE,))
    assert (told.left_bytes or 0) > 5 * one
    os.close(fd)


def test_running_turns_count_for_nothing_and_stay(turns: TurnsOnDisk) -> None:
    running = turns.running()
    running.out.write_bytes(bytes(2**22))
    (turn,) = large(turns, 1)
    assert run(turns, YEAR._replace(max_bytes=2**21)).turn_ids == ()
    assert run(turns, YEAR._replace(max_bytes=1)).turn_ids == (turn.turn_id,)
    assert running.prompt.exists()


def test_a_turn_that_cannot_be_moved_is_counted_and_told(turns: TurnsOnDisk) -> None:
    stuck, other = large(turns, 2, 1)
    (turns.path / f".gc-{stuck.turn_id}").write_text("in the way")
    collected = run(turns, YEAR._replace(max_bytes=1))
    assert (collected.turn_ids, collected.kept) == ((other.turn_id,), {keeping.STUCK: 1})
    assert stuck.done.exists()


def test_a_turn_that_may_not_be_read_any_more_stays(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    (turn,) = aged(turns, 1)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(collect, "facts_of", refuse)
    assert run(turns, YEAR._replace(max_bytes=1)).kept == {keeping.UNREADABLE: 1}
    assert turn.done.exists()


def test_the_state_of_what_goes_is_told(turns: TurnsOnDisk) -> None:
    turns.failed(ErrorKind.CANCELLED, finished_at=days_ago(3))
    turns.failed(ErrorKind.NETWORK, finished_at=days_ago(2), name="net")
    collected = run(turns, by_age(0, 0), dry=True)
    assert [(turn.state, turn.name) for turn in collected.turns] == [(State.CANCELLED, None), (State.FAILED, "net")]
    assert [round(turn.age_s / DAY_S) for turn in collected.turns] == [3, 2]


# --- several collectors at once


def test_a_turn_that_goes_meanwhile_counts_as_gone(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    found = large(turns, 4, 3, 2, 1)
    one = size_of(found[0].path)

    def be_late(path: Path) -> int:
        n_bytes = size_of(path)
        if path == found[-1].path:  # all are weighed by now
            shutil.rmtree(found[0].path)
        return n_bytes

    monkeypatch.setattr(collect, "size_of", be_late)
    collected = run(turns, YEAR._replace(max_bytes=2 * one))
    assert collected.turn_ids == ids(found[1:2])
    assert (collected.n_left, collected.left_bytes) == (2, 2 * one)


def test_a_month_of_turns_keeps_within_its_size_with_several_collectors_at_once(
    turns: TurnsOnDisk, tmp_path: Path
) -> None:
    specimen = turns.complete().path.rename(tmp_path / "specimen")
    made = fill(specimen, turns.path, days=10, a_day=30)
    sizes = {path.name: size_of(path) for path in made}
    max_bytes = sum(sizes.values()) // 2
    bounds = YEAR._replace(max_bytes=max_bytes)
    found: list[Collected] = []
    threads = [Thread(target=lambda: found.append(run(turns, bounds))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gone = [turn_id for collected in found for turn_id in collected.turn_ids]
    assert len(gone) == len(set(gone)) > 100
    assert left(turns) == set(sizes) - set(gone)
    rest = sum(sizes[turn_id] for turn_id in left(turns))
    assert 0 <= max_bytes - rest < max(sizes.values())
    assert {collected.exceeded for collected in found} == {()}
