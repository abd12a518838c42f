"""Turn ids, names and selectors, and the one state table.

Owns the shape of turn ids and names and the derivation of a state from facts. Must never read a clock, a lock
or a file: the caller passes the facts, in the order that law 2 of the turn directory demands.
"""

from __future__ import annotations

import re
import time
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from codex_server_cli.core.model.turn_id import unix_s
from codex_server_cli.errors import ErrorKind, Exit

# Compiled where they are used: few commands need one, and compiling all costs each start 0.5 ms.
_ID = r"[0-9]{8}-[0-9]{6}-[0-9]{3}-[0-9a-f]{4}"
_ID_PREFIX = r"[0-9a-f-]{1,24}"
_ID_END = r"(?:(?:[0-9]{6}-)?[0-9]{3}-)?[0-9a-f]{4}"
_TIME = r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})Z"
_NAME = r"(?a)[A-Za-z][\w.-]{0,63}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class State(StrEnum):
    """The state of a turn. Derived by `derive_state`, never stored."""

    MISSING = "missing"
    RUNNING = "running"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    FAILED = "failed"
    UNREADABLE = "unreadable"

    @property
    def is_end(self) -> bool:
        """Whether the state is final, as far as known."""
        return self not in (State.MISSING, State.RUNNING, State.UNREADABLE)


class Phase(StrEnum):
    """What a running turn is doing. Valid only while its worker holds the lock."""

    QUEUED = "queued"
    STARTING = "starting"
    THINKING = "thinking"
    ANSWERING = "answering"
    RUNNING_COMMAND = "running_command"
    EDITING = "editing"
    RETRYING = "retrying"
    WAITING_APPROVAL = "waiting_approval"
    WAITING_INPUT = "waiting_input"
    FINISHING = "finishing"


class Marker(StrEnum):
    """The file that ends a turn; exactly one of them is ever written."""

    DONE = "done"
    ERROR = "error"


EXIT_OF_STATE = {
    State.MISSING: Exit.NOT_FOUND,
    State.RUNNING: Exit.BUSY,
    State.COMPLETE: Exit.OK,
    State.CANCELLED: Exit.CANCELLED,
    State.ABANDONED: Exit.ABANDONED,
    State.FAILED: Exit.FAILED,
    State.UNREADABLE: Exit.CANNOT_WRITE,
}
"""The exit code of a command that ends with its turn."""

_STATE_OF_KIND = {ErrorKind.CANCELLED: State.CANCELLED, ErrorKind.WORKER_DIED: State.ABANDONED}


class Facts(NamedTuple):
    """What a reader observed, in this order: the lock first, the marker second (law 2).

    Attributes:
        exists: whether there is such a directory.
        lock_held: whether a live process holds its lock.
        marker: which end marker exists, if any.
        error_kind: the `kind` inside the `error` marker; None if it is invalid.
        is_refused: whether a required read was denied, as for another user's turn.
    """

    exists: bool
    lock_held: bool
    marker: Marker | None = None
    error_kind: str | None = None
    is_refused: bool = False


def derive_state(facts: Facts) -> State | None:
    """The state that these facts prove, or None where a repairer must decide (lock free, no marker).

    A marker always takes precedence over the lock: a worker that has published its end is not busy. A turn that may not
    be read never gets an end state.
    """
    if not facts.exists:
        return State.MISSING
    if facts.is_refused:
        return State.UNREADABLE
    if facts.marker is Marker.DONE:
        return State.COMPLETE
    if facts.marker is Marker.ERROR:
        return state_of_kind(facts.error_kind)
    return State.RUNNING if facts.lock_held else None


def state_of_kind(kind: str | None) -> State:
    """The end state of an error kind; an unknown or unreadable kind is a failure."""
    for known, state in _STATE_OF_KIND.items():
        if kind == known:
            return state
    return State.FAILED


def is_turn_id(text: str) -> bool:
    """Whether `text` has the shape of a whole turn id."""
    return _compiled(_ID).fullmatch(text) is not None


def is_turn_id_prefix(text: str) -> bool:
    """Whether `text` can be the prefix of a turn id; never true for a path that leaves a directory."""
    return text[:1].isdigit() and _compiled(_ID_PREFIX).fullmatch(text) is not None


def is_turn_id_end(text: str) -> bool:
    """Whether `text` can be the suffix of a turn id, as `short_ids` makes it: `7f3a`, `482-7f3a`."""
    return _compiled(_ID_END).fullmatch(text) is not None


def is_turn_name(text: str) -> bool:
    """Whether `text` may name a turn: `[A-Za-z][\\w.-]{0,63}`, and not the reserved word `last`."""
    return _compiled(_NAME).fullmatch(text) is not None and text != "last"


class TurnError(NamedTuple):
    """Why a turn did not complete: the content of the `error` marker and of `result.json`'s `error`.

    Attributes:
        kind: a stable identifier.
        message: one line for people.
        hint: the next step.
        retryable: whether the same request may succeed later.
        resets_at: RFC 3339 UTC time at which a usage limit resets, if Codex reported it.
        codex_error: Codex's own `codexErrorInfo`, verbatim, if there was one.
        stderr_tail: the end of Codex's stderr, if there is any.
        partial_answer: the part of the answer that had arrived, if any.
    """

    kind: ErrorKind
    message: str
    hint: str = ""
    retryable: bool = False
    resets_at: str | None = None
    codex_error: Any = None
    stderr_tail: str | None = None
    partial_answer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The error as a JSON object; absent values are null, so that every error has the same keys."""
        return {
            "version": 1,
            "kind": str(self.kind),
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
            "resets_at": self.resets_at,
            "codex_error": self.codex_error,
            "stderr_tail": self.stderr_tail,
            "partial_answer": self.partial_answer,
        }


def format_time_ms(unix_ms: int) -> str:
    """A Unix time in milliseconds as RFC 3339 UTC, like `2026-11-20T16:55:01.482Z`."""
    seconds, milliseconds = divmod(unix_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"


def parse_time_ms(text: object) -> int | None:
    """The inverse of `format_time_ms`; None for anything else."""
    match = _compiled(_TIME).fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    *date, milliseconds = (int(group) for group in match.groups())
    try:
        unix_ms = unix_s(*date) * 1000 + milliseconds
        return unix_ms if format_time_ms(unix_ms) == text else None  # `unix_s` accepts a 31st of June
    except ValueError:
        return None
