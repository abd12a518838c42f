"""What a worker writes to the journal: each phase once, one end, and never a failure of the turn."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from codex_server_cli.disk import lock
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.journal.turn_journal import TurnJournal

TURN = "20261120-165501-482-7f3a"


@pytest.fixture
def turn_path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "turns" / TURN
    path.mkdir(parents=True)
    return path


def journalled(turn_path: Path) -> list[object]:
    return [entry.get("phase") or entry["state"] for _, entry in journal.read(turn_path.parent.parent)]


def test_a_phase_is_told_when_it_changes_and_the_end_last(turn_path: Path) -> None:
    turn = TurnJournal(turn_path, "fix")
    for phase in ("starting", "starting", "thinking", "answering", "answering", "thinking"):
        turn.phase(phase)
    turn.end("failed", "network")
    assert journalled(turn_path) == ["starting", "thinking", "answering", "thinking", "failed"]
    *_, (_, end) = journal.read(turn_path.parent.parent)
    assert (end["kind"], end["name"], end["turn_id"]) == ("network", "fix", TURN)


def test_each_request_wants_attention_and_tells_the_phase(turn_path: Path) -> None:
    turn = TurnJournal(turn_path)
    for request in ("0", "1"):
        turn.attention("waiting_approval", request, "run touch f1")
        turn.phase("waiting_approval")
    turn.phase("running_command")
    entries = [(entry["event"], entry.get("request")) for _, entry in journal.read(turn_path.parent.parent)]
    assert entries == [("attention", "0"), ("attention", "1"), ("phase", None)]


def test_a_deleted_turn_is_cancelled_whichever_report_comes_first(turn_path: Path) -> None:
    turn = TurnJournal(turn_path)
    shutil.rmtree(turn_path)
    turn.end("complete", None)
    turn.end("complete", None)
    assert journalled(turn_path) == ["cancelled"]


def test_a_journal_that_cannot_be_written_is_left_out(turn_path: Path) -> None:
    folder = journal.folder_of(turn_path.parent.parent)
    folder.write_text("in the way")
    turn = TurnJournal(turn_path)
    turn.phase("starting")
    turn.end("complete", None)
    folder.unlink()
    turn.phase("thinking")
    assert journalled(turn_path) == ["thinking"]


def test_a_lock_that_somebody_keeps_is_waited_for_once(turn_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOCK_TIMEOUT_S", 1.0)
    turn = TurnJournal(turn_path)
    turn.phase("starting")
    fd = lock.try_lock(journal.folder_of(turn_path.parent.parent) / "lock")
    assert fd is not None
    started = time.monotonic()
    for phase in ("thinking", "answering", "editing", "retrying") * 25:
        turn.phase(phase)
    assert 1 <= time.monotonic() - started < 50  # waited for each time, it would take 100 s
    os.close(fd)
    turn.phase("thinking")
    turn.phase("answering")
    assert journalled(turn_path) == ["starting", "thinking", "answering"]
