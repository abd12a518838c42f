"""The board's turns: which there are comes from the journal stream, the rest from each turn's files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from codex_server_cli.actions.read import board as board_module
from codex_server_cli.actions.read.board import Board, Selection, chosen
from codex_server_cli.actions.read.read import TurnFilter
from codex_server_cli.core.model.monitor_event import MonitorEvent
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.disk.files import write_json
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import TurnsOnDisk

AT = "2026-11-20T16:55:01.482Z"
Open = Callable[..., Board]


def phase(turn: TurnDir, what: str) -> MonitorEvent:
    return MonitorEvent(1, AT, turn.turn_id, None, "phase", what, "running", None)


def end(turn: TurnDir, state: str = "complete") -> MonitorEvent:
    return MonitorEvent(2, AT, turn.turn_id, None, "end", None, state, None)


@pytest.fixture
def open_board(settings: Settings) -> Open:
    def open_board(state: State | None = None, cwd: Path | None = None) -> Board:
        return Board(settings, Selection(settings, TurnFilter(state, str(cwd) if cwd else None)))

    return open_board


def rows_of(board: Board) -> list[tuple[str, str]]:
    return [(view.turn_id, str(view.phase or view.state)) for view in board.turn_views]


def last_lines(board: Board) -> list[str]:
    return [last for _, last, _ in board.rows(board.turn_views)]


def test_it_begins_with_what_is_there(turns: TurnsOnDisk, open_board: Open) -> None:
    ended, running = turns.complete(), turns.running()
    assert rows_of(open_board()) == [(running.turn_id, "starting"), (ended.turn_id, "complete")]


def test_it_learns_of_new_turns_their_phases_and_their_ends(turns: TurnsOnDisk, open_board: Open) -> None:
    board = open_board()
    running, ended = turns.running(), turns.failed(ErrorKind.NETWORK)
    for event in (phase(running, "thinking"), phase(running, "answering"), phase(ended, "thinking"), end(ended)):
        board.note(event)
    assert rows_of(board) == [(running.turn_id, "answering"), (ended.turn_id, "failed")]


def test_a_phase_of_a_newer_version_changes_nothing(turns: TurnsOnDisk, open_board: Open) -> None:
    running = turns.running()
    write_json(running.live, {"phase": "editing"})
    board = open_board()
    board.note(phase(running, "dreaming"))
    assert rows_of(board) == [(running.turn_id, "editing")]


def test_a_line_from_before_an_end_does_not_bring_a_turn_back(turns: TurnsOnDisk, open_board: Open) -> None:
    ended = turns.complete()
    board = open_board()
    board.note(phase(ended, "thinking"))
    assert rows_of(board) == [(ended.turn_id, "complete")]


def test_a_running_turn_is_read_again_each_time_it_is_shown(turns: TurnsOnDisk, open_board: Open) -> None:
    running = turns.running()
    board = open_board()
    assert last_lines(board) == [""]
    running.out.write_text("one\ntwo\n\n")
    write_json(running.live, {"phase": "waiting_approval", "pending": [{"id": "0"}]})
    ((view, last, _),) = board.rows(board.turn_views)
    assert (view.phase, view.live["pending"], last) == (Phase.WAITING_APPROVAL, [{"id": "0"}], "two")
    assert rows_of(board) == [(running.turn_id, "waiting_approval")]


def test_an_ended_turn_is_read_once_and_again_where_its_end_changed(turns: TurnsOnDisk, open_board: Open) -> None:
    ended = turns.complete()
    ended.out.write_text("first")
    board = open_board()
    assert last_lines(board) == ["first"]
    ended.out.write_text("recovered")
    assert last_lines(board) == ["first"]
    board.note(end(ended))
    assert last_lines(board) == ["recovered"]


def test_what_is_deleted_leaves_the_board(turns: TurnsOnDisk, open_board: Open) -> None:
    ended, running = turns.complete(), turns.running()
    board = open_board()
    for turn in (ended, running):
        shutil.rmtree(turn.path)
    assert [view.turn_id for view, _, _ in board.rows(board.turn_views)] == [running.turn_id]
    board.note(end(running, "cancelled"))
    assert board.turn_views == []
    board.note(end(running, "cancelled"))
    assert board.turn_views == []


def test_a_turn_has_its_prompt_and_the_end_of_its_id_that_no_other_turn_has(
    turns: TurnsOnDisk, open_board: Open, tmp_path: Path
) -> None:
    running = turns.running(cwd=str(tmp_path))
    running.prompt.write_text("Fix it")
    board = open_board(cwd=tmp_path)
    (view,) = board.turn_views
    assert (board.prompt(view), board.directory(view.turn_id).path) == ("Fix it", running.path)
    running.prompt.write_text("changed by hand")
    assert board.prompt(view) == "Fix it"
    assert board.short_ids == {running.turn_id: running.turn_id[-4:]}
    board.note(phase(turns.running(cwd="/srv"), "thinking"))
    assert board.short_ids == {running.turn_id: running.turn_id[-15:]}  # the kit's ids differ in their time alone


def test_the_directories_are_listed_once_however_many_turns_come_and_whose_events_they_are(
    turns: TurnsOnDisk, open_board: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = open_board(cwd=tmp_path)
    assert board.short_ids == {}
    monkeypatch.setattr(board_module, "turn_ids", fail)
    elsewhere, here = turns.running(cwd="/elsewhere"), turns.running(cwd=str(tmp_path))
    for event in (phase(elsewhere, "thinking"), phase(elsewhere, "answering"), phase(here, "thinking")):
        board.note(event)
    # Both end in the same four characters: that of the other directory counts, though it is not shown.
    assert board.short_ids == {here.turn_id: here.turn_id[-15:]}
    known = board.short_ids
    board.note(phase(elsewhere, "thinking"))
    assert board.short_ids is known


def test_a_short_id_is_longer_where_a_turn_is_named_like_it(turns: TurnsOnDisk, open_board: Open) -> None:
    turn = turns.running()
    turns.complete(name=turn.turn_id[-4:])
    assert len(open_board().short_ids[turn.turn_id]) > 4


def fail(*_args: object) -> list[str]:
    raise AssertionError("the directories are listed again")


def test_only_the_turns_of_a_directory_are_shown(turns: TurnsOnDisk, open_board: Open, tmp_path: Path) -> None:
    here = turns.running(cwd=str(tmp_path))
    board = open_board(cwd=tmp_path)
    there, new = turns.running(cwd="/srv"), turns.running(cwd=str(tmp_path))
    for turn in (there, new, there):
        board.note(phase(turn, "thinking"))
    assert [turn_id for turn_id, _ in rows_of(board)] == [here.turn_id, new.turn_id]


def test_only_the_turns_of_a_state_are_shown_though_others_may_come_to_it(turns: TurnsOnDisk, open_board: Open) -> None:
    running, ended = turns.running(), turns.complete()
    board = open_board(State.RUNNING)
    assert rows_of(board) == [(running.turn_id, "starting")]
    board = open_board(State.COMPLETE)
    board.note(phase(running, "thinking"))
    assert rows_of(board) == [(ended.turn_id, "complete")]


def test_of_ended_turns_the_newest_are_remembered(
    turns: TurnsOnDisk, open_board: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_server_cli.actions.read.board._KEPT", 2)
    board = open_board()
    ended = [turns.complete() for _ in range(3)]
    running = turns.running()
    board.note(phase(running, "thinking"))
    for turn in ended:
        board.note(end(turn))
    assert sorted(turn_id for turn_id, _ in rows_of(board)) == [ended[1].turn_id, ended[2].turn_id, running.turn_id]


def test_of_the_stream_only_what_is_wanted_passes_and_every_pause(
    turns: TurnsOnDisk, settings: Settings, tmp_path: Path
) -> None:
    here, there = turns.complete(cwd=str(tmp_path)), turns.complete(cwd="/srv")
    stream: Iterable[MonitorEvent | None] = [phase(here, "thinking"), end(there), None, end(here)]
    for wanted, expected in (
        (TurnFilter(), stream),
        (TurnFilter(cwd=str(tmp_path)), [phase(here, "thinking"), None, end(here)]),
        (TurnFilter(State.COMPLETE, str(tmp_path)), [None, end(here)]),
    ):
        assert list(chosen(stream, Selection(settings, wanted))) == expected
