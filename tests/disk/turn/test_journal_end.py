"""The end that is journalled from a turn's directory, where no worker lived to do it."""

from __future__ import annotations

import shutil

import pytest

from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn.journal_end import append_end_once, append_recovered
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.repair import repair
from codex_server_cli.errors import ErrorKind
from tests.kit.turns_on_disk import CUT_TURN, WHOLE_TURN, TurnsOnDisk


def journalled(turn: TurnDir) -> list[tuple[object, object, object]]:
    return [
        (entry["state"], entry["kind"], entry["name"])
        for _, entry in journal.read(turn.path.parent.parent)
        if (entry["turn_id"], entry["event"]) == (turn.turn_id, "end")
    ]


def test_an_end_is_told_once_as_the_marker_has_it(turns: TurnsOnDisk) -> None:
    complete, failed = turns.complete(name="fix"), turns.failed(ErrorKind.NETWORK)
    cancelled = turns.failed(ErrorKind.CANCELLED)
    for turn in (complete, failed, cancelled, complete, failed):
        assert append_end_once(turn)
    assert journalled(complete) == [("complete", None, "fix")]
    assert journalled(failed) == [("failed", "network", None)]
    assert journalled(cancelled) == [("cancelled", "cancelled", None)]


def test_a_recovery_is_told_beside_the_end(turns: TurnsOnDisk) -> None:
    turn = turns.complete(name="fix")
    assert append_end_once(turn)
    append_recovered(turn)
    lines = [entry for _, entry in journal.read(turn.path.parent.parent)]
    assert [(line["event"], line["state"], line["kind"], line["name"]) for line in lines] == [
        ("end", "complete", None, "fix"),
        ("recovered", "complete", None, "fix"),
    ]
    assert journalled(turn) == [("complete", None, "fix")]


def test_a_turn_that_runs_again_has_no_recovery_to_tell(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    append_recovered(turn)
    assert list(journal.read(turn.path.parent.parent)) == []


def test_a_turn_that_has_not_ended_has_no_end_to_tell(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    assert not append_end_once(turn)
    assert journalled(turn) == []


def test_a_directory_that_is_gone_was_cancelled(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    shutil.rmtree(turn.path)
    assert append_end_once(turn)
    assert journalled(turn) == [("cancelled", "cancelled", None)]


def test_a_record_that_cannot_be_read_is_a_failure(turns: TurnsOnDisk) -> None:
    turn = turns.failed(ErrorKind.NETWORK)
    turn.error.write_text('{"kind": ["x"]}')
    assert append_end_once(turn)
    assert journalled(turn) == [("failed", "internal", None)]


@pytest.mark.parametrize(
    ("events", "end"), [(WHOLE_TURN, ("complete", None, None)), (CUT_TURN, ("abandoned", "worker_died", None))]
)
def test_a_repairer_tells_the_end_that_it_publishes(
    turns: TurnsOnDisk, events: bytes, end: tuple[str, str | None, None]
) -> None:
    turn = turns.dead(events)
    assert repair(turn, lambda _: None) is None
    assert repair(turn, lambda _: None) is None
    assert journalled(turn) == [end]


def test_a_journal_that_cannot_be_written_harms_no_repair(turns: TurnsOnDisk) -> None:
    turn = turns.dead(WHOLE_TURN)
    journal.folder_of(turns.path.parent).write_text("in the way")
    assert repair(turn, lambda _: None) is None
    assert turn.done.exists()
