"""The parsed content of a turn's small files. Owns the one check of their members' types.

Each is written whole, by an atomic rename. A file that fails the check was damaged or edited: all of it counts as
unreadable, and code after the check relies on the types. Unknown members (a newer version's) are ignored; members that
an older version did not write may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from codex_server_cli.core.model.turn import State, TurnError
from codex_server_cli.errors import ErrorKind

_Check = Callable[[Any], bool]
_TOO_LARGE = 2**63
_ENDS = [str(state) for state in State if state.is_end]


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_path(value: Any) -> bool:
    return value is None or (isinstance(value, str) and "\0" not in value)


def _is_switch(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and abs(value) < _TOO_LARGE)


def _is_count(value: Any) -> bool:
    return value is None or (type(value) is int and abs(value) < _TOO_LARGE)


def _is_object(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _list_of(is_member: _Check) -> _Check:
    return lambda value: (
        value is None or (isinstance(value, list) and all(member is not None and is_member(member) for member in value))
    )


def _map_of(is_member: _Check) -> _Check:
    return lambda value: (
        value is None
        or (isinstance(value, dict) and all(member is not None and is_member(member) for member in value.values()))
    )


_are_texts = _list_of(_is_text)

_REQUEST: Mapping[str, _Check] = {
    **dict.fromkeys(
        ("model", "effort", "sandbox", "approval", "profile", "notify", "thread_id", "fork_after"), _is_text
    ),
    **dict.fromkeys(("cwd", "schema_source"), _is_path),
    **dict.fromkeys(("images", "writable_roots"), _list_of(_is_path)),
    **dict.fromkeys(("has_network", "may_ask_questions", "is_plan", "is_ephemeral", "is_fork"), _is_switch),
    **dict.fromkeys(("may_fork_if_busy", "may_bill_api_key", "is_after_reset", "is_compaction"), _is_switch),
    **dict.fromkeys(("deadline_s", "approval_timeout_s"), _is_number),
    **dict.fromkeys(("review", "schema", "config", "profile_config"), _is_object),
    "flags": _map_of(_are_texts),
}
_WORKTREE: Mapping[str, _Check] = {
    **dict.fromkeys(("repository", "prefix", "started_in"), lambda value: value is not None and _is_path(value)),
    "base": lambda value: isinstance(value, str),
    **dict.fromkeys(("path", "branch", "name"), _is_path),
    "is_removed": _is_switch,
}
_SERVER: Mapping[str, _Check] = {
    "url": lambda value: isinstance(value, str),
    **dict.fromkeys(("token_file", "token_env", "path"), _is_path),
    **dict.fromkeys(("pid", "generation"), _is_count),
    "is_insecure": _is_switch,
}
_META: Mapping[str, _Check] = {
    **dict.fromkeys(("turn_id", "name", "thread_id", "codex_turn_id", "started_at", "finished_at"), _is_text),
    **dict.fromkeys(("model", "effort", "sandbox", "approval", "boot_id", "parent_turn"), _is_text),
    **dict.fromkeys(("cwd", "codex"), _is_path),
    **dict.fromkeys(("pid", "pid_start_ticks", "app_server_pid", "put_back"), _is_count),
    "worktree": lambda value: value is None or _has(value, _WORKTREE),
    "server": lambda value: value is None or _has(value, _SERVER),
    "echo": _is_object,
    "request": lambda value: value is not None and _has(value, _REQUEST),
}
_ERROR: Mapping[str, _Check] = {
    **dict.fromkeys(("kind", "message"), lambda value: isinstance(value, str)),
    **dict.fromkeys(("hint", "resets_at", "stderr_tail", "partial_answer"), _is_text),
    "retryable": _is_switch,
}
_CHANGE: Mapping[str, _Check] = {
    **dict.fromkeys(("path", "kind"), lambda value: isinstance(value, str)),
    **dict.fromkeys(("added", "removed"), _is_count),
    **dict.fromkeys(("from", "by"), _is_text),
}
_RESULT: Mapping[str, _Check] = {
    **dict.fromkeys(("thread_id", "codex_turn_id", "model", "answer", "finished_at"), _is_text),
    "cwd": _is_path,
    "state": lambda value: value in _ENDS,
    "usage": _map_of(_is_count),
    **dict.fromkeys(("limits", "recovered"), _is_object),
    "refused": _list_of(_is_object),
    "changes": _list_of(lambda value: _has(value, _CHANGE)),
    "changes_of": _is_text,
    "error": lambda value: value is None or _has(value, _ERROR),
}


def _has(value: Any, members: Mapping[str, _Check]) -> bool:
    return isinstance(value, dict) and all(check(value.get(name)) for name, check in members.items())


def is_meta(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is valid content of `meta.json`: it has a request, and each member is of its type."""
    return _has(value, _META)


def is_result(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is valid content of `result.json`: an end state, with its answer."""
    return _has(value, _RESULT) and "answer" in value


def is_error(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is valid content of the `error` marker."""
    return _has(value, _ERROR)


def whole_error(error: dict[str, Any]) -> dict[str, Any]:
    """An error with all its members: an older version may not have stored some."""
    return TurnError(ErrorKind.INTERNAL, "").to_json() | error


def unreadable_error(turn_id: str, answer: str | None) -> TurnError:
    """The error of a turn whose record cannot be read; `answer` is the part of its answer that had arrived."""
    hint = f"A file of its directory was damaged or edited. What was received: `codex-server tail {turn_id}`"
    return TurnError(ErrorKind.INTERNAL, "the record cannot be read", hint, partial_answer=answer)
