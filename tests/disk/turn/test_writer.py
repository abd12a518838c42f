"""Publishing an end: in an order that a crash at any instant cannot spoil."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.outcome import Outcome
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.disk.turn.writer import LockLostError, TurnWriter, publish
from codex_server_cli.errors import ErrorKind
from tests.disk.conftest import FullDisk
from tests.kit.turns_on_disk import CUT_TURN, TurnsOnDisk

COMPLETE = Outcome(State.COMPLETE, "the answer", None, {"primary": None}, None)
CANCELLED = Outcome(
    State.CANCELLED, "a part", None, None, failures.make_error(ErrorKind.CANCELLED, "cancelled", hint="go on")
)


def end(turn: TurnDir, outcome: Outcome) -> None:
    publish(turn, outcome, read_json(turn.meta) or {})


def no_sweep(_turn: TurnDir) -> int:
    return 0


def test_a_complete_turn_gets_result_answer_and_done(turns: TurnsOnDisk) -> None:
    turn = turns.running(thread_id="t", codex_turn_id="c", model="m", cwd="/project")
    end(turn, COMPLETE)
    result = json.loads(turn.result.read_bytes())
    finished_at = result.pop("finished_at")
    assert result == {
        "version": 1,
        "turn_id": turn.turn_id,
        "thread_id": "t",
        "codex_turn_id": "c",
        "model": "m",
        "cwd": "/project",
        "state": "complete",
        "answer": "the answer",
        "usage": None,
        "limits": {"primary": None},
        "refused": [],
        "error": None,
    }
    assert turn.answer.read_bytes() == b"the answer"
    assert json.loads(turn.done.read_bytes()) == {"version": 1, "finished_at": finished_at}
    assert (read_json(turn.meta) or {})["finished_at"] == finished_at
    assert not turn.error.exists()


@pytest.mark.parametrize(
    ("shown", "left"), [("cut off", "cut off\n"), ("whole\n", "whole\n"), ("", ""), (None, None), ("x\r", "x\r\n")]
)
def test_the_text_of_a_turn_that_has_ended_ends_its_last_line(
    turns: TurnsOnDisk, shown: str | None, left: str | None
) -> None:
    turn = turns.running()
    turn.out.unlink(missing_ok=True)
    if shown is not None:
        turn.out.write_bytes(shown.encode())
    end(turn, CANCELLED)
    assert (turn.out.read_bytes().decode() if turn.out.exists() else None) == left


CHANGED = COMPLETE._replace(changes=[{"path": "a", "kind": "add", "added": 2, "removed": 0}], diff="ä\udcff\n")


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        ("cut off", "cut off\n\n± 1 file +2 −0\n"),
        ("whole\n", "whole\n\n± 1 file +2 −0\n"),
        ("", "± 1 file +2 −0\n"),
        ("whole\n\n± 1 file +2 −0\n", "whole\n\n± 1 file +2 −0\n"),
        ("± 1 file +2 −0\n\nmore, of a recovery", "± 1 file +2 −0\n\nmore, of a recovery\n"),
    ],
)
def test_the_text_of_a_turn_that_changed_files_tells_how_much_once(turns: TurnsOnDisk, shown: str, left: str) -> None:
    turn = turns.running()
    turn.out.write_bytes(shown.encode())
    end(turn, CHANGED)
    end(turn, CHANGED)
    assert turn.out.read_bytes().decode() == left


def test_the_diff_of_a_turn_is_stored_as_it_is_and_costs_no_end_where_there_is_no_room(
    turns: TurnsOnDisk,
) -> None:
    kept, lost, unchanged = turns.running(), turns.running(), turns.running()
    for turn, outcome in ((kept, CHANGED), (lost, CHANGED), (unchanged, COMPLETE)):
        if turn is lost:
            lost.diff.mkdir()  # nothing can be renamed over it
        with turn.lock.open("rb") as lock:
            TurnWriter(turn, lock.fileno()).finish(outcome, read_json(turn.meta) or {})
        assert turn.done.exists()
    assert kept.diff.read_bytes() == "ä".encode() + b"\xff\n"
    assert (lost.diff.is_dir(), unchanged.diff.exists()) == (True, False)
    assert (read_json(kept.result) or {})["changes"] == CHANGED.changes


def test_any_other_end_gets_an_error_that_tells_all(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    end(turn, CANCELLED)
    error = json.loads(turn.error.read_bytes())
    assert {"version": 1, "kind": "cancelled", "message": "cancelled", "retryable": False}.items() <= error.items()
    assert error["partial_answer"] == "a part"
    assert error["finished_at"]
    assert not turn.done.exists()


def test_an_end_without_an_answer_leaves_no_answer_file(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    end(turn, CANCELLED._replace(answer=None))
    assert not turn.answer.exists()


def test_an_answer_that_utf_8_cannot_hold_is_published_all_the_same(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    end(turn, COMPLETE._replace(answer="lone \udcff surrogate"))
    assert turn.answer.read_bytes() == b"lone ? surrogate"
    assert (read_json(turn.result) or {})["answer"] == "lone \udcff surrogate"


@pytest.mark.parametrize("crash_at", range(5))
@pytest.mark.parametrize("outcome", [COMPLETE, CANCELLED], ids=["complete", "cancelled"])
def test_a_crash_between_any_two_files_leaves_a_turn_that_reads_correctly(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, crash_at: int
) -> None:
    turn = turns.running()
    turn.events.write_bytes(CUT_TURN)
    renames = 0

    def rename_or_crash(source: Path, target: Path) -> None:
        nonlocal renames
        if renames == crash_at:
            raise KeyboardInterrupt
        renames += 1
        source.replace(target)

    monkeypatch.setattr(os, "rename", rename_or_crash)
    try:
        end(turn, outcome)
    except KeyboardInterrupt:
        assert turn.marker is None
    monkeypatch.undo()
    turns.drop_lock(turn.turn_id)
    view = TurnReader(no_sweep).view(turn)
    if crash_at == 0:  # nothing is written yet: only what the events prove
        assert (view.state, view.answer) == (State.ABANDONED, "Hello from mock")
    else:
        assert (view.state, view.answer) == (outcome.state, outcome.answer)
    assert turn.marker is not None


def test_an_end_that_the_disk_has_no_room_for_is_no_end(turns: TurnsOnDisk, full_disk: FullDisk) -> None:
    turn = turns.running()
    with full_disk(), pytest.raises(OSError, match="File too large"):
        end(turn, COMPLETE)
    assert turn.marker is None
    assert not turn.result.exists()


def test_a_turn_is_its_writers_until_it_is_deleted_or_its_lock_alone_is_taken_away(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    writer = TurnWriter(turn, turns.lock_fd(turn.turn_id))
    assert writer.may_write()
    turn.lock.unlink()
    for _ in ("deleted", "replaced"):
        with pytest.raises(LockLostError):
            writer.may_write()
        turn.lock.touch()
    shutil.rmtree(turn.path)
    assert not writer.may_write()
    writer.close()


def test_the_writer_appends_what_came_and_replaces_what_is_live(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    writer = TurnWriter(turn, turns.lock_fd(turn.turn_id))
    writer.append_events(b'{"seq":0}\n')
    writer.append_events(b'{"seq":1}\n')
    writer.append_text("one ")
    writer.append_text("é\udcff")
    writer.write_live({"phase": "thinking"})
    writer.write_live({"phase": "answering"})
    writer.finish(COMPLETE, read_json(turn.meta) or {})
    writer.close()
    assert turn.events.read_bytes() == b'{"seq":0}\n{"seq":1}\n'
    assert turn.out.read_bytes() == "one é?\n".encode()
    assert read_json(turn.live) == {"phase": "answering"}
    assert turn.done.exists()
