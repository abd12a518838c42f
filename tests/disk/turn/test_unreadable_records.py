"""One boundary: a turn with a damaged or edited small file has failed, and what it had produced is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codex_server_cli.actions.read import follow, read
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import State
from codex_server_cli.disk.gc.bounds import by_age
from codex_server_cli.disk.gc.collect import collect
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn import contents
from codex_server_cli.disk.turn.journal_end import append_end_once
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.errors import ErrorKind
from codex_server_cli.render.notes import end_note
from tests.kit.turns_on_disk import ANSWER, CUT_TURN, TurnsOnDisk

ENDS: dict[str, Callable[[TurnsOnDisk], TurnDir]] = {
    "complete": lambda turns: turns.complete(name="fix"),
    "failed": lambda turns: turns.failed(ErrorKind.NETWORK, ANSWER, name="fix"),
    "cancelled": lambda turns: turns.failed(ErrorKind.CANCELLED, ANSWER, name="fix"),
}
ODD = [7, True, "x", ["x"], {"a": 7}, [None], {"a": [1]}, 10**400]
WRONG: dict[str, dict[str, list[Any]]] = {  # by file and member: what it cannot be
    "meta.json": {
        "turn_id": [7],
        "name": [7],
        "thread_id": [["x"]],
        "codex_turn_id": [{}],
        "cwd": [7, "/a\0b"],
        "started_at": [7],
        "finished_at": [{}],
        "pid": ["x", True, 1.5, 10**400],
        "request": [None, 7, "x", ["x"]],
    },
    "request": {
        "cwd": [7, "a\0"],
        "model": [7],
        "notify": [["x"]],
        "images": ["/i.png", [1], [None], {}],
        "writable_roots": [["/a", None]],
        "is_plan": [1, "x"],
        "deadline_s": ["x", True, 10**400],
        "approval_timeout_s": [[]],
        "schema": [[], "x"],
        "flags": [3, {"--write": 3}, {"--write": [1]}, {"--write": None}],
    },
    "result.json": {
        "state": [None, "running", "x", ["complete"], {}],
        "answer": [7, ["x"]],
        "usage": [[], {"total_tokens": "many"}],
        "limits": [[]],
        "refused": [{}, [1]],
        "error": [7, "x", [1], {"kind": 7, "message": "m"}, {"kind": "network"}, {"kind": "network", "message": ["m"]}],
        "recovered": [True],
    },
    "error": {"kind": [None, 7, ["x"]], "message": [None, {}], "hint": [7], "retryable": ["x"], "resets_at": [7]},
}


@pytest.fixture(autouse=True)
def nothing_to_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read.READER, "_clean_up", lambda _turn: 0)


def sweep(_turn: TurnDir) -> int:
    return 0


def assert_is_reported(turn: TurnDir) -> None:
    """What readers report of a turn whose record cannot be read."""
    turn.events.write_bytes(CUT_TURN)
    turn.out.write_text(f"{ANSWER}\n")
    view = TurnReader(sweep).view(turn)
    error = view.error or {}
    assert (view.state, view.answer, error["partial_answer"]) == (State.FAILED, ANSWER, ANSWER)
    assert (error["kind"], error["message"]) == ("internal", "the record cannot be read")
    assert TurnReader(sweep).state(turn) is State.FAILED
    assert contents.end_of(turn) == (State.FAILED, "internal")
    document = turn_documents.status_with_answer(view, is_full=True)
    assert json.loads(turn_documents.dump(document, is_indented=False))["answer"] == ANSWER
    assert document["next"] == {
        "tail": f"codex-server tail {turn.turn_id}",
        "answer": f"codex-server answer {turn.turn_id}",
    }
    assert "the record cannot be read" in end_note(view)
    assert list(follow.text(turn, follows=True)) == [f"{ANSWER}\n".encode()]
    assert list(follow.events(turn)) == CUT_TURN.splitlines()
    assert read.answer(turn).answer == ANSWER
    assert read.wait(turn).state is State.FAILED


def files(maker: str) -> list[str]:
    return ["meta.json", "result.json", *(["error"] if maker != "complete" else [])]


DAMAGED = [(maker, name) for maker in ENDS for name in files(maker)]


@pytest.mark.parametrize(("maker", "name"), DAMAGED)
def test_a_file_that_is_missing_torn_or_something_else(turns: TurnsOnDisk, maker: str, name: str) -> None:
    for damage in (None, b"", b"{", b"\0" * 64, b"\xff\xfe", b"[]", b"7", b"null", b"{}", b"[" * 5000, b'{"a": NaN}'):
        turn = ENDS[maker](turns)
        path = turn.path / name
        if damage is not None:
            path.write_bytes(damage)
        elif name != "error":  # without a marker its worker is dead, so the turn is repaired
            path.unlink()
        else:
            continue
        assert_is_reported(turn)
    turn = ENDS[maker](turns)
    path = turn.path / name
    path.write_bytes(path.read_bytes()[:-20])
    assert_is_reported(turn)


def _wrong(maker: str) -> Iterator[tuple[str, str, Any]]:
    for name, members in WRONG.items():
        if name in (*files(maker), "request"):
            yield from ((name, member, value) for member, values in members.items() for value in values)


@pytest.mark.parametrize("maker", ENDS)
def test_a_member_of_another_type(turns: TurnsOnDisk, maker: str) -> None:
    for name, member, value in _wrong(maker):
        turn = ENDS[maker](turns)
        path = turn.path / ("meta.json" if name == "request" else name)
        content = json.loads(path.read_bytes())
        (content["request"] if name == "request" else content)[member] = value
        path.write_text(json.dumps(content))
        assert_is_reported(turn)


@pytest.mark.parametrize("maker", ENDS)
def test_a_member_of_any_type_is_told_without_a_traceback(turns: TurnsOnDisk, maker: str) -> None:
    for name in files(maker):
        turn = ENDS[maker](turns)
        path = turn.path / name
        whole = json.loads(path.read_bytes())
        for member in whole:
            for value in ODD:
                path.write_text(json.dumps({**whole, member: value}))
                turn_documents.dump(turn_documents.status(TurnReader(sweep).view(turn)), is_indented=True)


def test_a_member_that_is_not_known_or_not_there_is_no_damage(turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    for path, needed in ((turn.meta, {"request"}), (turn.result, {"state", "answer"})):
        whole = json.loads(path.read_bytes())
        path.write_text(json.dumps({**{name: whole[name] for name in needed}, "of_a_newer_version": [7]}))
    assert (TurnReader(sweep).view(turn).state, TurnReader(sweep).view(turn).answer) == (State.COMPLETE, ANSWER)


def test_a_result_of_another_end_than_the_marker_tells_is_none(turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    turn.result.write_text(turn.result.read_text().replace('"complete"', '"failed"'))
    assert_is_reported(turn)


def test_an_answer_that_is_lost_with_the_record_is_none(turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    turn.result.unlink()
    turn.answer.unlink()
    view = TurnReader(sweep).view(turn)
    assert (view.state, view.answer) == (State.FAILED, None)


def test_a_running_turn_runs_whatever_its_record_holds(turns: TurnsOnDisk) -> None:
    for damage in (b"", b"[]", b'{"request": 7}'):
        turn = turns.running()
        turn.meta.write_bytes(damage)
        view = TurnReader(sweep).view(turn)
        assert (view.state, view.meta, view.error) == (State.RUNNING, {}, None)


def test_its_end_is_told_as_a_failure_and_it_costs_no_other_turn(turns: TurnsOnDisk) -> None:
    turn, other = turns.complete(), turns.complete()
    turn.meta.write_text("{")
    assert append_end_once(turn)
    assert [(entry["state"], entry["kind"]) for _, entry in journal.read(turns.path.parent)] == [("failed", "internal")]
    collected = collect(turns.path.parent, by_age(-1.0, 30), TurnReader(sweep), is_dry_run=False)
    assert collected.turn_ids == (other.turn_id,)  # it may have had a name
    assert turn.path.is_dir()
