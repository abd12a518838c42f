"""Maps Codex's errors to our error kinds. Owns the mapping; must never act on it, or advise what to do (`hints`).

Sources: protocol notes, section 5 (`codexErrorInfo` and the table of upstream failures) and section 3 (what
`thread/start` and `thread/resume` refuse); captures `error_*`.
"""

from __future__ import annotations

import re
from typing import Any

from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import OVERLOADED, Message, at, readable_message
from codex_server_cli.core.result.advice import is_of_database, is_of_session_file, is_without_room
from codex_server_cli.core.result.plain_log import without_sequences
from codex_server_cli.errors import CodexServerError, ErrorKind

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
# The patterns of errors are strings: `re` compiles one when it is first used, and most turns use none.
_KIND_OF_TEXT = (  # of errors whose `codexErrorInfo` is `other`, or missing: by Codex's text, and codes in a raw body
    (r"hit your usage limit|usage_limit_reached|insufficient_quota", ErrorKind.USAGE_LIMIT),
    (r"out of credits|hit your spend cap|Quota exceeded", ErrorKind.USAGE_LIMIT),
    (r"ran out of room in the model's context|context_length_exceeded", ErrorKind.CONTEXT_WINDOW),
    (r"could not be refreshed|sign in again|Not logged in", ErrorKind.AUTH),
    (r"fs sandbox helper failed", ErrorKind.CODEX_CRASHED),  # its helpers for denied files race with each other
)
_BROKEN_STREAM = (  # how Codex reports a lost connection; without retries it reports nothing else
    r"(?i)^(?:stream disconnected before completion|Reconnecting)|error sending request|connection closed"
)
ONLY_RETRIED = "Codex only tried the network again"
"""The beginning of a stall's message if the model was unreachable."""

WRONG_ANSWER = "The answer "
"""The beginning of a `bad_schema` message if the answer is wrong, not the schema."""

_INCOMPLETE = "Incomplete response returned"  # `response.incomplete`: complete up to a limit of the model
_SCHEMA_REFUSAL = r"invalid_json_schema|Invalid schema for response_format|text\.format\.schema"
_DISK_FULL = r"database or disk is full|No space left on device"
_PROVIDER_GONE = (  # of a thread that keeps it; the first pattern is 0.163.0's
    r"Model provider `.*` not found|uses model provider .* no longer configured"
)
_REFUSALS = (  # by the message of a JSON-RPC error of thread/* or turn/*; its code -32600 is not specific
    (r"already has an active writer|is behind durable rollout|is closing; retry", ErrorKind.THREAD_BUSY),
    (r"no rollout found|thread not found|is archived|invalid session id", ErrorKind.THREAD_MISSING),
    (
        (
            r"failed to load configuration|error loading config|default_permissions|no longer configured"
            r"|Model provider `.*` not found"
        ),
        ErrorKind.BAD_INPUT,
    ),
    (r"required MCP servers failed", ErrorKind.BAD_INPUT),
    (r"fs sandbox helper failed", ErrorKind.CODEX_CRASHED),  # the same, before its reply
    (r"Input exceeds the maximum", ErrorKind.BAD_INPUT),
    (r"(?i)authentication required|not logged in", ErrorKind.AUTH),
    (r"unknown variant `", ErrorKind.PROTOCOL),
    (_DISK_FULL, ErrorKind.DISK),
)


_OTHER_PROVIDER = (
    "A fork takes the provider that Codex is configured with: {fork}; or define that one in Codex's configuration,"
    " then: {again}"
)


def make_error(kind: ErrorKind, message: str, **facts: Any) -> TurnError:
    """A `TurnError`, retryable as its kind is; `outcome` adds the hint, because it knows the whole end.

    Not retryable if Codex cannot use its databases: the next turn would fail too.
    """
    return TurnError(kind, message, retryable=kind.is_retryable and not is_of_database(message), **facts)


def error_of(error: CodexServerError, then: str = "") -> TurnError:
    """The error of a turn that one of our own errors ended.

    Args:
        error: its hint is a text, while that of a turn's error is a template (`hints`).
        then: a template to append to the hint.
    """
    hint = error.hint.replace("{", "{{").replace("}", "}}")
    return make_error(error.kind, error.message, hint=hint + then if hint else "")


def kind_of_turn_error(error: Message, last_retry: Message | None) -> ErrorKind:
    """The kind of a wire `TurnError` that ended a turn.

    Args:
        error: `{message, codexErrorInfo, …}` from `error` or `turn/completed`.
        last_retry: the last error that Codex retried: a broken stream ends as a bare `other`, and only the retries
            before it show that the network was the cause (capture error_DISC).
    """
    info, text = error.get("codexErrorInfo"), str(error.get("message") or "")
    if re.search(_SCHEMA_REFUSAL, text):
        return ErrorKind.BAD_SCHEMA
    if isinstance(info, str) and info != "other":
        return _KIND_OF_INFO.get(info, ErrorKind.BAD_REQUEST)
    kind = _kind_of_network_info(info) or next(
        (kind for pattern, kind in _KIND_OF_TEXT if re.search(pattern, text)), None
    )
    if kind is None and not text.startswith("{"):
        kind = _kind_of_network_info(last_retry.get("codexErrorInfo")) if last_retry is not None else None
        if kind is None and re.search(_BROKEN_STREAM, text) and not is_incomplete(error):
            kind = ErrorKind.NETWORK
    return kind or ErrorKind.BAD_REQUEST


def is_incomplete(error: Message) -> bool:
    """Whether this wire error reports that the model stopped before the end of its answer, at its own limit."""
    return _INCOMPLETE in str(error.get("message") or "")


def _kind_of_network_info(info: Any) -> ErrorKind | None:
    if not isinstance(info, dict):
        return None
    name, detail = next(iter(info.items()), (None, None))
    if name not in _NETWORK_INFO:
        return None
    status = at(detail, "httpStatusCode", int)
    if status is None:
        return ErrorKind.NETWORK
    return ErrorKind.OVERLOADED if status >= 500 else _KIND_OF_STATUS.get(status, ErrorKind.NETWORK)


def kind_of_refusal(error: Message) -> ErrorKind:
    """The kind of a JSON-RPC error in reply to one of our requests; the code -32600 is not specific."""
    if error.get("code") == OVERLOADED or is_draining(error):
        return ErrorKind.OVERLOADED
    text = str(error.get("message") or "")
    if is_without_room(text):
        return ErrorKind.OVERLOADED
    if is_of_database(text):
        return ErrorKind.DISK
    if is_of_session_file(text):
        return ErrorKind.BAD_INPUT
    return next((kind for pattern, kind in _REFUSALS if re.search(pattern, text)), ErrorKind.BAD_REQUEST)


def is_draining(error: Message) -> bool:
    """Whether an app-server refused one of our requests because it exits after its running turns."""
    return at(error, "data.reason", str) == "serverShuttingDown"


def error_of_refusal(method: str, error: Message, times: int | None = None) -> TurnError:
    """The error of a turn that ended because Codex refused one of our requests.

    Args:
        error: the JSON-RPC error.
        times: how often it was refused, if it was retried.
    """
    how_often = f" {times} times" if times is not None else ""
    message = f"Codex refused {method}{how_often}: {readable_message(error)}"
    is_without_provider = method == "thread/resume" and re.search(_PROVIDER_GONE, message) is not None
    return make_error(kind_of_refusal(error), message, hint=_OTHER_PROVIDER if is_without_provider else "")


def kind_of_exit(stderr: str) -> ErrorKind:
    """The kind of an app-server that exited by itself, from its stderr; its exit code is not specific."""
    if re.search(r"unrecognized subcommand|unexpected argument", stderr):
        return ErrorKind.CODEX_MISSING
    if is_without_room(telling_line(stderr)):
        return ErrorKind.OVERLOADED
    if re.search(r"error loading config|failed to load configuration|Model provider `.*` not found", stderr, re.I):
        return ErrorKind.BAD_INPUT
    is_of_disk = is_of_database(stderr) or re.search(_DISK_FULL, stderr)
    return ErrorKind.DISK if is_of_disk else ErrorKind.CODEX_CRASHED


def telling_line(stderr: str) -> str:
    """The line of a process's stderr with the reason for its exit: the last one before any backtrace.

    Skips Codex's warnings at every start, usage help, and advice about backtraces. The text may also come from our own
    Python interpreter. An error that is printed with its causes, one per line, becomes one line.
    """
    text = re.split(_BACKTRACE, stderr, maxsplit=1)[0]
    chain = re.search(_CAUSES, text)
    after = _last_informative(text[chain.end() :]) if chain is not None else ""
    if chain is None or after:
        return after or _last_informative(text)
    causes = [re.sub(_NUMBER, "", line) for line in map(str.strip, chain[0].splitlines()[1:]) if line]
    return ": ".join(filter(None, [_last_informative(text[: chain.start()]), *causes]))


def _last_informative(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in reversed([*lines]) if line and not re.search(_UNINFORMATIVE, line)), "")


_BACKTRACE = r"(?im)^\s*(?:stack backtrace:|Location:$|(?:Current )?thread 0x|Extension modules:)"
_CAUSES = r"(?m)^Caused by:[ \t]*\n(?:[ \t]+\S.*\n?){1,10}"
"""How Rust's error types print causes: indented, and numbered if there are several."""
_NUMBER = r"^\d+: "
_UNINFORMATIVE = (
    r"(?:WARN|ERROR)\b.*\bcodex_app_server\b.*could not find bubblewrap|^WARNING: proceeding, even though"
    r"|^Refusing to create helper binaries|^note: run with `RUST_BACKTRACE|^Usage:|^For more information, try"
    r"|^Error:$"
)
_TAIL_CHARS = 4000


def without_colours(stderr: str) -> str:
    """Codex's log text without colours: it colours its stderr even without a terminal."""
    return without_sequences(stderr.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def stderr_tail(stderr: str) -> str | None:
    """The part of Codex's stderr that an error keeps: its last whole lines, without colours; None if it is empty."""
    text = without_colours(stderr).strip()
    if len(text) > _TAIL_CHARS:
        text = text[-_TAIL_CHARS:]
        text = text.partition("\n")[2] or text
    return text or None
