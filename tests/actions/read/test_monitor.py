"""The monitor's stream: the journal line by line, and an end for every turn whichever process was killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from codex_server_cli.actions.read import monitor
from codex_server_cli.core.model.monitor_event import MonitorEvent
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind, HomeError
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import WHOLE_TURN, TurnsOnDisk


def journal_phases(turn: TurnDir, *phases: str) -> None:
    for phase in phases:
        journal.append(turn.path.parent.parent, journal.phase_entry(turn.turn_id, phase, None))


def journal_end(turn: TurnDir, state: str = "complete") -> None:
    journal.append(turn.path.parent.parent, journal.end_entry(turn.turn_id, state, None, None))


@pytest.fixture
def warnings() -> list[str]:
    return []


ReadStream = Callable[..., list[MonitorEvent]]


@pytest.fixture
def read_stream(settings: Settings, warnings: list[str]) -> ReadStream:
    """The stream as it is now, without following it."""

    def read_stream(after: int | None = None) -> list[MonitorEvent]:
        return [n for n in monitor.stream(settings, after, follows=False, warn=warnings.append) if n is not None]

    return read_stream


@pytest.fixture
def stream(settings: Settings, warnings: list[str]) -> Iterator[Iterator[MonitorEvent]]:
    """The followed stream without its pauses."""
    endless = monitor.stream(settings, follows=True, warn=warnings.append)
    yield (event for event in endless if event is not None)
    endless.close()  # type: ignore[attr-defined]


def brief(events: list[MonitorEvent]) -> list[tuple[str, str, str | None]]:
    return [(n.turn_id, n.event, n.state if n.is_end else n.phase) for n in events]


def test_without_a_cursor_it_begins_with_the_lines_of_those_that_run(
    turns: TurnsOnDisk, read_stream: ReadStream
) -> None:
    over, runs = turns.complete(), turns.running()
    journal_phases(over, "starting")
    journal_phases(runs, "starting")
    journal_end(over)
    journal_phases(runs, "thinking")
    found = read_stream()
    assert brief(found) == [(runs.turn_id, "phase", "starting"), (runs.turn_id, "phase", "thinking")]
    assert [n.cursor for n in found] == [n.cursor for n in read_stream(0) if n.turn_id == runs.turn_id]
    assert {(n.state, n.kind) for n in found} == {("running", None)}


def test_a_cursor_goes_on_behind_its_line(turns: TurnsOnDisk, read_stream: ReadStream) -> None:
    turn = turns.running()
    journal_phases(turn, "starting", "thinking")
    asked = journal.attention_entry(turn.turn_id, "waiting_approval", "0", "run touch f1", None)
    journal.append(turn.path.parent.parent, asked)
    journal_phases(turn, "answering")
    everything = read_stream(0)
    assert [n.event for n in everything] == ["phase", "phase", "attention", "phase"]
    assert [read_stream(n.cursor) for n in everything] == [everything[index:] for index in range(1, 5)]


def test_dead_workers_get_their_end_and_it_is_told_once(turns: TurnsOnDisk, read_stream: ReadStream) -> None:
    cut, whole, silent = turns.dead(), turns.dead(WHOLE_TURN), turns.dead()
    journal_phases(cut, "answering")
    journal_phases(whole, "answering")
    expected = {(cut.turn_id, "abandoned"), (whole.turn_id, "complete"), (silent.turn_id, "abandoned")}
    for _ in range(2):
        ends = [n for n in read_stream(0) if n.is_end]
        assert ({(n.turn_id, n.state) for n in ends}, len(ends)) == (expected, 3)
    assert whole.done.exists()


def test_a_worker_that_died_between_its_marker_and_the_journal_is_made_up_for(
    turns: TurnsOnDisk, read_stream: ReadStream
) -> None:
    turn = turns.failed(ErrorKind.NETWORK, name="fix")
    journal_phases(turn, "thinking")
    (end,) = read_stream()
    assert (end.turn_id, end.event, end.state, end.kind, end.name) == (turn.turn_id, "end", "failed", "network", "fix")
    assert read_stream(0)[-1] == end


def test_a_turn_whose_directory_is_deleted_is_cancelled(turns: TurnsOnDisk, read_stream: ReadStream) -> None:
    turn = turns.running()
    journal_phases(turn, "thinking")
    shutil.rmtree(turn.path)
    (end,) = read_stream()
    assert (end.turn_id, end.state, end.kind) == (turn.turn_id, "cancelled", "cancelled")


def test_what_comes_is_told_as_it_comes_and_a_death_without_any_other_reader(
    turns: TurnsOnDisk, stream: Iterator[MonitorEvent], read_stream: ReadStream
) -> None:
    first, second = turns.running(), turns.running()
    journal_phases(first, "starting")
    seen = [next(stream)]
    journal_phases(second, "queued")
    journal_phases(first, "thinking")
    seen += [next(stream), next(stream)]
    turns.drop_lock(first.turn_id)
    seen.append(next(stream))
    journal_end(second)
    seen.append(next(stream))
    assert brief(seen) == [
        (first.turn_id, "phase", "starting"),
        (second.turn_id, "phase", "queued"),
        (first.turn_id, "phase", "thinking"),
        (first.turn_id, "end", "abandoned"),
        (second.turn_id, "end", "complete"),
    ]
    assert read_stream(0) == seen


def test_a_turn_of_which_the_journal_says_nothing_is_found_by_its_directory(
    turns: TurnsOnDisk, settings: Settings, stream: Iterator[MonitorEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "SCAN_INTERVAL_S", 0.0)
    known = turns.running()
    journal_phases(known, "starting")
    next(stream)
    silent = turns.running()
    turns.drop_lock(silent.turn_id)
    assert brief([next(stream)]) == [(silent.turn_id, "end", "abandoned")]


def test_a_pause_is_told_once_a_second(settings: Settings) -> None:
    endless = monitor.stream(settings, follows=True, warn=lambda _: None)
    assert [next(endless), next(endless)] == [None, None]
    endless.close()  # type: ignore[attr-defined]


def test_a_cursor_that_the_journal_does_not_reach_is_said_and_gone_on_from(
    turns: TurnsOnDisk,
    read_stream: ReadStream,
    warnings: list[str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "MAX_SEGMENT_BYTES", 300)
    turn = turns.running()
    journal_phases(turn, *["thinking", "answering"] * 5)
    everything = read_stream(0)
    assert read_stream(999_999) == everything
    assert "ends at" in warnings.pop()
    first = min(journal.folder_of(settings.home).glob("*.jsonl"))
    first.unlink()
    rest = read_stream(0)
    assert (0 < len(rest) < 10, warnings) == (True, [])
    assert read_stream(1) == rest
    assert "begins at" in warnings.pop()


def test_a_journal_that_is_deleted_meanwhile_is_followed_from_its_new_beginning(
    turns: TurnsOnDisk, settings: Settings, stream: Iterator[MonitorEvent], warnings: list[str]
) -> None:
    turn = turns.running()
    journal_phases(turn, "starting", "thinking")
    assert brief([next(stream), next(stream)])[1][2] == "thinking"
    shutil.rmtree(journal.folder_of(settings.home))
    journal_phases(turn, "answering")
    assert brief([next(stream)]) == [(turn.turn_id, "phase", "answering")]
    assert "begun anew" in warnings[0]


def test_lines_that_make_no_sense_are_passed_over(
    turns: TurnsOnDisk, settings: Settings, read_stream: ReadStream
) -> None:
    turn = turns.running()
    journal_phases(turn, "starting")
    for entry in (
        {"ts": 1, "turn_id": "../../etc", "event": "phase"},
        {"ts": -1, "turn_id": turn.turn_id, "event": "phase"},
        {"ts": 10**20, "turn_id": turn.turn_id, "event": "phase"},
        {"ts": 1, "turn_id": turn.turn_id, "event": 3},
        {"event": "end"},
    ):
        journal.append(settings.home, dict(entry))
    journal.append(settings.home, {"ts": 1, "turn_id": turn.turn_id, "event": "news", "name": 3})
    assert [(n.event, n.name) for n in read_stream(0)] == [("phase", None), ("news", None)]


def test_a_journal_that_cannot_be_made_is_an_error_for_who_follows(settings: Settings, read_stream: ReadStream) -> None:
    assert read_stream() == []
    assert not settings.home.exists()
    settings.home.mkdir()
    journal.folder_of(settings.home).write_text("in the way")
    with pytest.raises(HomeError):
        next(monitor.stream(settings, follows=True, warn=lambda _: None))


def test_ends_that_cannot_be_written_are_tried_again_later_and_said_once_each(
    turns: TurnsOnDisk, settings: Settings, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [turns.complete(), turns.complete()]
    for turn in both:
        journal_phases(turn, "thinking")
    folder = journal.folder_of(settings.home)
    monkeypatch.setattr(monitor, "SCAN_INTERVAL_S", 0.0)
    watch = monitor.Watch(settings, warnings.append)
    (folder / "lock").unlink()
    (folder / "lock").mkdir()
    watch.look_back(journal.end(settings.home))
    watch.probe()
    assert watch.running == {}
    why = "cannot be written: Is a directory; it is reported once it can be"
    assert warnings == [f"the end of turn {turn.turn_id} {why}" for turn in both]
    (folder / "lock").rmdir()
    watch.probe()
    assert [entry["event"] for _, entry in journal.read(settings.home)] == ["phase", "phase", "end", "end"]
    assert len(warnings) == 2


def test_an_end_that_is_known_and_cannot_be_published_is_said(
    turns: TurnsOnDisk, read_stream: ReadStream, warnings: list[str]
) -> None:
    turn = turns.dead()
    turn.lock.unlink()
    turn.lock.mkdir()
    assert read_stream(0) == []
    assert warnings == [f"the end of turn {turn.turn_id} cannot be written; it is reported once it can be"]
