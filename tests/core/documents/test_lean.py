"""What an agent reads without `--full`: each fact once, nothing empty, and the one command to run next."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.documents import lean
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.record.approval_request import ApprovalRequest, RequestKind
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
PATH = f"/home/dev/.codex-server/turns/{TURN_ID}"
META = {"thread_id": "t", "codex_turn_id": "c", "cwd": "/home/dev", "model": "m", "started_at": "s"}
RUNNING = TurnView(TURN_ID, PATH, State.RUNNING, Phase.THINKING, 1.5, META, {"usage": {"total_tokens": 7}})
COMPLETE = TurnView(TURN_ID, PATH, State.COMPLETE, meta=META, result={"answer": "yes", "usage": {"total_tokens": 7}})
GO_ON = f"codex-server continue --turn {TURN_ID} 'go on'"
FAILED = COMPLETE._replace(
    state=State.FAILED,
    result={"answer": "half"},
    error={
        "version": 1,
        "kind": "network",
        "message": "The stream broke.",
        "hint": f"It may pass: `{GO_ON}`.",
        "retryable": True,
        "codex_error": None,
        "stderr_tail": "noise",
        "partial_answer": "half",
    },
)
REQUEST = {"id": "0", "kind": "command", "message": "run ls", "command": "ls", "cwd": "/p", "reason": None, "url": None}
WAIT = f"codex-server wait {TURN_ID} --timeout 100"


def test_a_started_turn_is_what_its_starter_needs_in_few_characters() -> None:
    document = turn_documents.started(RUNNING)
    assert document == {
        "version": 2,
        "turn_id": TURN_ID,
        "state": "running",
        "turn_dir": PATH,
        "out_path": f"{PATH}/out.txt",
        "next": {"wait": WAIT},
    }
    assert len(turn_documents.dump(document, is_indented=False)) <= 330


def test_a_running_turn_is_told_with_the_command_to_wait() -> None:
    assert turn_documents.status(RUNNING) == {
        "version": 2,
        "turn_id": TURN_ID,
        "state": "running",
        "phase": "thinking",
        "elapsed_s": 1.5,
        "thread_id": "t",
        "usage": {"total_tokens": 7},
        "turn_dir": PATH,
        "out_path": f"{PATH}/out.txt",
        "next": {"wait": WAIT},
    }


def test_a_turn_without_an_answer_has_no_such_key() -> None:
    assert turn_documents.status_with_answer(RUNNING) == turn_documents.status(RUNNING)


def test_a_turn_that_has_vanished_is_missing_in_every_document() -> None:
    gone, missing = TurnView(TURN_ID, "", State.MISSING), {"version": 2, "turn_id": TURN_ID, "state": "missing"}
    assert turn_documents.status(gone) == turn_documents.status_with_answer(gone) == missing
    assert turn_documents.status_with_requests(gone, []) == missing | {"pending": []}
    assert turn_documents.recovered(gone, "m", is_recovered=False) == missing | {"recovered": False, "message": "m"}
    assert turn_documents.outcome(gone) == {"turn_id": TURN_ID, "state": "missing"}


def test_a_turn_that_asks_names_the_request_and_where_to_see_it() -> None:
    entry = {key: REQUEST[key] for key in ("id", "kind", "message")} | {"answer_with": "approve", "expires_at": "e"}
    asking = RUNNING._replace(live={"pending": [entry]})
    status = turn_documents.status(asking)
    assert status["pending"] == [{"id": "0", "kind": "command", "message": "run ls"}]
    assert status["next"] == {"pending": f"codex-server pending {TURN_ID}"}


def test_a_request_that_is_told_in_full_has_the_commands_that_decide_it_and_nothing_else_is_next() -> None:
    asking = RUNNING._replace(live={"pending": [REQUEST]}, meta=META | {"request": {"approval": "ask"}})
    document = turn_documents.status_with_requests(asking, [REQUEST])
    (request,) = document["pending"]
    assert request == {
        "id": "0",
        "kind": "command",
        "message": "run ls",
        "command": "ls",
        "cwd": "/p",
        "next": {
            "approve": f"codex-server approve {TURN_ID} 0",
            "decline": f"codex-server decline {TURN_ID} 0",
        },
    }
    assert "next" not in document  # to wait would return the same request at once
    full = turn_documents.status_with_requests(asking, [REQUEST], is_full=True)
    assert full["pending"] == [REQUEST | {"next": request["next"]}]
    assert (list(full["next"])[:2], full["answer"]) == (["pending", "wait"], None)


def test_a_complete_turn_leads_to_its_answer_and_one_told_with_it_to_the_next_turn() -> None:
    status, with_answer = turn_documents.status(COMPLETE), turn_documents.status_with_answer(COMPLETE)
    assert status["next"] == {"answer": f"codex-server answer {TURN_ID}"}
    assert with_answer["next"] == {"continue": f"codex-server continue --turn {TURN_ID} -"}
    assert with_answer["answer"] == "yes"
    assert "next" not in turn_documents.status_with_answer(COMPLETE._replace(meta={}))  # no thread to go on with


def test_a_long_answer_is_told_by_its_size() -> None:
    longest, longer = ("a" * lean.MOST_ANSWER_CHARS, "é" * (lean.MOST_ANSWER_CHARS + 1))
    assert turn_documents.status_with_answer(COMPLETE._replace(result={"answer": longest}))["answer"] == longest
    view = COMPLETE._replace(result={"answer": longer})
    document = turn_documents.status_with_answer(view)
    assert "answer" not in document
    assert (document["answer_chars"], document["answer_path"]) == (len(longer), f"{PATH}/answer.txt")
    assert document["next"] == {"answer": f"codex-server answer {TURN_ID}"}
    assert turn_documents.status_with_answer(view, is_full=True)["answer"] == longer


def test_few_changed_files_are_listed_and_many_are_told_by_their_number() -> None:
    entries = [{"path": f"{number}.txt", "kind": "add", "added": 1, "removed": 0} for number in range(21)]
    few = COMPLETE._replace(result={**COMPLETE.result, "changes": entries[:20], "changes_of": "work_tree"})
    assert turn_documents.status(few)["changes"] == entries[:20]
    assert turn_documents.status(few, is_full=True)["changes_of"] == "work_tree"
    many = RUNNING._replace(live={**RUNNING.live, "changes": entries})
    document = turn_documents.status_with_answer(many)
    assert (document["changes_count"], document["changes_listed_by"]) == (21, f"codex-server diff {TURN_ID} --stat")
    assert "changes" not in document
    assert turn_documents.status(many, is_full=True)["changes"] == entries
    assert not [key for key in turn_documents.status(COMPLETE) if key.startswith("changes")]


def test_a_failure_has_its_reason_once_and_the_command_of_its_hint_as_the_next_one() -> None:
    document = turn_documents.status_with_answer(FAILED)
    assert document["error"] == {
        "kind": "network",
        "message": "The stream broke.",
        "hint": "It may pass: `next.continue`.",
        "retryable": True,
    }
    assert (document["next"], document["answer"]) == ({"continue": GO_ON}, "half")


@for_each(
    ("kind", "is_told"), [("codex_crashed", True), ("protocol", True), ("internal", True), ("usage_limit", False)]
)
def test_codex_own_words_are_told_where_they_are_the_fact(kind: str, is_told: bool) -> None:
    view = FAILED._replace(error=(FAILED.error or {}) | {"kind": kind})
    assert ("stderr_tail" in turn_documents.status(view)["error"]) is is_told


def test_a_failure_without_a_command_in_its_hint_has_no_next() -> None:
    view = FAILED._replace(error={"kind": "internal", "message": "m", "hint": "Please report it."})
    document = turn_documents.status(view)
    assert "retryable" not in document["error"]
    assert ("next" in document, document["error"]["hint"]) == (False, "Please report it.")


def test_what_was_cancelled_is_not_gone_on_with_by_itself() -> None:
    cancelled = FAILED._replace(state=State.CANCELLED, error=(FAILED.error or {}) | {"kind": "cancelled"})
    assert "next" not in turn_documents.status(cancelled)
    assert turn_documents.status(cancelled, is_full=True)["next"]["continue"] == GO_ON


def test_who_has_asked_codex_is_not_told_to_ask_it_again() -> None:
    recover = f"codex-server recover {TURN_ID}"
    view = FAILED._replace(
        state=State.ABANDONED, error={"kind": "worker_died", "hint": f"Ask: `{recover}`. Or `{GO_ON}`."}
    )
    assert turn_documents.status(view)["next"] == {"recover": recover}
    asked = turn_documents.recovered(view, "nothing new", is_recovered=False)
    assert (asked["next"], asked["recovered"], asked["message"]) == ({"continue": GO_ON}, False, "nothing new")
    lone = view._replace(error={"kind": "worker_died", "hint": f"Ask: `{recover}`."})
    assert "next" not in turn_documents.recovered(lone, "nothing new", is_recovered=False)


def test_rows_of_a_list_have_no_version_each() -> None:
    assert lean.rows_of([{"version": 2, "model": "m", "hidden": False, "description": None}]) == [
        {"model": "m", "hidden": False}
    ]


def test_several_that_were_waited_for_have_a_short_line_each() -> None:
    named = COMPLETE._replace(meta=META | {"name": "fix"})
    assert turn_documents.outcome(named) == {
        "turn_id": TURN_ID,
        "name": "fix",
        "state": "complete",
        "answer": "yes",
    }
    assert turn_documents.outcome(FAILED) == {
        "turn_id": TURN_ID,
        "state": "failed",
        "answer": "half",
        "error": {"kind": "network", "message": "The stream broke."},
    }
    long = COMPLETE._replace(result={"answer": "a" * 501})
    assert turn_documents.outcome(long) == {
        "turn_id": TURN_ID,
        "state": "complete",
        "answer_chars": 501,
        "answer_path": f"{PATH}/answer.txt",
    }
    assert turn_documents.outcome(long, is_full=True)["answer"] == "a" * 501


def test_turns_in_a_list_are_told_apart_and_no_more() -> None:
    failed = turn_documents.listed(FAILED, "what was asked")
    assert failed == {
        "turn_id": TURN_ID,
        "state": "failed",
        "error": {"kind": "network"},
        "prompt": "what was asked",
    }
    cancelled = FAILED._replace(state=State.CANCELLED, error={"kind": "cancelled"})
    assert "error" not in turn_documents.listed(cancelled, "")
    assert turn_documents.several([]) == {"version": 2, "turns": []}


@for_each(
    ("notify", "expected"),
    [
        (None, None),
        ({"event": "end", "exit_code": 0, "signal": None, "problem": None}, None),
        ({"event": "end", "exit_code": 3, "signal": None, "problem": None}, {"exit_code": 3}),
        ({"event": "end", "exit_code": None, "signal": None, "problem": "gone"}, {"problem": "gone"}),
    ],
)
def test_a_notify_command_is_told_where_it_failed(notify: Any, expected: Any) -> None:
    assert turn_documents.status(COMPLETE._replace(notify=notify)).get("notify") == expected


def test_what_was_decided_and_what_was_steered_is_not_told_back() -> None:
    decided = turn_documents.decided(RUNNING, "approve", REQUEST)
    assert (decided["request"], decided["next"]) == ({"id": "0"}, {"wait": WAIT})
    assert turn_documents.steered(RUNNING, "to the left") == {
        "version": 2,
        "turn_id": TURN_ID,
        "next": {"wait": WAIT},
    }
    assert turn_documents.steered(RUNNING, "to the left", is_full=True)["text"] == "to the left"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
)


@given(JSON)
def test_nothing_empty_stays_in_an_object_and_all_else_does(value: Any) -> None:
    kept = lean.without_empty({"value": value})
    assert lean.without_empty(kept) == kept
    if value not in (None, "") and not isinstance(value, list | dict):
        assert kept == {"value": value}

    def check(found: Any) -> None:
        for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else []:
            if isinstance(found, dict):
                assert each is not None
                assert each not in ("", [], {})
            check(each)

    check(kept)


def test_the_keys_that_can_be_chosen_are_those_of_the_full_documents() -> None:
    assert turn_documents.status_keys() == tuple(turn_documents.full_status(COMPLETE))
    assert turn_documents.pending_keys() == tuple(turn_documents.pending(RUNNING, _entry(), 0, is_full=True))


def _entry() -> dict[str, Any]:
    return ApprovalRequest("0", 0, RequestKind.COMMAND, {"command": "ls"}, None, 0, 0).to_json()


WORKTREE = {"path": "/h/worktrees/x", "branch": "codex/x", "base": "c", "started_in": "/p", "is_removed": False}


def test_a_worktree_is_told_by_place_and_branch_and_what_it_holds_is_applied_next() -> None:
    view = COMPLETE._replace(meta={**META, "worktree": WORKTREE})
    document = turn_documents.status_with_answer(view)
    assert document["worktree"] == {"path": "/h/worktrees/x", "branch": "codex/x"}
    assert document["next"] == {"apply": f"codex-server apply {TURN_ID}"}
    assert turn_documents.status(view)["next"] == {"answer": f"codex-server answer {TURN_ID}"}


def test_a_worktree_that_is_gone_is_not_told() -> None:
    document = turn_documents.status_with_answer(
        COMPLETE._replace(meta={**META, "worktree": {**WORKTREE, "is_removed": True}})
    )
    assert "worktree" not in document
    assert "continue" in document["next"]
