"""Every failure that a user can meet, as one tree. Owns kinds, exit codes and hints; must never print or log.

    CodexServerError
    ├── UsageError            64  the command line is wrong
    ├── BadInputError         65  a prompt, schema, image, cwd or config file is wrong
    ├── NotLoggedInError       2  no ChatGPT login (with the login guide)
    ├── NotFoundError         66  no such turn or thread
    │   ├── AmbiguousError    66  a prefix that several share
    │   └── UnknownThreadError 66 no thread has this id, prefix or name
    ├── CodexMissingError     69  no usable codex binary
    ├── ServerError           69  the app-server that was named cannot be reached, or refuses
    ├── RefusalError           1  an app-server answered a raw call with an error
    ├── LateError            124  an app-server did not answer a raw call in time
    ├── HomeError             73  the home cannot be written
    ├── BusyError             75  held by another process, or not ended yet: retry
    └── InternalError          1  a defect of this program, never the user's fault

A failed *turn* is not an exception: it is a record on disk, whose `kind` is an `ErrorKind` too.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any


class Exit(IntEnum):
    """Process exit codes: a stable contract (README, "Exit codes")."""

    OK = 0
    FAILED = 1
    NOT_LOGGED_IN = 2
    ABANDONED = 3
    CANCELLED = 4
    ATTENTION = 5
    USAGE = 64
    BAD_INPUT = 65
    NOT_FOUND = 66
    CODEX_MISSING = 69
    CANNOT_WRITE = 73
    BUSY = 75
    TIMEOUT = 124
    INTERRUPTED = 130


class ErrorKind(StrEnum):
    """What went wrong, as a stable identifier in `error`, `result.json` and JSON output."""

    AUTH = "auth"
    USAGE_LIMIT = "usage_limit"
    RATE_LIMIT = "rate_limit"
    CONTEXT_WINDOW = "context_window"
    NETWORK = "network"
    OVERLOADED = "overloaded"
    BAD_REQUEST = "bad_request"
    BAD_SCHEMA = "bad_schema"
    BAD_INPUT = "bad_input"
    SANDBOX = "sandbox"
    THREAD_BUSY = "thread_busy"
    THREAD_MISSING = "thread_missing"
    CODEX_MISSING = "codex_missing"
    CODEX_CRASHED = "codex_crashed"
    PROTOCOL = "protocol"
    DISK = "disk"
    STALLED = "stalled"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    WORKER_DIED = "worker_died"
    INTERNAL = "internal"

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later without a change by the user."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        ErrorKind.USAGE_LIMIT,
        ErrorKind.RATE_LIMIT,
        ErrorKind.NETWORK,
        ErrorKind.OVERLOADED,
        ErrorKind.THREAD_BUSY,
        ErrorKind.CODEX_CRASHED,
        ErrorKind.STALLED,
        ErrorKind.WORKER_DIED,
        ErrorKind.DISK,
    }
)


class CodexServerError(Exception):
    """Base of the tree: one clear sentence, a next step, a kind and an exit code.

    Args:
        message: one line that needs no context: it names the thing that is wrong.
        hint: the next step, as a sentence or a command; may be empty. May span lines (the login guide).
        kind: overrides the class's kind where a finer one is known.
    """

    exit_code: Exit = Exit.FAILED
    kind: ErrorKind = ErrorKind.INTERNAL

    def __init__(self, message: str, *, hint: str = "", kind: ErrorKind | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if kind is not None:
            self.kind = kind

    def to_json(self) -> dict[str, Any]:
        """The contract's error object: `{"version":2,"error":{"kind","message","hint","exit_code"}}`."""
        error = {
            "kind": str(self.kind),
            "message": self.message,
            "hint": self.hint,
            "exit_code": int(self.exit_code),
        }
        return {"version": 2, "error": error}


class UsageError(CodexServerError):
    """The command line is wrong."""

    exit_code = Exit.USAGE
    kind = ErrorKind.BAD_INPUT


class BadInputError(CodexServerError):
    """What the user passed (prompt, schema, image, cwd, a config file) cannot be used."""

    exit_code = Exit.BAD_INPUT
    kind = ErrorKind.BAD_INPUT


class NotLoggedInError(CodexServerError):
    """No ChatGPT login, or one that would bill an API key without consent."""

    exit_code = Exit.NOT_LOGGED_IN
    kind = ErrorKind.AUTH


class NotFoundError(CodexServerError):
    """No such turn or thread."""

    exit_code = Exit.NOT_FOUND
    kind = ErrorKind.BAD_INPUT


class AmbiguousError(NotFoundError):
    """A prefix that several turns or threads share."""


class UnknownThreadError(NotFoundError):
    """No thread has this id, prefix or name."""

    kind = ErrorKind.THREAD_MISSING


class CodexMissingError(CodexServerError):
    """No codex binary, or one that does not speak `app-server`."""

    exit_code = Exit.CODEX_MISSING
    kind = ErrorKind.CODEX_MISSING


class ServerError(CodexServerError):
    """The app-server that the user named cannot be reached, refuses, or is not an app-server."""

    exit_code = Exit.CODEX_MISSING
    kind = ErrorKind.NETWORK


class RefusalError(CodexServerError):
    """An app-server answered a raw call with an error.

    Attributes:
        error: that error, as it came.
    """

    kind = ErrorKind.BAD_REQUEST

    def __init__(
        self, message: str, *, hint: str = "", kind: ErrorKind | None = None, error: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, hint=hint, kind=kind)
        self.error = error or {}

    def to_json(self) -> dict[str, Any]:
        """The error object, with the `code` and the `data` of the error that came."""
        document = super().to_json()
        document["error"] |= {name: self.error[name] for name in ("code", "data") if name in self.error}
        return document


class LateError(CodexServerError):
    """An app-server did not answer a raw call in time; it may have executed the call."""

    exit_code = Exit.TIMEOUT
    kind = ErrorKind.STALLED


class HomeError(CodexServerError):
    """The home directory cannot be created or written."""

    exit_code = Exit.CANNOT_WRITE
    kind = ErrorKind.DISK


class BusyError(CodexServerError):
    """Another process holds the turn or thread, or it has not ended yet.

    Attributes:
        holder: our turn that holds it, if it is one; `holder_pid`: the process, where it is not ours.
        occupied: the thread with queued work that Codex would run first, where that is the reason.
    """

    exit_code = Exit.BUSY
    kind = ErrorKind.THREAD_BUSY
    holder: str | None = None
    holder_pid: int | None = None
    occupied: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The error object, with the holder where it is known."""
        document = super().to_json()
        holder = {"holder": self.holder, "holder_pid": self.holder_pid}
        document["error"] |= {name: value for name, value in holder.items() if value is not None}
        return document


class InternalError(CodexServerError):
    """A defect of this program."""
