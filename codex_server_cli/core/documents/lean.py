"""The lean form of documents, which agents get unless they pass `--full`: each fact once, and nothing empty.

Owns which facts those are. Must never add a fact that the full document does not have in some form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import at, objects_in
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.errors import ErrorKind

MOST_ANSWER_CHARS = 16_000
"""Of a longer answer only the size is reported: agents' shells truncate long output, in the middle of its JSON."""
MOST_ANSWER_CHARS_OF_SEVERAL = 500
"""The same for each of several turns."""

MOST_CHANGES = 20
"""Of more files only the number is reported, and the command that lists them."""

_STATUS = ("version", "turn_id", "name", "state", "phase", "elapsed_s", "thread_id", "resets_at", "put_back")
_ROW = ("turn_id", "name", "state", "phase", "elapsed_s")
_WORKTREE = ("path", "branch")
_ERROR = ("kind", "message", "hint", "retryable")
_REQUEST = ("id", "kind", "message")
_REPEATED = ("method", "thread_id", "item_id", "asked_at", "can_last", "answer_with")
_CODEX_OWN_WORDS = (ErrorKind.CODEX_CRASHED, ErrorKind.CODEX_MISSING, ErrorKind.PROTOCOL, ErrorKind.INTERNAL)


def without_empty(document: Any) -> Any:
    """A document without nulls and without empty texts, lists and objects, at every depth."""
    if isinstance(document, Mapping):
        kept = {key: without_empty(value) for key, value in document.items()}
        return {key: value for key, value in kept.items() if not _is_empty(value)}
    if isinstance(document, list | tuple):
        return [without_empty(each) for each in document]
    return document


def rows_of(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents of a list, without empty values and without the version, which the list has."""
    return [without_empty({key: value for key, value in each.items() if key != "version"}) for each in documents]


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})


def status_of(full: Mapping[str, Any], view: TurnView, next_command: Mapping[str, str]) -> dict[str, Any]:
    """The lean form of one turn's status.

    Args:
        full: the full form.
        next_command: the one command to run next, under its verb; empty if there is none.
    """
    document = {
        **{key: full[key] for key in _STATUS},
        "put_back": full["put_back"] or None,
        "pending": [{key: entry.get(key) for key in _REQUEST} for entry in objects_in(full["pending"])],
        "refused": full["refused"],
        "worktree": {key: full["worktree"].get(key) for key in _WORKTREE} if view.has_worktree else None,
        **changes_of(view),
        "usage": {"total_tokens": at(full, "usage.total_tokens", int)},
        "notify": notify_failure(view.notify),
        "error": error_of(view.error, next_command),
        "turn_dir": full["turn_dir"],
        "out_path": full["out_path"],
        "next": next_command,
    }
    found: dict[str, Any] = without_empty(document)
    return found


def row_of(full: Mapping[str, Any]) -> dict[str, Any]:
    """The lean form of one turn in a list: what identifies it, and its state."""
    kind = at(full, "error.kind", str)
    waits = [entry.get("id") for entry in objects_in(full.get("pending"))]
    shown = {key: full.get(key) for key in _ROW} | {"pending": waits}
    shown["error"] = {"kind": kind if kind != full["state"] else None}
    row: dict[str, Any] = without_empty(shown)
    return row


def error_of(error: Mapping[str, Any] | None, next_command: Mapping[str, str]) -> dict[str, Any] | None:
    """The lean form of a turn's error: Codex's stderr only where it is the cause, and no command twice."""
    if error is None:
        return None
    shown = {key: error.get(key) for key in _ERROR}
    for verb, command in next_command.items():
        shown["hint"] = (shown["hint"] or "").replace(f"`{command}`", f"`next.{verb}`")
    if error.get("kind") in _CODEX_OWN_WORDS:
        shown["stderr_tail"] = error.get("stderr_tail")
    return shown


def answer_of(view: TurnView, most_chars: int) -> dict[str, Any]:
    """The answer of an ended turn, or its length and its file; empty if there is none."""
    answer = view.answer
    if not answer:
        return {}
    if len(answer) <= most_chars:
        return {"answer": answer}
    return {"answer_chars": len(answer), "answer_path": f"{view.path}/answer.txt"}


def changes_of(view: TurnView) -> dict[str, Any]:
    """The files that a turn changed, or how many, and the command that lists them; empty if there are none."""
    changes = objects_in(view.changes)
    if len(changes) <= MOST_CHANGES:
        return {"changes": changes} if changes else {}
    return {"changes_count": len(changes), "changes_listed_by": of_turn("diff", f"{view.turn_id} --stat")}


def is_answer_told_by_size(view: TurnView, most_chars: int = MOST_ANSWER_CHARS) -> bool:
    """Whether the answer is too long to be included."""
    return len(view.answer or "") > most_chars


def outcome_of(view: TurnView) -> dict[str, Any]:
    """One of several ended turns: its id and name, how it ended, and its answer."""
    error = view.error or {}
    has_reason = view.state not in (State.COMPLETE, State.CANCELLED)
    document = {
        "turn_id": view.turn_id,
        "name": view.meta.get("name"),
        "state": str(view.state),
        **answer_of(view, MOST_ANSWER_CHARS_OF_SEVERAL),
        "error": {key: error.get(key) for key in ("kind", "message")} if has_reason else None,
    }
    found: dict[str, Any] = without_empty(document)
    return found


def request_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A pending request: only what is needed to decide it."""
    found: dict[str, Any] = without_empty({key: value for key, value in entry.items() if key not in _REPEATED})
    return found


def notify_failure(notify: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How the notify command failed; None if it did not."""
    notify = notify or {}
    if not (notify.get("problem") or notify.get("exit_code") or notify.get("signal")):
        return None
    return {key: notify.get(key) for key in ("exit_code", "signal", "problem")}
