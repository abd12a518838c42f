"""The JSON documents: their keys are a contract, and their `next` commands work as they stand."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
PATH = f"/home/dev/.codex-server/turns/{TURN_ID}"
META = {"thread_id": "t", "codex_turn_id": "c", "cwd": "/home/dev", "model": "m", "started_at": "s"}
RUNNING = TurnView(TURN_ID, PATH, State.RUNNING, Phase.THINKING, 1.5, META, {"usage": {"total_tokens": 1}})
COMPLETE = TurnView(TURN_ID, PATH, State.COMPLETE, meta=META | {"finished_at": "f"}, result={"answer": "yes"})
STATUS_KEYS = (
    *("version", "turn_id", "name", "state", "phase", "thread_id", "codex_turn_id", "cwd", "worktree"),
    *("model", "effort"),
    *("sandbox", "approval", "server", "started_at", "finished_at", "last_activity", "elapsed_s", "usage", "limits"),
    *("refused", "changes", "changes_of", "pending", "put_back"),
    *("resets_at", "error", "notify"),
    *("turn_dir", "out_path", "events_path", "done_marker", "error_marker", "meta_path", "next"),
)


def test_new_answers_with_exactly_the_keys_of_the_contract() -> None:
    view = TurnView(TURN_ID, PATH, State.RUNNING, meta={"thread_id": None})
    document = turn_documents.started(view, is_full=True)
    commands = document.pop("next")
    assert document == {
        "version": 2,
        "turn_id": TURN_ID,
        "thread_id": None,
        "state": "running",
        "existing": False,
        "turn_dir": PATH,
        "out_path": f"{PATH}/out.txt",
        "events_path": f"{PATH}/events.jsonl",
        "done_marker": f"{PATH}/done",
        "error_marker": f"{PATH}/error",
        "meta_path": f"{PATH}/meta.json",
    }
    assert {"wait", "tail", "status"} <= set(commands)


def test_a_turn_that_an_earlier_call_has_started_is_said_to_be_existing_and_another_is_not() -> None:
    new, existing = (turn_documents.started(COMPLETE, is_existing=each) for each in (False, True))
    assert existing == {**new, "existing": True}
    assert (existing["state"], list(existing["next"])) == ("complete", ["answer"])
    assert turn_documents.started(COMPLETE, is_full=True, is_existing=True)["existing"]
    told = turn_documents.status_with_answer(COMPLETE)
    assert turn_documents.ended(COMPLETE) == told
    assert turn_documents.ended(COMPLETE, is_existing=True) == {**told, "existing": True}
    full = turn_documents.status_with_answer(COMPLETE, is_full=True)
    assert turn_documents.ended(COMPLETE, is_full=True) == {**full, "existing": False}


UNREADABLE = TurnView(TURN_ID, PATH, State.UNREADABLE, error={"kind": "disk"})


def test_nothing_can_be_done_next_with_what_may_not_be_read() -> None:
    document = turn_documents.status(UNREADABLE, is_full=True)
    assert (document["state"], document["error"], document["next"]) == ("unreadable", {"kind": "disk"}, {})


@for_each("view", [RUNNING, COMPLETE, UNREADABLE], ids=["running", "complete", "unreadable"])
def test_a_status_has_the_same_keys_in_every_state(view: TurnView) -> None:
    assert tuple(turn_documents.status(view, is_full=True)) == STATUS_KEYS
    assert tuple(turn_documents.status_with_answer(view, is_full=True)) == (*STATUS_KEYS, "answer")


def test_a_running_turn_tells_what_it_does_and_has_used() -> None:
    status = turn_documents.status(RUNNING, is_full=True)
    assert (status["state"], status["phase"], status["elapsed_s"]) == ("running", "thinking", 1.5)
    assert (status["usage"], status["pending"], status["error"]) == ({"total_tokens": 1}, [], None)
    assert turn_documents.status_with_answer(RUNNING, is_full=True)["answer"] is None


def test_a_turn_that_waits_for_a_limit_or_has_met_one_says_when_it_resets() -> None:
    at = "2026-11-20T21:00:00.000Z"
    held = RUNNING._replace(phase=Phase.QUEUED, live={"resets_at": at})
    met = COMPLETE._replace(state=State.FAILED, error={"kind": "usage_limit", "resets_at": at})
    assert [turn_documents.status(view, is_full=True)["resets_at"] for view in (held, met, RUNNING, COMPLETE)] == [
        at,
        at,
        None,
        None,
    ]


def test_an_ended_turn_tells_its_answer_and_no_phase() -> None:
    document = turn_documents.status_with_answer(COMPLETE, is_full=True)
    assert (document["state"], document["phase"], document["answer"]) == ("complete", None, "yes")
    assert document["last_activity"] == "f"


def test_a_recovered_turn_is_its_status_and_answer_and_what_was_done() -> None:
    document = turn_documents.recovered(COMPLETE, "all is well", is_recovered=True, is_full=True)
    assert document == {
        **turn_documents.status_with_answer(COMPLETE, is_full=True),
        "recovered": True,
        "message": "all is well",
    }


def test_a_missing_turn_has_its_id_and_state_alone() -> None:
    missing = TurnView("nope", "", State.MISSING)
    assert turn_documents.status(missing, is_full=True) == {"version": 2, "turn_id": "nope", "state": "missing"}


def test_several_turns_are_one_document() -> None:
    document = turn_documents.several([RUNNING, COMPLETE], is_full=True)
    assert (document["version"], [turn["state"] for turn in document["turns"]]) == (2, ["running", "complete"])
    assert turn_documents.several([]) == {"version": 2, "turns": []}


GO_ON = f"codex-server continue --turn {TURN_ID} 'go on'"


@for_each(
    ("view", "commands"),
    [
        (RUNNING, {"wait", "tail", "status", "cancel"}),
        (COMPLETE, {"answer", "tail", "continue"}),
        (COMPLETE._replace(meta={}), {"answer", "tail"}),  # no thread to continue
        (COMPLETE._replace(meta=META | {"request": {"is_ephemeral": True}}), {"answer", "tail"}),  # it left none
        (COMPLETE._replace(error={"kind": "network", "hint": f"Try `{GO_ON}`."}), {"answer", "tail", "continue"}),
        (COMPLETE._replace(error={"kind": "network"}), {"answer", "tail"}),
    ],
    ids=["running", "complete", "without a thread", "ephemeral", "failed", "without a hint"],
)
def test_the_next_commands_are_those_that_make_sense(view: TurnView, commands: set[str]) -> None:
    found = turn_documents.status(view, is_full=True)["next"]
    assert set(found) == commands
    assert all(command.startswith("codex-server ") and TURN_ID in command for command in found.values())


def test_a_document_is_one_line_for_programs_and_indented_for_people() -> None:
    assert turn_documents.dump({"text": "é\n"}, is_indented=False) == '{"text":"é\\n"}'
    assert turn_documents.dump({"text": "é\n"}, is_indented=True) == '{\n  "text": "é\\n"\n}'


def test_a_lone_surrogate_is_written_escaped() -> None:
    assert turn_documents.dump({"text": "\ud800é"}, is_indented=False) == '{"text":"\\ud800\\u00e9"}'


@given(
    st.recursive(st.text(st.characters(codec=None, exclude_categories=())), lambda inner: st.lists(inner, max_size=3))
)
def test_any_text_can_be_written_and_read_back(value: Any) -> None:
    text = turn_documents.dump({"value": value}, is_indented=False)
    text.encode()
    assert json.loads(text) == {"value": value}


def test_what_was_applied_is_told_by_file() -> None:
    facts = {"conflicts": (), "left": (), "branch": "codex/x", "message": "Applied.", "next": "git status"}
    full = turn_documents.applied(TURN_ID, [("a", "add")], facts, is_full=True)
    assert full == {
        "version": 2,
        "turn_id": TURN_ID,
        "applied": [{"path": "a", "kind": "add"}],
        "conflicts": [],
        "left": [],
        "branch": "codex/x",
        "message": "Applied.",
        "next": {"status": "git status"},
    }
    lean = turn_documents.applied(TURN_ID, [("a", "add")], facts)
    assert lean == {key: value for key, value in full.items() if key not in ("conflicts", "left")}


def test_where_nothing_was_left_to_apply_nothing_is_next() -> None:
    facts = {"conflicts": (), "left": (), "branch": "codex/x", "message": "Already applied.", "next": ""}
    document = turn_documents.applied(TURN_ID, [], facts)
    assert document["applied"] == []
    assert "next" not in document
