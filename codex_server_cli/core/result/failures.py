"""From Codex's errors to our error kinds. Owns the mapping; never acts on it, never says what to do next (`hints`).

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
_WORDS = (  # of errors whose `codexErrorInfo` is `other`, or missing: Codex's own words, and codes in a raw body
    (re.compile(r"hit your usage limit|usage_limit_reached|insufficient_quota"), ErrorKind.USAGE_LIMIT),
    (re.compile(r"out of credits|hit your spend cap|Quota exceeded"), ErrorKind.USAGE_LIMIT),
    (re.compile(r"ran out of room in the model's context|context_length_exceeded"), ErrorKind.CONTEXT_WINDOW),
    (re.compile(r"could not be refreshed|sign in again|Not logged in"), ErrorKind.AUTH),
)
_BROKEN_STREAM = re.compile(  # how Codex tells of a connection that broke; with no retries it says nothing else
    r"^(?:stream disconnected before completion|Reconnecting)|error sending request|connection closed", re.IGNORECASE
)
ONLY_RETRIED = "Codex only tried the network again"
"""How the message of a stall begins in which the model was out of reach."""

WRONG_ANSWER = "The answer "
"""How the message of kind `bad_schema` begins where it is the answer that is wrong, and not the schema."""

_INCOMPLETE = "Incomplete response returned"  # `response.incomplete`: whole as far as the model was allowed to go
_SCHEMA_REFUSAL = re.compile(r"invalid_json_schema|Invalid schema for response_format|text\.format\.schema")
_DISK_FULL = r"database or disk is full|No space left on device"
_PROVIDER_GONE = re.compile(  # of a thread that keeps it; the first words are those of 0.163.0
    r"Model provider `.*` not found|uses model provider .* no longer configured"
)
_REFUSALS = (  # what a JSON-RPC error message of thread/* or turn/* gives away; -32600 says nothing itself
    (re.compile(r"already has an active writer|is behind durable rollout"), ErrorKind.THREAD_BUSY),
    (re.compile(r"no rollout found|thread not found|is archived|invalid session id"), ErrorKind.THREAD_MISSING),
    (
        re.compile(
            r"failed to load configuration|error loading config|default_permissions|no longer configured"
            r"|Model provider `.*` not found"
        ),
        ErrorKind.BAD_INPUT,
    ),
    (re.compile(r"required MCP servers failed"), ErrorKind.BAD_INPUT),
    (re.compile(r"Input exceeds the maximum"), ErrorKind.BAD_INPUT),
    (re.compile(r"authentication required|not logged in", re.IGNORECASE), ErrorKind.AUTH),
    (re.compile(r"unknown variant `"), ErrorKind.PROTOCOL),
    (re.compile(_DISK_FULL), ErrorKind.DISK),
)


_OTHER_PROVIDER = (
    "A fork takes the provider that Codex is configured with: {fork}; or define that one in Codex's configuration,"
    " then: {again}"
)


def make_error(kind: ErrorKind, message: str, **facts: Any) -> TurnError:
    """A `TurnError` with the kind's own retryability; its hint is added where the whole end is known (`outcome`).

    What Codex cannot read of its own files it cannot read the next time, either.
    """
    return TurnError(kind, message, retryable=kind.is_retryable and not is_of_database(message), **facts)


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
    kind = _kind_of_network_info(info) or next((kind for pattern, kind in _WORDS if pattern.search(text)), None)
    if kind is None and not text.startswith("{"):
        kind = _kind_of_network_info(last_retry.get("codexErrorInfo")) if last_retry is not None else None
        if kind is None and _BROKEN_STREAM.search(text) and not is_incomplete(error):
            kind = ErrorKind.NETWORK
    return kind or ErrorKind.BAD_REQUEST


def is_incomplete(error: Message) -> bool:
    """Whether this wire error says that the model stopped before the end of its answer, at a limit of its own."""
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
    """The kind of a JSON-RPC error that answered one of our requests; the code -32600 alone says nothing."""
    if error.get("code") == OVERLOADED:
        return ErrorKind.OVERLOADED
    text = str(error.get("message") or "")
    if is_without_room(text):
        return ErrorKind.OVERLOADED
    if is_of_database(text):
        return ErrorKind.DISK
    if is_of_session_file(text):
        return ErrorKind.BAD_INPUT
    return next((kind for pattern, kind in _REFUSALS if pattern.search(text)), ErrorKind.BAD_REQUEST)


def error_of_refusal(method: str, error: Message, times: int | None = None) -> TurnError:
    """The error of a turn that ended because Codex refused one of our requests.

    Args:
        error: the JSON-RPC error.
        times: how often it was refused, where it was asked more than once.
    """
    how_often = f" {times} times" if times is not None else ""
    message = f"Codex refused {method}{how_often}: {readable_message(error)}"
    is_without_provider = method == "thread/resume" and _PROVIDER_GONE.search(message) is not None
    return make_error(kind_of_refusal(error), message, hint=_OTHER_PROVIDER if is_without_provider else "")


def kind_of_exit(stderr: str) -> ErrorKind:
    """The kind of an app-server that ended by itself, from its last words; its exit code says nothing."""
    if re.search(r"unrecognized subcommand|unexpected argument", stderr):
        return ErrorKind.CODEX_MISSING
    if is_without_room(telling_line(stderr)):
        return ErrorKind.OVERLOADED
    if re.search(r"error loading config|failed to load configuration|Model provider `.*` not found", stderr, re.I):
        return ErrorKind.BAD_INPUT
    is_of_disk = is_of_database(stderr) or re.search(_DISK_FULL, stderr)
    return ErrorKind.DISK if is_of_disk else ErrorKind.CODEX_CRASHED


def telling_line(stderr: str) -> str:
    """The line of a process's last words that says why it went: the last one before any backtrace.

    What Codex warns of whenever it starts explains no end; nor does how to get help, or a longer backtrace. The words
    may be those of an interpreter of ours, too. An error that is told with its causes, a line each, becomes one line.
    """
    said = _BACKTRACE.split(stderr, maxsplit=1)[0]
    chain = _CAUSES.search(said)
    behind = _last_telling(said[chain.end() :]) if chain is not None else ""
    if chain is None or behind:
        return behind or _last_telling(said)
    causes = [_NUMBER.sub("", line) for line in map(str.strip, chain[0].splitlines()[1:]) if line]
    return ": ".join(filter(None, [_last_telling(said[: chain.start()]), *causes]))


def _last_telling(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in reversed([*lines]) if line and not _SAYS_NOTHING.search(line)), "")


_BACKTRACE = re.compile(
    r"^\s*(?:stack backtrace:|Location:$|(?:Current )?thread 0x|Extension modules:)", re.IGNORECASE | re.MULTILINE
)
_CAUSES = re.compile(r"^Caused by:[ \t]*\n(?:[ \t]+\S.*\n?){1,10}", re.MULTILINE)
"""How Rust's error types print them: indented, and numbered where there are several."""
_NUMBER = re.compile(r"^\d+: ")
_SAYS_NOTHING = re.compile(
    r"(?:WARN|ERROR)\b.*\bcodex_app_server\b.*could not find bubblewrap|^WARNING: proceeding, even though"
    r"|^Refusing to create helper binaries|^note: run with `RUST_BACKTRACE|^Usage:|^For more information, try"
    r"|^Error:$"
)
_TAIL_CHARS = 4000


def without_colours(stderr: str) -> str:
    """Codex's log text as it reads: it colours its stderr, terminal or not."""
    return without_sequences(stderr.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def stderr_tail(stderr: str) -> str | None:
    """What an error keeps of Codex's stderr: its end, from a whole line on, without colours; None where it is empty."""
    text = without_colours(stderr).strip()
    if len(text) > _TAIL_CHARS:
        text = text[-_TAIL_CHARS:]
        text = text.partition("\n")[2] or text
    return text or None
