"""Maps the record of a turn and the cause of its end to one result. Decides nothing else.

Shared by the worker (a live end) and the repair (an end found in `events.jsonl`), so that the same messages always give
the same result.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, NamedTuple

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.core.model.turn import State, TurnError, format_time_ms, state_of_kind
from codex_server_cli.core.model.turn_files import unreadable_error
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.record.changes import ChangeSet, ChangesOf
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.record.usage import Usage
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.hints import End, hint_of
from codex_server_cli.core.result.schema import document_in, validate_answer
from codex_server_cli.errors import ErrorKind


class Cause(Enum):
    """Why the turn is over, as its driver sees it."""

    TURN_ENDED = auto()  # `turn/completed`, or an error that Codex does not retry
    CANCELLED = auto()
    DEADLINE = auto()
    STALLED = auto()
    FAILED = auto()  # the driver passes the error
    WORKER_DIED = auto()
    WORKER_STOPPED = auto()  # terminated by the system


_MESSAGE_OF_STOP = {
    Cause.CANCELLED: (ErrorKind.CANCELLED, "The turn was cancelled."),
    Cause.DEADLINE: (ErrorKind.DEADLINE, "The turn's deadline passed."),
    Cause.STALLED: (ErrorKind.STALLED, "Codex went silent and did not end the turn."),
    Cause.WORKER_DIED: (ErrorKind.WORKER_DIED, "The worker died before the turn ended."),
    Cause.WORKER_STOPPED: (ErrorKind.WORKER_DIED, "The system stopped the worker before the turn ended."),
}


class Outcome(NamedTuple):
    """How a turn ended: the content of `result.json`, without ids and times.

    Attributes:
        state: the end state.
        answer: the final answer; for any other end than `complete` the part received, or None.
        usage: tokens of this turn, None if Codex sent none.
        limits: the last rate-limit snapshot (wire names), None if Codex sent none.
        error: why it is not `complete`; None when it is.
        refused: what Codex tried and was refused, as by `Refusal.to_json`.
        changes: the files that the turn changed, as by `ChangeSet.to_json`.
        changes_of: the source of `changes`; None if no command of the turn could write.
        diff: the changes, as text.
    """

    state: State
    answer: str | None
    usage: Usage | None
    limits: dict[str, Any] | None
    error: TurnError | None
    refused: list[dict[str, Any]] = []  # noqa: RUF012 — shared, and never changed
    changes: list[dict[str, Any]] = []  # noqa: RUF012
    changes_of: ChangesOf | None = None
    diff: str = ""

    def with_changes(self, record: TurnRecord, request: TurnRequest) -> Outcome:
        """The same outcome with the changes of the turn's patches."""
        changes_of = ChangesOf.PATCHES if request.may_write else None
        try:
            found = record.changes.found(request.work_dir)
            return self._replace(changes=found.to_json(request.work_dir), changes_of=changes_of, diff=found.diff())
        except Exception:  # a diff that we cannot read must not lose the outcome
            return self._replace(changes_of=changes_of)

    def with_work_tree(self, found: ChangeSet, cwd: str) -> Outcome:
        """The same outcome with all changes: `found` includes what commands wrote."""
        return self._replace(changes=found.to_json(cwd), changes_of=ChangesOf.WORK_TREE, diff=found.diff())

    def with_stderr(self, tail: str) -> Outcome:
        """The same outcome with Codex's stderr tail in its error."""
        if self.error is None:
            return self
        return self._replace(error=self.error._replace(stderr_tail=failures.stderr_tail(tail)))


def decide(record: TurnRecord, cause: Cause, request: TurnRequest, *, error: TurnError | None = None) -> Outcome:
    """The result of these facts.

    A turn that Codex reports as completed is always complete, so that a finished answer is never lost to a late cancel,
    crash or deadline.

    Args:
        record: the replay of everything that was received.
        cause: why the driver stopped.
        request: the turn as requested: the schema for the answer, and facts for the hints.
        error: the driver's own error, with `Cause.FAILED`.
    """
    return _decide(record, cause, request, error).with_changes(record, request)


def _decide(record: TurnRecord, cause: Cause, request: TurnRequest, error: TurnError | None) -> Outcome:
    answer = record.answer if record.answer is not None else record.partial_answer
    if record.status == "completed" and (error is None or error.kind is not ErrorKind.SANDBOX):
        answer, error = _checked(answer or "", request.schema)
    elif error is None:
        error = _stop_error(record, cause)
    refused = record.refusals.to_json()
    if error is None:
        return Outcome(State.COMPLETE, answer, record.usage, record.limits, None, refused)
    error = error._replace(hint=_hint(record, error, request), partial_answer=answer)
    return Outcome(state_of_kind(error.kind), answer, record.usage, record.limits, error, refused)


def unreadable(record: TurnRecord, turn_id: str) -> Outcome:
    """The end of a turn whose request can no longer be read; what was received still counts."""
    answer = record.answer if record.answer is not None else record.partial_answer
    error = unreadable_error(turn_id, answer)
    return Outcome(State.FAILED, answer, record.usage, record.limits, error, record.refusals.to_json())


def _checked(answer: str, schema: dict[str, Any] | None) -> tuple[str, TurnError | None]:
    """The final form of an answer (with a schema only the JSON document, if valid), and its error."""
    if schema is None:
        return answer, None
    try:
        document = document_in(answer)
        complaint = validate_answer(document, schema)
    except Exception as error:  # of the validator: must neither lose nor accept the answer
        problem = f"cannot be held against the schema: {type(error).__name__}: {error}"
    else:
        if complaint is None:
            return document, None
        problem = f"does not match the schema: {complaint}"
    return answer, failures.make_error(ErrorKind.BAD_SCHEMA, f"{failures.WRONG_ANSWER}{problem}")


def _hint(record: TurnRecord, error: TurnError, request: TurnRequest) -> str:
    """The next step; without the turn's flags if no command can be made from them.

    The hint of the driver's own error, if any, replaces that of the kind.
    """
    has_begun = record.turn_id is not None
    is_resumable = has_begun and not request.is_ephemeral
    end = End(error.kind, error.message, error.resets_at, is_resumable, has_begun, error.codex_error, error.hint)
    try:
        return hint_of(end, request)
    except Exception:  # a failed hint must not lose the outcome
        return hint_of(end, TurnRequest(request.turn_id, cwd="/", prompt_path=request.prompt_path))


def _stop_error(record: TurnRecord, cause: Cause) -> TurnError:
    if record.error is not None and cause in (Cause.TURN_ENDED, Cause.WORKER_DIED):
        kind, message = failures.kind_of_turn_error(record.error, record.retry), rpc.readable_message(record.error)
        facts: dict[str, Any] = {"codex_error": record.error.get("codexErrorInfo")}
        if kind is ErrorKind.USAGE_LIMIT:
            from codex_server_cli.core.result.usage_limit import reset_time_s  # 2 ms that no other end needs

            resets_s = reset_time_s(record.limits, message, record.completed_s)
            facts["resets_at"] = format_time_ms(resets_s * 1000) if resets_s is not None else None
        return failures.make_error(kind, message, **facts)
    if record.status == "interrupted" and cause in (Cause.TURN_ENDED, Cause.WORKER_DIED):
        return failures.make_error(ErrorKind.CANCELLED, "Codex interrupted the turn.")
    if cause is Cause.STALLED and record.is_retrying and record.retry is not None:
        minutes = LIMIT_MS[Timer.RETRIES] / 60_000
        message = f"{failures.ONLY_RETRIED}, for {minutes:g} minutes: {rpc.readable_message(record.retry)}"
        return failures.make_error(ErrorKind.STALLED, message, codex_error=record.retry.get("codexErrorInfo"))
    if cause not in _MESSAGE_OF_STOP:
        return failures.make_error(ErrorKind.PROTOCOL, "Codex ended the turn without saying why.")
    kind, message = _MESSAGE_OF_STOP[cause]
    return failures.make_error(kind, message)
