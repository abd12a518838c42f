"""Repair under the worst: killed at every step, several at once, and files that are damaged, missing or huge."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from codex_server_cli.core.model.turn import Marker, State
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn import contents, repair
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from tests.kit.captures import captured_turns
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import ANSWER, CUT_TURN, WHOLE_TURN, TurnsOnDisk

BOTH_ENDS = pytest.mark.parametrize("events", [WHOLE_TURN, CUT_TURN], ids=["complete", "abandoned"])

REPAIR_AND_DIE = """
import os, pathlib, signal, sys
from codex_server_cli.disk.turn.repair import repair
from codex_server_cli.disk.turn.layout import TurnDir
rename, left = os.rename, int(sys.argv[2])
def rename_or_die(source, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    rename(source, target)
os.rename = rename_or_die
repair(TurnDir(pathlib.Path(sys.argv[1])), lambda turn_id: None)
"""
REPAIR_AT_ONCE = """
import pathlib, sys
from codex_server_cli.disk.turn.repair import repair
from codex_server_cli.disk.turn.layout import TurnDir
turn = TurnDir(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
repair(turn, lambda turn_id: print("mine"))
print(turn.result.stat().st_ino, turn.marker, flush=True)
"""


def no_sweep(_turn: TurnDir) -> int:
    return 0


def files_of(turn: TurnDir) -> dict[str, bytes]:
    """The content of every file except the hidden leftovers of a killed writer."""
    paths = (path for path in turn.path.iterdir() if path.is_file() and path.name[0] != ".")
    return {path.name: path.read_bytes() for path in paths}


def without_times(files: dict[str, bytes]) -> dict[str, object]:
    known: dict[str, object] = dict(files)
    for name in ("result.json", "meta.json", "done", "error"):
        if name in files:
            known[name] = {key: value for key, value in json.loads(files[name]).items() if key != "finished_at"}
    return known


@BOTH_ENDS
@pytest.mark.parametrize("written", range(5))
def test_whatever_part_of_an_end_a_dead_repairer_has_left_the_next_one_ends_the_same(
    turns: TurnsOnDisk, tmp_path: Path, events: bytes, written: int
) -> None:
    turn = turns.dead(events)
    before = files_of(turn)
    repair.repair(turn, no_sweep)
    ended = files_of(turn)
    marker = "done" if turn.marker is Marker.DONE else "error"
    order = ["out.txt", "result.json", "answer.txt", "meta.json", marker]
    copy = TurnDir(tmp_path / "copy" / turn.turn_id)
    shutil.copytree(turn.path, copy.path, ignore=shutil.ignore_patterns("wake", *order))
    for number, name in enumerate(order):
        content = ended if number <= written else before
        if name in content:
            (copy.path / name).write_bytes(content[name])
    assert repair.repair(copy, no_sweep) is None
    if written == 0:  # the end time of the turn is not recorded yet
        assert without_times(files_of(copy)) == without_times(ended)
    else:
        assert files_of(copy) == ended


@BOTH_ENDS
@pytest.mark.parametrize("step", range(4))
def test_a_repairer_that_is_killed_between_any_two_files_is_replaced_by_the_next(
    turns: TurnsOnDisk, events: bytes, step: int
) -> None:
    turn, twin = turns.dead(events), turns.dead(events)
    killed = subprocess.run([sys.executable, "-c", REPAIR_AND_DIE, str(turn.path), str(step)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert turn.marker is None
    assert TurnReader(no_sweep).view(turn).state is (State.COMPLETE if events is WHOLE_TURN else State.ABANDONED)
    repair.repair(twin, no_sweep)
    texts = [str(without_times(files_of(each))).replace(each.turn_id, "ID") for each in (turn, twin)]
    assert texts[0] == texts[1]


def test_the_ids_that_only_the_events_tell_outlive_a_repairer_that_died_before_it_wrote_them(
    turns: TurnsOnDisk,
) -> None:
    turn = turns.dead(WHOLE_TURN)
    assert (read_json(turn.meta) or {})["thread_id"] is None
    subprocess.run([sys.executable, "-c", REPAIR_AND_DIE, str(turn.path), "2"], check=False)
    repair.repair(turn, no_sweep)
    meta, result = read_json(turn.meta) or {}, read_json(turn.result) or {}
    assert meta["thread_id"] == result["thread_id"] is not None
    assert meta["codex_turn_id"] == result["codex_turn_id"] is not None


@BOTH_ENDS
def test_of_many_repairers_at_once_one_publishes_and_all_see_its_files(turns: TurnsOnDisk, events: bytes) -> None:
    turn = turns.dead(events)
    command = [sys.executable, "-c", REPAIR_AT_ONCE, str(turn.path)]
    pipe = subprocess.PIPE
    repairers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for each in repairers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    said = [each.communicate("go\n", timeout=DEADLINE_S)[0].splitlines() for each in repairers]
    assert sum(lines.count("mine") for lines in said) == 1
    assert len({lines[-1] for lines in said}) == 1  # one result.json, written once
    before = files_of(turn)
    assert repair.repair(turn, no_sweep) is None
    assert files_of(turn) == before


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "nulls", "directory", "link", "fifo"])
def test_without_readable_events_the_turn_still_gets_its_end(turns: TurnsOnDisk, tmp_path: Path, damage: str) -> None:
    turn = turns.dead(WHOLE_TURN)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(WHOLE_TURN)
    turn.events.unlink()
    match damage:
        case "empty":
            turn.events.touch()
        case "garbage":
            turn.events.write_bytes(os.urandom(1 << 20))
        case "nulls":
            turn.events.write_bytes(b"\0" * 4096)
        case "directory":
            turn.events.mkdir()
        case "link":
            turn.events.symlink_to(elsewhere)
        case "fifo":
            os.mkfifo(turn.events)
    assert repair.repair(turn, no_sweep) is None
    assert turn.marker is Marker.ERROR
    view = TurnReader(no_sweep).view(turn)
    assert (view.state, view.answer) == (State.ABANDONED, None)


def test_a_torn_last_line_costs_no_more_than_itself(turns: TurnsOnDisk) -> None:
    lines = WHOLE_TURN.splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if b'"turn/completed"' in line)
    for torn in (lines[end][:-1], lines[end][: len(lines[end]) // 2]):
        turn = turns.dead(b"".join(lines[:end]) + torn)
        assert repair.repair(turn, no_sweep) is None
        is_whole = torn == lines[end][:-1]  # only its newline is missing
        assert turn.marker is (Marker.DONE if is_whole else Marker.ERROR)
        assert turn.answer.read_text() == ANSWER


def test_a_huge_log_is_replayed_whole(turns: TurnsOnDisk) -> None:
    lines = WHOLE_TURN.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"item/agentMessage/delta"' in line)
    noise = b'{"seq":1,"ts":1,"dir":"in","invalid":"' + b"x" * 30_000_000 + b'"}\n'
    turn = turns.dead(b"".join([*lines[:at], noise, *[lines[at]] * 50_000, *lines[at:]]))
    assert repair.repair(turn, no_sweep) is None
    assert (turn.marker, turn.answer.read_text()) == (Marker.DONE, ANSWER)


@pytest.mark.parametrize("damage", ["missing", "directory", "link"])
def test_without_its_text_file_the_turn_still_gets_its_end(turns: TurnsOnDisk, tmp_path: Path, damage: str) -> None:
    turn = turns.dead(WHOLE_TURN)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    turn.out.unlink()
    if damage == "directory":
        turn.out.mkdir()
    elif damage == "link":
        turn.out.symlink_to(elsewhere)
    assert repair.repair(turn, no_sweep) is None
    assert (turn.marker, turn.answer.read_text()) == (Marker.DONE, ANSWER)
    assert elsewhere.read_bytes() == b""
    if damage == "missing":
        assert turn.out.read_text() == f"{ANSWER}\n"


def test_a_log_that_cannot_be_read_for_now_is_no_end(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.dead(WHOLE_TURN)

    def fail(_path: Path, _flags: int = 0) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(contents, "open_regular", fail)
        outcome = repair.repair(turn, no_sweep)
    assert outcome is not None
    assert outcome["state"] == State.ABANDONED
    assert turn.marker is None
    assert TurnReader(no_sweep).view(turn).state is State.COMPLETE


@pytest.mark.parametrize("name", ["error_USAGE", "interrupt", "output_schema", "retry_then_success"])
def test_a_log_that_is_cut_anywhere_gives_a_clear_end(turns: TurnsOnDisk, name: str) -> None:
    events = captured_turns(name)[0].events()
    for size in range(0, len(events), max(1, len(events) // 12)):
        turn = turns.dead(events[:size])
        assert repair.repair(turn, no_sweep) is None
        assert turn.marker is not None
        assert TurnReader(no_sweep).view(turn).state.is_end


def test_a_defect_of_ours_is_told_of_its_turn_and_nothing_is_written(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = turns.dead(WHOLE_TURN)
    before = files_of(turn)

    def fail(_lines: object) -> NoReturn:
        raise RuntimeError("odd")

    with monkeypatch.context() as patched:
        patched.setattr(repair, "replay", fail)
        view = TurnReader(no_sweep).view(turn)
        assert (view.state, view.answer) == (State.FAILED, None)
        error = view.error or {}
        assert (error["kind"], error["message"]) == ("internal", "a defect of codex-server: RuntimeError: odd")
        assert "report" in error["hint"]
    assert files_of(turn) == before
    assert TurnReader(no_sweep).view(turn).state is State.COMPLETE  # as soon as it is repaired


def test_a_defect_while_nothing_can_be_written_is_told_too(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.dead(WHOLE_TURN)
    turn.lock.unlink()
    turn.lock.mkdir()
    monkeypatch.setattr(repair, "decide", lambda *_, **__: 1 / 0)
    error = TurnReader(no_sweep).view(turn).error or {}
    assert error["message"].startswith("a defect of codex-server: ZeroDivisionError")
