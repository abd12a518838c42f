"""What is accepted as the content of a turn's small files."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.turn_files import is_error, is_meta, is_result, unreadable_error, whole_error
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.outcome import unreadable
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
REQUEST = {**TurnRequest(TURN_ID, "/project").to_json(), "images": ["images/1-a.png"], "writable_roots": []}
META: dict[str, Any] = {"turn_id": TURN_ID, "cwd": "/project", "pid": 7, "request": REQUEST}
ERROR = unreadable_error(TURN_ID, None).to_json()
RESULT: dict[str, Any] = {
    "state": "failed",
    "answer": None,
    "error": ERROR,
    "usage": {"total_tokens": 7},
    "refused": [],
    "changes": [{"path": "a", "kind": "move", "from": "b", "added": 1, "removed": 0}, {"path": "b", "kind": "add"}],
    "changes_of": "patches",
}


def test_what_was_written_passes() -> None:
    assert is_meta(META)
    assert is_error(ERROR)
    assert is_result(RESULT)
    assert is_meta({"request": {**REQUEST, "flags": {"--write": [], "--name": ["x"]}, "deadline_s": 1.5}})


@for_each("value", [None, 7, "x", [], {}])
def test_what_is_no_such_object_does_not(value: Any) -> None:
    assert not is_meta(value)
    assert not is_result(value)
    assert not is_error(value)


@for_each(
    "changed",
    [{"cwd": 7}, {"cwd": "\0"}, {"pid": True}, {"pid": 2**63}, {"name": []}, {"request": None}, {"request": []}],
)
def test_a_meta_file_with_a_member_of_another_type_does_not(changed: dict[str, Any]) -> None:
    assert not is_meta({**META, **changed})


@for_each(
    "changed",
    [
        {"images": "x"},
        {"images": [None]},
        {"images": [1]},
        {"is_plan": 1},
        {"deadline_s": True},
        {"deadline_s": 10**400},
        {"schema": []},
        {"flags": []},
        {"flags": {"--write": None}},
        {"flags": {"--write": [1]}},
    ],
)
def test_a_request_with_a_member_of_another_type_does_not(changed: dict[str, Any]) -> None:
    assert not is_meta({**META, "request": {**REQUEST, **changed}})


@for_each(
    "changed",
    [
        *({"state": "running"}, {"state": []}, {"answer": 7}, {"error": {"kind": "x"}}, {"usage": {"a": "b"}}),
        *({"model": 7}, {"cwd": "\0"}),
    ],
)
def test_a_result_with_a_member_of_another_type_does_not(changed: dict[str, Any]) -> None:
    assert not is_result({**RESULT, **changed})


def test_a_result_without_an_answer_does_not() -> None:
    assert not is_result({"state": "complete"})
    assert is_result({"state": "complete", "answer": None})


def test_an_error_of_an_older_version_gets_every_member() -> None:
    reported = whole_error({"kind": "network", "message": "m"})
    assert reported.keys() == ERROR.keys()
    assert (reported["kind"], reported["message"], reported["hint"]) == ("network", "m", "")


def test_a_turn_of_which_nothing_tells_what_was_asked_fails_with_what_had_come() -> None:
    record = TurnRecord()
    assert unreadable(record, TURN_ID).answer is None
    record.thread_id, record.turn_id = "t", "c"
    item = {"type": "agentMessage", "id": "1", "text": "whole", "phase": "final_answer"}
    record.feed_in({"method": "item/completed", "params": {"threadId": "t", "turnId": "c", "item": item}})
    outcome = unreadable(record, TURN_ID)
    assert (outcome.state, outcome.answer) == (State.FAILED, "whole")
    assert outcome.error == unreadable_error(TURN_ID, "whole")
    assert outcome.error.kind is ErrorKind.INTERNAL


RECORD = {"repository": "/p", "prefix": "", "started_in": "/p", "base": "c", "path": None, "is_removed": False}


@for_each(
    "changed", [{}, {"path": "/h/worktrees/x", "branch": "codex/x", "name": "x", "of_a_newer_version": 1}], ids=str
)
def test_the_record_of_a_worktree_passes(changed: dict[str, Any]) -> None:
    assert is_meta({**META, "worktree": {**RECORD, **changed}})


@for_each(
    "changed", [{"base": None}, {"started_in": None}, {"prefix": 1}, {"path": "a\0b"}, {"is_removed": "no"}], ids=str
)
def test_one_that_cannot_be_followed_does_not(changed: dict[str, Any]) -> None:
    assert not is_meta({**META, "worktree": {**RECORD, **changed}})
