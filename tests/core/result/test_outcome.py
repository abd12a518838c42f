"""What an end means: one result from the facts and the cause."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import Approval, Sandbox, TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.changes import ChangeSet
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.outcome import Cause, decide
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import TURN_ID

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
ALL_CAUSES = [cause for cause in Cause if cause is not Cause.FAILED]

REQUEST = TurnRequest(TURN_ID, "/project")
WITH_SCHEMA = REQUEST._replace(schema=SCHEMA)


def _record(
    status: str | None = None, text: str | None = None, *, is_complete: bool = True, **facts: Any
) -> TurnRecord:
    record = TurnRecord()
    record.turn_id, record.status = "turn", status
    for name, value in facts.items():
        setattr(record, name, value)
    if text is not None:
        add = record.messages.complete if is_complete else record.messages.start
        add("m", {"phase": "final_answer", "text": text})
    return record


def _error(kind: ErrorKind) -> Any:
    return failures.make_error(kind, "m")


@for_each("cause", ALL_CAUSES)
def test_a_completed_turn_is_complete_whatever_else_happened(cause: Cause) -> None:
    outcome = decide(_record("completed", "Hello"), cause, REQUEST)
    assert (outcome.state, outcome.answer, outcome.error) == (State.COMPLETE, "Hello", None)


def test_a_crash_after_the_end_does_not_undo_it() -> None:
    outcome = decide(
        _record("completed", "Hello"),
        Cause.FAILED,
        REQUEST,
        error=_error(ErrorKind.CODEX_CRASHED),
    )
    assert outcome.state is State.COMPLETE


def test_a_policy_too_wide_is_a_failure_even_of_a_completed_turn() -> None:
    outcome = decide(_record("completed", "Hello"), Cause.FAILED, REQUEST, error=_error(ErrorKind.SANDBOX))
    assert (outcome.state, outcome.answer) == (State.FAILED, "Hello")


def test_a_turn_may_complete_without_a_word() -> None:
    outcome = decide(_record("completed"), Cause.TURN_ENDED, REQUEST)
    assert (outcome.state, outcome.answer) == (State.COMPLETE, "")


def test_a_completed_turn_keeps_words_whose_end_was_lost() -> None:
    outcome = decide(_record("completed", "Hello", is_complete=False), Cause.TURN_ENDED, REQUEST)
    assert (outcome.state, outcome.answer) == (State.COMPLETE, "Hello")


@for_each(
    ("cause", "kind", "state"),
    [
        (Cause.CANCELLED, ErrorKind.CANCELLED, State.CANCELLED),
        (Cause.DEADLINE, ErrorKind.DEADLINE, State.FAILED),
        (Cause.STALLED, ErrorKind.STALLED, State.FAILED),
        (Cause.WORKER_DIED, ErrorKind.WORKER_DIED, State.ABANDONED),
        (Cause.WORKER_STOPPED, ErrorKind.WORKER_DIED, State.ABANDONED),
        (Cause.TURN_ENDED, ErrorKind.PROTOCOL, State.FAILED),
        (Cause.FAILED, ErrorKind.PROTOCOL, State.FAILED),
    ],
)
@for_each("is_complete", [True, False])
def test_a_turn_that_was_stopped_keeps_what_had_come(
    cause: Cause, kind: ErrorKind, state: State, is_complete: bool
) -> None:
    outcome = decide(_record(None, "Hel", is_complete=is_complete), cause, REQUEST)
    assert outcome.error is not None
    assert (outcome.state, outcome.error.kind, outcome.answer) == (state, kind, "Hel")
    assert outcome.error.partial_answer == "Hel"


_WORKER_ERRORS = [
    (Cause.FAILED, kind)
    for kind in (ErrorKind.CODEX_CRASHED, ErrorKind.PROTOCOL, ErrorKind.DISK, ErrorKind.INTERNAL, ErrorKind.SANDBOX)
]


@for_each(("cause", "kind"), [*((cause, None) for cause in ALL_CAUSES), *_WORKER_ERRORS])
def test_whatever_ends_a_turn_its_usage_and_limits_are_kept_where_codex_told_them(
    cause: Cause, kind: ErrorKind | None
) -> None:
    usage, limits = {"total_tokens": 120}, {"primary": {"usedPercent": 40}}
    error = _error(kind) if kind is not None else None
    reported = decide(_record(None, "Hel", usage=usage, limits=limits), cause, REQUEST, error=error)
    assert (reported.error is not None, reported.usage, reported.limits) == (True, usage, limits)
    silent = decide(_record(), cause, REQUEST, error=error)
    assert (silent.usage, silent.limits) == (None, None)
    assert silent.error is not None
    assert silent.error.partial_answer is None


@for_each("cause", [Cause.TURN_ENDED, Cause.WORKER_DIED])
def test_an_error_of_codex_explains_the_end(cause: Cause) -> None:
    record = _record("failed", error={"message": "no  room", "codexErrorInfo": "contextWindowExceeded"})
    error = decide(record, cause, REQUEST).error
    assert error is not None
    assert (error.kind, error.message, error.codex_error) == (
        ErrorKind.CONTEXT_WINDOW,
        "no room",
        "contextWindowExceeded",
    )


@for_each(
    ("limits", "resets_at"),
    [
        ({"primary": {"usedPercent": 100, "resetsAt": 1_795_193_701}}, "2026-11-20T16:55:01.000Z"),
        (None, None),
    ],
)
def test_a_usage_limit_says_when_it_resets_where_that_is_known(limits: Any, resets_at: str | None) -> None:
    record = _record("failed", error={"message": "m", "codexErrorInfo": "usageLimitExceeded"}, limits=limits)
    outcome = decide(record, Cause.TURN_ENDED, REQUEST)
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.resets_at) == (ErrorKind.USAGE_LIMIT, resets_at)
    assert outcome.limits == limits
    assert outcome.error.retryable


def test_without_a_snapshot_codex_own_words_tell_when_a_limit_resets() -> None:
    error = {"message": "try again at Nov 21st, 2026 6:27 PM.", "codexErrorInfo": "usageLimitExceeded"}
    ended = decide(_record("failed", error=error), Cause.TURN_ENDED, REQUEST).error
    assert ended is not None
    assert ended.resets_at is not None
    assert ended.resets_at.endswith(":28:00.000Z")


@for_each("cause", [Cause.CANCELLED, Cause.DEADLINE, Cause.STALLED])
def test_who_stopped_the_turn_outweighs_the_error_that_followed(cause: Cause) -> None:
    record = _record("failed", error={"message": "m", "codexErrorInfo": "other"})
    error = decide(record, cause, REQUEST).error
    assert error is not None
    assert str(error.kind) == cause.name.lower()


@for_each("cause", [Cause.TURN_ENDED, Cause.WORKER_DIED])
def test_an_interrupt_of_unknown_hand_is_a_cancel(cause: Cause) -> None:
    assert decide(_record("interrupted", "Hel", is_complete=False), cause, REQUEST).state is State.CANCELLED


def test_an_answer_that_fits_its_schema_is_complete() -> None:
    outcome = decide(_record("completed", '{"answer": 42}'), Cause.TURN_ENDED, WITH_SCHEMA)
    assert (outcome.state, outcome.answer) == (State.COMPLETE, '{"answer": 42}')


@for_each("answer", ["plain text", '{"answer": "42"}', None])
def test_an_answer_that_does_not_fit_its_schema_fails_and_is_kept(answer: str | None) -> None:
    outcome = decide(_record("completed", answer), Cause.TURN_ENDED, WITH_SCHEMA)
    assert outcome.error is not None
    assert (outcome.state, outcome.error.kind, outcome.answer) == (State.FAILED, ErrorKind.BAD_SCHEMA, answer or "")
    assert outcome.error.message.startswith("The answer does not match the schema: ")


def test_an_answer_that_cannot_be_held_against_its_schema_fails_and_is_kept() -> None:
    schema = {**SCHEMA, "properties": {"answer": {"type": "integer", "multipleOf": 0.5}}}
    answer = f'{{"answer": {10**400}}}'  # more than the checker can compute with
    outcome = decide(_record("completed", answer), Cause.TURN_ENDED, REQUEST._replace(schema=schema))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.kind, outcome.answer) == (State.FAILED, ErrorKind.BAD_SCHEMA, answer)
    assert outcome.error.message.startswith("The answer cannot be held against the schema: OverflowError: ")


def test_a_schema_is_not_asked_of_a_turn_that_failed() -> None:
    outcome = decide(_record(None, "{", is_complete=False), Cause.CANCELLED, WITH_SCHEMA)
    assert outcome.state is State.CANCELLED


def test_the_stderr_tail_of_codex_go_into_the_error() -> None:
    failed = decide(_record(), Cause.STALLED, REQUEST).with_stderr("panicked")
    assert failed.error is not None
    assert failed.error.stderr_tail == "panicked"
    assert decide(_record(), Cause.STALLED, REQUEST).with_stderr("").error == failed.error._replace(stderr_tail=None)
    complete = decide(_record("completed", "Hello"), Cause.TURN_ENDED, REQUEST)
    assert complete.with_stderr("chatter") == complete


def test_an_interrupt_by_a_worker_that_the_system_stopped_is_no_cancel() -> None:
    outcome = decide(_record("interrupted", "Hel", is_complete=False), Cause.WORKER_STOPPED, REQUEST)
    assert (outcome.state, outcome.answer) == (State.ABANDONED, "Hel")


def test_a_request_that_no_command_can_be_made_of_costs_the_hint_its_options_alone() -> None:
    odd = REQUEST._replace(cwd=None, images=(1,), approval_timeout_s=10**400)  # type: ignore[arg-type]
    error = decide(_record(turn_id=None), Cause.CANCELLED, odd._replace(prompt_path="/turn/prompt.txt")).error
    assert error is not None
    assert error.hint == "To ask again: `codex-server new --cwd / --file /turn/prompt.txt`"


def test_a_right_answer_in_a_fence_is_the_document_alone_and_a_wrong_one_stays_as_it_came() -> None:
    right = decide(_record("completed", '```json\n{"answer": 42}\n```\n'), Cause.TURN_ENDED, WITH_SCHEMA)
    assert (right.state, right.answer, right.error) == (State.COMPLETE, '{"answer": 42}', None)
    fenced = '```json\n{"answer": "no"}\n```'
    wrong = decide(_record("completed", fenced), Cause.TURN_ENDED, WITH_SCHEMA)
    assert wrong.error is not None
    assert (wrong.error.kind, wrong.answer) == (ErrorKind.BAD_SCHEMA, fenced)
    assert "$.answer" in wrong.error.message
    without = decide(_record("completed", fenced), Cause.TURN_ENDED, REQUEST)
    assert without.answer == fenced


# --- what the record has beyond the kind


def test_a_network_out_of_reach_for_ever_is_told_with_what_the_last_retry_said() -> None:
    info = {"responseStreamDisconnected": {"httpStatusCode": None}}
    retry = {"message": "Reconnecting... 9/100", "codexErrorInfo": info, "additionalDetails": "error sending request"}
    error = decide(_record(retry=retry, is_retrying=True), Cause.STALLED, REQUEST).error
    assert error is not None
    assert (error.kind, error.codex_error, error.retryable) == (ErrorKind.STALLED, info, True)
    assert error.message == (
        "Codex only tried the network again, for 10 minutes: Reconnecting... 9/100 (error sending request)"
    )
    assert error.hint == f"Check the network, then: `codex-server continue --turn {TURN_ID} 'go on'`"


def test_a_stall_after_a_retry_that_was_got_over_is_silence() -> None:
    error = decide(_record(retry={"message": "m"}), Cause.STALLED, REQUEST).error
    assert error is not None
    assert error.message == "Codex went silent and did not end the turn."


def test_an_answer_cut_short_by_the_model_can_be_gone_on_with() -> None:
    cut = {"message": "Incomplete response returned, reason: max_output_tokens", "codexErrorInfo": "other"}
    error = decide(_record("failed", "Hel", error=cut), Cause.TURN_ENDED, REQUEST).error
    assert error is not None
    assert error.kind is ErrorKind.BAD_REQUEST
    assert error.hint is not None
    assert error.hint.endswith(f"to go on: `codex-server continue --turn {TURN_ID} 'go on'`")


@for_each(("turn_id", "is_kept"), [("turn", True), (None, False)])
def test_an_ephemeral_turn_is_asked_again_and_what_had_come_of_it_is_kept(turn_id: str | None, is_kept: bool) -> None:
    error = decide(_record(turn_id=turn_id), Cause.CANCELLED, REQUEST._replace(is_ephemeral=True)).error
    assert error is not None
    assert error.hint is not None
    assert "o ask again: `codex-server new" in error.hint
    assert ("is kept" in error.hint) == is_kept


def _patched() -> TurnRecord:
    record = _record("completed", "Done.")
    change = {"path": "/project/a.txt", "kind": {"type": "update", "move_path": "/project/b.txt"}, "diff": ""}
    record.changes.note_item({"type": "fileChange", "status": "completed", "changes": [change]})
    return record


@for_each(
    "terms, changes_of",
    [({}, None), ({"sandbox": Sandbox.WORKSPACE_WRITE}, "patches"), ({"approval": Approval.ASK}, "patches")],
)
def test_what_patches_changed_is_told_with_what_it_is_known_from(terms: dict[str, Any], changes_of: str | None) -> None:
    outcome = decide(_patched(), Cause.TURN_ENDED, REQUEST._replace(**terms))
    assert outcome.changes == [{"path": "b.txt", "kind": "move", "from": "a.txt", "added": 0, "removed": 0}]
    assert (outcome.changes_of, outcome.diff.splitlines()[-1]) == (changes_of, "rename to b.txt")


def test_a_diff_that_cannot_be_read_costs_no_answer() -> None:
    outcome = decide(_patched(), Cause.TURN_ENDED, REQUEST._replace(cwd=None))  # type: ignore[arg-type]
    assert (outcome.answer, outcome.changes) == ("Done.", [])


def test_what_the_work_tree_tells_takes_the_place_of_what_patches_did() -> None:
    outcome = decide(_patched(), Cause.TURN_ENDED, REQUEST).with_work_tree(ChangeSet(base="/project"), "/project")
    assert (outcome.changes, outcome.changes_of, outcome.diff) == ([], "work_tree", "")
