"""What the turns on disk have used: whatever state they are in, and however their files look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.month import fill
from codex_server_cli.actions.read.usage import UsageReport, read_usage
from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.core.model.turn_id import make_turn_id, time_ms
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind, HomeError
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import WHOLE_TURN, TurnsOnDisk

USAGE = {
    "input_tokens": 8,
    "cached_input_tokens": 4,
    "output_tokens": 2,
    "reasoning_output_tokens": 1,
    "total_tokens": 10,
}


def spent(turn: TurnDir, **changes: Any) -> TurnDir:
    """An ended turn that used so much, and took half a second."""
    finished_at = format_time_ms((time_ms(turn.turn_id) or 0) + 500)
    end = {"usage": USAGE, "finished_at": finished_at}
    write_json(turn.result, {**(read_json(turn.result) or {}), **end, **changes})
    return turn


def groups(report: UsageReport) -> dict[str, int]:
    return {group.group: group.n_turns for group in report.groups}


def test_without_a_home_nothing_was_used(settings: Settings) -> None:
    report = read_usage(settings, 0, "day")
    assert (report.groups, report.total.n_turns, report.n_unreadable) == ([], 0, 0)


def test_ended_turns_are_told_by_their_result_alone(settings: Settings, turns: TurnsOnDisk) -> None:
    spent(turns.complete())
    spent(turns.failed(ErrorKind.NETWORK))
    total = read_usage(settings, 0, "day").total
    assert (total.n_turns, total.failures, total.tokens["total_tokens"]) == (2, {"network": 1}, 20)
    assert (total.median_s, total.p95_s) == (0.5, 0.5)


def test_a_running_turn_counts_with_what_it_has_used_so_far(settings: Settings, turns: TurnsOnDisk) -> None:
    write_json(turns.running().live, {"usage": USAGE, "error": "?"})
    for usage in ("much", {"total_tokens": "much"}, None):
        write_json(turns.running().live, {"usage": usage})
    total = read_usage(settings, 0, "state").total
    assert (total.n_turns, total.n_running, total.tokens["total_tokens"], total.median_s) == (4, 4, 10, None)


def test_a_dead_workers_turn_gets_its_end_first(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.dead(WHOLE_TURN)
    report = read_usage(settings, 0, "state")
    assert groups(report) == {"complete": 1}
    assert turn.done.exists()


def test_groups_are_days_models_directories_or_states(settings: Settings, turns: TurnsOnDisk) -> None:
    turns.complete(model="one", cwd="/a")
    turns.complete(model="two", cwd="/a")
    turns.failed(ErrorKind.NETWORK, model="one", cwd="/b")
    turns.complete(model=None)
    turns.running(model="two", cwd="/b")
    assert groups(read_usage(settings, 0, "model")) == {"one": 2, "two": 2, "": 1}
    assert groups(read_usage(settings, 0, "cwd")) == {"/a": 2, "/b": 2, "": 1}
    assert groups(read_usage(settings, 0, "state")) == {"complete": 3, "failed": 1, "running": 1}
    assert list(groups(read_usage(settings, 0, "day")).values()) == [5]


def test_a_result_of_version_0_4_names_neither_and_the_record_does(settings: Settings, turns: TurnsOnDisk) -> None:
    known, damaged = turns.complete(model="one", cwd="/a"), turns.complete(model="one", cwd="/a")
    for turn in (known, damaged):
        result = read_json(turn.result) or {}
        write_json(turn.result, {key: value for key, value in result.items() if key not in ("model", "cwd")})
    damaged.meta.write_text("{")
    assert groups(read_usage(settings, 0, "model")) == {"one": 1, "": 1}
    assert groups(read_usage(settings, 0, "cwd")) == {"/a": 1, "": 1}


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Puts the time zone back that the test has changed."""
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_day_is_one_of_local_time(
    settings: Settings, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, zone: None
) -> None:
    turns.complete()  # at 16:55 UTC
    for offset, day in (("UTC-2", "2026-11-20"), ("UTC-8", "2026-11-21")):
        monkeypatch.setenv("TZ", offset)
        time.tzset()
        assert groups(read_usage(settings, 0, "day")) == {day: 1}


def test_older_turns_are_not_looked_at(settings: Settings, turns: TurnsOnDisk) -> None:
    old, new = turns.complete(), turns.complete()
    old.result.write_text("{")
    since_ms = time_ms(new.turn_id) or 0
    report = read_usage(settings, since_ms, "day")
    assert (report.total.n_turns, report.n_unreadable) == (1, 0)
    assert read_usage(settings, since_ms + 1, "day").total.n_turns == 0


def test_what_cannot_be_read_is_counted_and_hinders_no_other(settings: Settings, turns: TurnsOnDisk) -> None:
    turns.complete().result.write_text("{")
    turns.complete().result.unlink()
    spent(turns.complete(), state="running")
    (turns.path / "99991399-000000-000-0000").mkdir()  # a 13th month
    spent(turns.complete())
    report = read_usage(settings, 0, "day")
    assert (report.total.n_turns, report.n_unreadable) == (1, 4)


def test_a_turn_that_is_deleted_meanwhile_is_none(
    settings: Settings, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = turns.complete()
    gone = make_turn_id(0, 0, kept.turn_id)
    monkeypatch.setattr("codex_server_cli.disk.turn.lookup.turn_ids", lambda _: [gone, kept.turn_id])
    report = read_usage(settings, 0, "day")
    assert (report.total.n_turns, report.n_unreadable) == (1, 0)


def test_a_folder_that_cannot_be_read_is_told(settings: Settings) -> None:
    settings.home.mkdir()
    settings.turns_path.write_text("a file")
    with pytest.raises(HomeError, match="cannot read"):
        read_usage(settings, 0, "day")


def test_a_month_of_turns_adds_up(settings: Settings, turns: TurnsOnDisk, tmp_path: Path) -> None:
    specimen = turns.complete().path.rename(tmp_path / "specimen")
    made = fill(specimen, settings.turns_path, days=10, a_day=30, shares_files=True)
    used = [read_json(path / "result.json") or {} for path in made]
    report = read_usage(settings, 0, "day")
    assert report.total.n_turns == len(made) == 300
    assert report.total.tokens["total_tokens"] == sum(each["usage"]["total_tokens"] for each in used)
    assert report.total.n_failed == sum(each["state"] in ("failed", "abandoned") for each in used) > 0
    assert 10 <= len(report.groups) <= 11
    week_ms = (time.time_ns() - 7 * 86400 * 10**9) // 10**6
    assert 200 <= read_usage(settings, week_ms, "cwd").total.n_turns <= 211
