"""From Codex's errors to our error kinds, each with a next step. Owns the mapping; never acts on it.

Sources: protocol notes, section 5 (`codexErrorInfo` and the table of upstream failures) and section 3 (what
`thread/start` and `thread/resume` refuse); captures `error_*`.
"""

from __future__ import annotations

import re
from typing import Any

from codex_server_cli.core.rpc import OVERLOADED, Message
from codex_server_cli.core.turn import TurnError
from codex_server_cli.errors import ErrorKind

_KIND_OF_INFO = {
    "contextWindowExceeded": ErrorKind.CONTEXT_WINDOW,
    "sessionBudgetExceeded": ErrorKind.USAGE_LIMIT,
    "usageLimitExceeded": ErrorKind.USAGE_LIMIT,
    "rateLimitExceeded": ErrorKind.RATE_LIMIT,
    "flexUnavailable": ErrorKind.OVERLOADED,
    "serverOverloaded": ErrorKind.OVERLOADED,
    "policyCapacityUnavailable": ErrorKind.OVERLOADED,
    "internalServerError": ErrorKind.OVERLOADED,
    "unauthorized": ErrorKind.AUTH,
    "sandboxError": ErrorKind.SANDBOX,
}
_KIND_OF_STATUS = {401: ErrorKind.AUTH, 403: ErrorKind.AUTH, 404: ErrorKind.BAD_REQUEST, 429: ErrorKind.RATE_LIMIT}
_NETWORK_INFO = frozenset(
    {
        "httpConnectionFailed",
        "responseStreamConnectionFailed",
        "responseStreamDisconnected",
        "responseTooManyFailedAttempts",
    }
)
_SCHEMA_REFUSAL = re.compile(r"invalid_json_schema|Invalid schema for response_format|text\.format\.schema")
_REFUSALS = (  # what a JSON-RPC error message of thread/* or turn/* gives away; -32600 says nothing itself
    (re.compile(r"already has an active writer"), ErrorKind.THREAD_BUSY),
    (re.compile(r"no rollout found|thread not found|is archived|invalid session id"), ErrorKind.THREAD_MISSING),
    (re.compile(r"failed to load configuration|error loading config"), ErrorKind.BAD_INPUT),
    (re.compile(r"Input exceeds the maximum"), ErrorKind.BAD_INPUT),
    (re.compile(r"authentication required|not logged in", re.IGNORECASE), ErrorKind.AUTH),
    (re.compile(r"unknown variant `"), ErrorKind.PROTOCOL),
)

_HINTS = {
    ErrorKind.AUTH: "Run `codex login` and try again.",
    ErrorKind.USAGE_LIMIT: "Wait until the limit resets, then: {resume}",
    ErrorKind.RATE_LIMIT: "Wait a moment, then: {resume}",
    ErrorKind.CONTEXT_WINDOW: "Start a new thread with `codex-server new`, handing over only what it needs.",
    ErrorKind.NETWORK: "Check the network, then: {resume}",
    ErrorKind.OVERLOADED: "Wait a moment or choose another model with --model, then: {resume}",
    ErrorKind.BAD_REQUEST: "Read the message; the model or an option may not fit: see `codex-server doctor`.",
    ErrorKind.BAD_SCHEMA: "Mend the schema or the prompt; the answer is kept: {answer}",
    ErrorKind.BAD_INPUT: "Mend what the message names, then ask again.",
    ErrorKind.SANDBOX: "Codex's effective policy was not the one asked for: see `codex-server doctor`.",
    ErrorKind.THREAD_BUSY: "Another process is writing this thread: wait for its end, or use --fork.",
    ErrorKind.THREAD_MISSING: "List the threads that exist: codex-server list",
    ErrorKind.CODEX_MISSING: "Install or update codex, then run `codex-server setup`.",
    ErrorKind.CODEX_CRASHED: "Read worker.log in the turn directory; then: {resume}",
    ErrorKind.PROTOCOL: "Codex and codex-server may not fit together: see `codex-server doctor`.",
    ErrorKind.DISK: "Free some space, then: {resume}",
    ErrorKind.STALLED: "What had come is kept; to go on: {resume}",
    ErrorKind.DEADLINE: "Give a longer --deadline; to go on from here: {resume}",
    ErrorKind.CANCELLED: "What had come is kept; to go on: {resume}",
    ErrorKind.WORKER_DIED: "What had come is kept; to go on: {resume}",
    ErrorKind.INTERNAL: "This is a defect of codex-server: worker.log in the turn directory has the details.",
}
KINDS_EXPLAINED_BY_STDERR = frozenset(
    {ErrorKind.CODEX_CRASHED, ErrorKind.CODEX_MISSING, ErrorKind.PROTOCOL, ErrorKind.STALLED, ErrorKind.BAD_INPUT}
)
"""Ends for which Codex's own last words belong into the error."""


def hint_of(kind: ErrorKind, turn_id: str, *, is_resumable: bool) -> str:
    """The next step for a turn that ended with this kind, with the exact command where there is one.

    Args:
        is_resumable: whether the turn left a thread that `continue` can go on with.
    """
    resume = f"codex-server continue --turn {turn_id} 'go on'" if is_resumable else "ask again with codex-server new"
    return _HINTS[kind].format(resume=resume, answer=f"codex-server answer {turn_id}")


def make_error(kind: ErrorKind, message: str, **facts: Any) -> TurnError:
    """A `TurnError` with the kind's own retryability; its hint is added where the whole end is known (`outcome`)."""
    return TurnError(kind, message, retryable=kind.is_retryable, **facts)


def kind_of_turn_error(error: Message, last_retry: Message | None) -> ErrorKind:
    """The kind of a wire `TurnError` that ended a turn.

    Args:
        error: `{message, codexErrorInfo, …}` from `error` or `turn/completed`.
        last_retry: the last error that Codex retried: a cut stream ends as a bare `other`, and only the retries
            before it tell that the network was the cause (capture error_DISC).
    """
    info, text = error.get("codexErrorInfo"), str(error.get("message") or "")
    if _SCHEMA_REFUSAL.search(text):
        return ErrorKind.BAD_SCHEMA
    if isinstance(info, str) and info != "other":
        return _KIND_OF_INFO.get(info, ErrorKind.BAD_REQUEST)
    kind = _kind_of_network_info(info)
    if kind is None and last_retry is not None and not text.startswith("{"):
        kind = _kind_of_network_info(last_retry.get("codexErrorInfo"))
    return kind or ErrorKind.BAD_REQUEST


def _kind_of_network_info(info: Any) -> ErrorKind | None:
    if not isinstance(info, dict):
        return None
    name, detail = next(iter(info.items()), (None, None))
    if name not in _NETWORK_INFO:
        return None
    status = detail.get("httpStatusCode") if isinstance(detail, dict) else None
    if not isinstance(status, int):
        return ErrorKind.NETWORK
    return ErrorKind.OVERLOADED if status >= 500 else _KIND_OF_STATUS.get(status, ErrorKind.NETWORK)


def kind_of_refusal(error: Message) -> ErrorKind:
    """The kind of a JSON-RPC error that answered one of our requests; the code -32600 alone says nothing."""
    if error.get("code") == OVERLOADED:
        return ErrorKind.OVERLOADED
    text = str(error.get("message") or "")
    return next((kind for pattern, kind in _REFUSALS if pattern.search(text)), ErrorKind.BAD_REQUEST)


def kind_of_exit(stderr: str) -> ErrorKind:
    """The kind of an app-server that ended by itself, from its last words; its exit code says nothing."""
    if re.search(r"unrecognized subcommand|unexpected argument", stderr):
        return ErrorKind.CODEX_MISSING
    if re.search(r"error loading config|failed to load configuration", stderr, re.IGNORECASE):
        return ErrorKind.BAD_INPUT
    return ErrorKind.CODEX_CRASHED


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def without_colours(stderr: str) -> str:
    """Codex's log text as it reads: it colours its stderr, terminal or not."""
    return _COLOUR.sub("", stderr)


def readable_message(error: Message) -> str:
    """One line of a wire error for people: a raw JSON body gives its inner message."""
    text = str(error.get("message") or "Codex gave no message")
    if text.startswith("{"):
        inner = re.search(r'"message":\s*"((?:[^"\\]|\\.)*)"', text)
        text = inner.group(1) if inner else text
    details = error.get("additionalDetails")
    if isinstance(details, str) and details and details not in text:
        text = f"{text} ({details})"
    return " ".join(text.split())
