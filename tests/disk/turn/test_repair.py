"""The repair of a turn whose worker died: the end that its files prove, published once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.core.model.turn import Marker, State
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn import inbox, repair
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.errors import BadInputError, ErrorKind
from tests.disk.conftest import FullDisk
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import ANSWER, CUT_TURN, WHOLE_TURN, TurnsOnDisk

REPAIR_MANY = """
import pathlib, sys
from codex_server_cli.disk.lock import wait_until_free
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
swept = []
sys.stdin.readline()
for path in sys.argv[1:]:
    turn = TurnDir(pathlib.Path(path))
    while (state := TurnReader(swept.append).state(turn)) == "running":  # the other repairer holds the lock
        wait_until_free(turn.lock)
    assert state == "abandoned", state
print(*(each.turn_id for each in swept))
"""


class Sweeps:
    """A sweep that only records the turns it was called for."""

    def __init__(self) -> None:
        self.turn_ids: list[str] = []

    def __call__(self, turn: TurnDir) -> int:
        self.turn_ids.append(turn.turn_id)
        return 0


@pytest.fixture
def sweep() -> Sweeps:
    return Sweeps()


def files_of(turn: TurnDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in turn.path.iterdir() if path.is_file()}


def error_of(turn: TurnDir) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(turn.error.read_bytes())
    return error


def test_a_worker_that_died_in_the_middle_leaves_an_abandoned_turn_with_its_partial_answer(
    turns: TurnsOnDisk, sweep: Sweeps
) -> None:
    turn = turns.dead(CUT_TURN)
    turn.log.write_text("first words\nlast words\n")
    assert repair.repair(turn, sweep) is None
    error = error_of(turn)
    assert (error["kind"], error["retryable"], error["partial_answer"]) == ("worker_died", True, ANSWER)
    assert error["stderr_tail"] == "first words\nlast words"
    assert f"codex-server continue --turn {turn.turn_id}" in error["hint"]
    result = read_json(turn.result) or {}
    assert (result["state"], result["answer"]) == ("abandoned", ANSWER)
    meta = read_json(turn.meta) or {}
    assert meta["thread_id"] == result["thread_id"] == "01a1f9ff-9cbc-76c1-b5ee-b92ff9d7aa40"
    assert meta["finished_at"] == result["finished_at"] == error["finished_at"]
    assert sweep.turn_ids == [turn.turn_id]


def test_a_turn_that_had_ended_on_the_wire_is_complete(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead(WHOLE_TURN)
    assert repair.repair(turn, sweep) is None
    assert turn.marker is Marker.DONE
    assert turn.answer.read_text() == ANSWER
    assert sweep.turn_ids == [turn.turn_id]


@pytest.mark.parametrize(
    "torn", [b"", b"\n", b'{"seq":99,"ts":1,"dir":"in","method":"turn/comp', b"\x00" * 512, b"\xff\n[]\n"]
)
def test_a_log_that_ends_in_the_middle_of_a_write_is_replayed_as_far_as_it_goes(
    turns: TurnsOnDisk, sweep: Sweeps, torn: bytes
) -> None:
    turn = turns.dead(CUT_TURN + torn)
    assert repair.repair(turn, sweep) is None
    assert error_of(turn)["partial_answer"] == ANSWER


def test_nothing_recorded_is_an_abandoned_turn_without_an_answer(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead(b"")
    assert repair.repair(turn, sweep) is None
    assert error_of(turn)["partial_answer"] is None
    assert not turn.answer.exists()


@pytest.mark.parametrize(
    ("state", "marker"), [("complete", Marker.DONE), ("failed", Marker.ERROR), ("cancelled", Marker.ERROR)]
)
def test_a_finished_result_without_its_marker_gets_it(
    turns: TurnsOnDisk, sweep: Sweeps, state: str, marker: Marker
) -> None:
    turn = turns.dead(CUT_TURN)
    error = None if state == "complete" else {"version": 1, "kind": "cancelled", "message": "m"}
    result = {"state": state, "answer": "its own", "error": error, "finished_at": "2026-11-20T16:55:09.000Z"}
    write_json(turn.result, result)
    assert repair.repair(turn, sweep) is None
    assert turn.marker is marker
    assert read_json(turn.result) == result
    if error is not None:
        assert error_of(turn) == {**error, "partial_answer": "its own", "finished_at": result["finished_at"]}


def test_a_crash_right_after_the_result_leaves_nothing_unwritten(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead(CUT_TURN)
    result = {"state": "complete", "answer": "its own", "error": None, "finished_at": "2026-11-20T16:55:09.000Z"}
    write_json(turn.result, result)
    assert repair.repair(turn, sweep) is None
    assert turn.answer.read_text() == "its own"
    assert (read_json(turn.meta) or {})["finished_at"] == result["finished_at"]
    assert turn.marker is Marker.DONE


@pytest.mark.parametrize("state", ["complete", "failed"])
def test_a_result_that_does_not_say_when_is_finished_all_the_same(
    turns: TurnsOnDisk, sweep: Sweeps, state: str
) -> None:
    turn = turns.dead(CUT_TURN)
    write_json(turn.result, {"state": state, "answer": None})
    assert repair.repair(turn, sweep) is None
    assert turn.marker is (Marker.DONE if state == "complete" else Marker.ERROR)


@pytest.mark.parametrize(
    "result",
    [
        b'{"state": "comp',
        b"[]",
        b'{"state": "running", "answer": ""}',
        b'{"state": null, "answer": ""}',
        b'{"state": "complete"}',
    ],
)
def test_a_result_that_makes_no_sense_is_made_anew(turns: TurnsOnDisk, sweep: Sweeps, result: bytes) -> None:
    turn = turns.dead(WHOLE_TURN)
    turn.result.write_bytes(result)
    assert repair.repair(turn, sweep) is None
    made = read_json(turn.result) or {}
    assert (made["state"], made["answer"]) == ("complete", ANSWER)


def test_repairing_again_changes_nothing(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead()
    repair.repair(turn, sweep)
    before = files_of(turn)
    assert repair.repair(turn, sweep) is None
    assert files_of(turn) == before
    assert len(sweep.turn_ids) == 1


def test_the_state_of_the_work_tree_goes_with_its_worker(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead()
    (turn.snapshot / "objects").mkdir(parents=True)
    (turn.snapshot / "index").write_bytes(b"x")
    (turn.path / ".live.json.1").write_bytes(b"torn")
    assert repair.repair(turn, sweep) is None
    assert list(turn.path.glob(".*")) == []
    assert turn.marker is Marker.ERROR


def test_a_turn_that_is_alive_after_all_is_left_alone(
    turns: TurnsOnDisk, sweep: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "_LOCK_TIMEOUT_S", 0.05)
    turn = turns.running()
    before = files_of(turn)
    assert repair.repair(turn, sweep) is None
    assert files_of(turn) == before
    assert sweep.turn_ids == []


def test_two_repairers_at_once_are_one_repairer_and_one_who_looks_again(turns: TurnsOnDisk) -> None:
    dead = [turns.dead() for _ in range(20)]
    command = [sys.executable, "-c", REPAIR_MANY, *(str(turn.path) for turn in dead)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    swept = [turn_id for process in processes for turn_id in process.communicate(timeout=DEADLINE_S)[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(swept) == [turn.turn_id for turn in dead]
    for turn in dead:
        assert turn.marker is Marker.ERROR
        assert error_of(turn)["finished_at"] == (read_json(turn.result) or {})["finished_at"]


def test_an_unanswered_cancel_makes_it_a_cancelled_turn(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead()
    inbox.post(turn, "cancel")
    assert repair.repair(turn, sweep) is None
    assert error_of(turn)["kind"] == "cancelled"
    assert TurnReader(sweep).view(turn).state is State.CANCELLED


def test_a_cancel_that_was_answered_before_the_worker_died_does_so_too(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead()
    inbox.post(turn, "cancel")
    inbox.reply(inbox.unanswered(turn)[0].path)
    assert repair.repair(turn, sweep) is None
    assert error_of(turn)["kind"] == "cancelled"


def test_a_cancel_that_was_refused_or_another_request_does_not(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead()
    inbox.post(turn, "cancel")
    inbox.reply(inbox.unanswered(turn)[0].path, BadInputError("no"))
    inbox.post(turn, "steer")
    assert repair.repair(turn, sweep) is None
    assert error_of(turn)["kind"] == "worker_died"


@pytest.mark.parametrize("shown", ["", "Hello", "Hello from mock"])
def test_text_that_was_recorded_but_not_shown_yet_is_added(turns: TurnsOnDisk, sweep: Sweeps, shown: str) -> None:
    turn = turns.dead()
    turn.out.write_text(shown)
    repair.repair(turn, sweep)
    assert turn.out.read_text() == "Hello from mock\n"


def test_text_that_is_not_what_the_replay_gives_stays_and_ends_its_line(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead()
    turn.out.write_text("something else")
    repair.repair(turn, sweep)
    assert turn.out.read_text() == "something else\n"


def test_an_answer_that_breaks_the_schema_of_its_turn_is_a_failure(turns: TurnsOnDisk, sweep: Sweeps) -> None:
    turn = turns.dead(
        WHOLE_TURN, request={"schema": {"type": "object", "properties": {}, "additionalProperties": False}}
    )
    repair.repair(turn, sweep)
    assert error_of(turn)["kind"] == ErrorKind.BAD_SCHEMA
    assert error_of(turn)["partial_answer"] == ANSWER


@pytest.mark.parametrize("meta", [b"", b"[]", b'{"version": 1, "request": "odd"}'])
def test_a_dead_turn_whose_meta_file_cannot_be_read_fails_with_all_that_had_come(
    turns: TurnsOnDisk, sweep: Sweeps, meta: bytes
) -> None:
    turn = turns.dead(WHOLE_TURN)
    turn.meta.write_bytes(meta)
    assert repair.repair(turn, sweep) is None
    assert (error_of(turn)["kind"], error_of(turn)["message"]) == ("internal", "the record cannot be read")
    view = TurnReader(sweep).view(turn)
    assert (view.state, view.answer, (view.error or {})["kind"]) == (State.FAILED, ANSWER, "internal")


class TestWhereNothingCanBeWritten:
    """The state is derived all the same, each time anew."""

    def test_the_outcome_is_told_and_the_files_stay_as_they_are(
        self, turns: TurnsOnDisk, sweep: Sweeps, full_disk: FullDisk
    ) -> None:
        turn = turns.dead()
        turn.out.write_text(ANSWER)
        before = files_of(turn)
        with full_disk():
            outcome = repair.repair(turn, sweep)
            view = TurnReader(sweep).view(turn)
        assert outcome is not None
        assert (outcome["state"], outcome["answer"]) == (State.ABANDONED, ANSWER)
        assert (view.state, view.answer, (view.error or {})["kind"]) == (State.ABANDONED, ANSWER, "worker_died")
        assert files_of(turn) == before

    def test_a_finished_result_is_told_as_it_stands(
        self, turns: TurnsOnDisk, sweep: Sweeps, full_disk: FullDisk
    ) -> None:
        turn = turns.dead(CUT_TURN)
        error = {"version": 1, "kind": "deadline", "message": "m"}
        write_json(turn.result, {"state": "failed", "answer": "its own", "error": error, "finished_at": None})
        with full_disk():
            view = TurnReader(sweep).view(turn)
        assert (view.state, view.answer, (view.error or {})["kind"]) == (State.FAILED, "its own", "deadline")
        assert turn.marker is None

    def test_a_lock_that_cannot_be_opened_is_no_hindrance(self, turns: TurnsOnDisk, sweep: Sweeps) -> None:
        turn = turns.dead(WHOLE_TURN)
        turn.lock.unlink()
        turn.lock.mkdir()
        outcome = repair.repair(turn, sweep)
        assert outcome is not None
        assert (outcome["state"], outcome["answer"]) == (State.COMPLETE, ANSWER)
        assert sweep.turn_ids == []

    def test_even_without_any_file_there_is_a_state(self, sweep: Sweeps, tmp_path: Path) -> None:
        turn = TurnDir(tmp_path / "20261120-165501-482-7f3a")
        turn.path.mkdir()
        view = TurnReader(sweep).view(turn)
        assert (view.state, view.answer) == (State.FAILED, None)
