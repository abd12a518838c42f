"""Codex's errors as responses of the OpenAI-compatible API: status, code, and whether the client should retry.

Sources: runs of 0.163.0 and 0.171.0 (captures in `tests/core/openai`). The official clients retry a request after 408,
409, 429 and 5xx twice, but not after `x-should-retry: false`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.protocol.rpc import (
    OVERLOADED,
    Message,
    at,
    object_at,
    readable_message,
    text_in,
    text_or_none,
)
from codex_server_cli.core.record.rate_limits import Window, limits_in
from codex_server_cli.core.record.usage import merge_limits
from codex_server_cli.core.result.failures import is_draining, is_incomplete

_NO_RETRY = ("x-should-retry", "false")
_SOON_S = 5
_FULL_PERCENT = 100
_INPUT_TOO_LARGE = -32602
_INVALID_REQUEST = -32600

_BROKEN_STREAM = r"stream disconnected|error sending request|connection closed"
_RETRYING = r"^Reconnecting\.\.\. \d+/\d+ \((.*)\)$"
_LOGIN_LOST = r"oauth/token|could not be refreshed|sign in again|[Nn]ot logged in"
_POLICIES = ("cyberPolicy", "bioPolicy", "misalignmentPolicyViolation")
_BUSY = ("serverOverloaded", "flexUnavailable", "policyCapacityUnavailable")
_SPENT = ("usageLimitExceeded", "sessionBudgetExceeded")
_QUOTA = r"Quota exceeded|insufficient_quota|out of credits|spend cap|Payment Required"
_NO_MODEL = r"(?i)\bmodel\b.*(?:does not exist|not found|is not supported)"
_INSTRUCTIONS = r"(?i)instructions are (?:not valid|required)"


class AccountLimits:
    """The account's rate limits, as last reported. One for all runs, because the report names no thread.

    `account/rateLimits/updated` is broadcast just before the error that it explains: pass its parameters to `note` at
    once.
    """

    def __init__(self) -> None:
        self._snapshot: dict[str, Any] | None = None

    def note(self, params: Mapping[str, Any]) -> None:
        """Take the parameters of `account/rateLimits/updated`, or the result of `account/rateLimits/read`."""
        self._snapshot = merge_limits(self._snapshot, params.get("rateLimits"))

    def used_up(self, now_s: float) -> Window | None:
        """The window that is used up now; of several the one that resets last."""
        windows = [window for limits in limits_in({"rateLimits": self._snapshot}) for window in limits.windows]
        full = [each for each in windows if each.used_percent >= _FULL_PERCENT and (each.resets_at_s or 0) > now_s]
        return max(full, key=lambda window: window.resets_at_s or 0, default=None)


# --- what an error is


def early_finish(error: Message) -> str | None:
    """The finish reason of a response that the service ended early; None for any other error."""
    if not is_incomplete({"message": _words(error)}):
        return None
    return "content_filter" if "reason: content_filter" in _words(error) else "length"


def is_policy(error: Message) -> bool:
    """Whether the service refuses the conversation because of its content."""
    return error.get("codexErrorInfo") in _POLICIES or _words(error).startswith("Invalid prompt:")


def is_login(error: Message) -> bool:
    """Whether the login failed, so that a retry cannot help."""
    is_unauthorized = error.get("codexErrorInfo") == "unauthorized" or _status(error) == 401
    return is_unauthorized or re.search(_LOGIN_LOST, _words(error)) is not None


def _words(error: Message) -> str:
    return " ".join(filter(None, [text_in(error.get("message")), text_in(error.get("additionalDetails"))]))


def _status(error: Message) -> int | None:
    """The HTTP status of the service's response."""
    info = error.get("codexErrorInfo")
    details = info.values() if isinstance(info, dict) else ()
    return next((status for each in details if (status := at(each, "httpStatusCode", int)) is not None), None)


# --- what the client gets


def error_of(error: Message, limits: AccountLimits, now_s: float) -> ApiError:
    """The error response for a wire error that ended a turn, or that is not retried any longer.

    Args:
        error: `{message, codexErrorInfo, additionalDetails}` from `error` or `turn/completed`.
        limits: the account's known limits.
        now_s: Unix seconds.
    """
    text = re.sub(_RETRYING, r"\1", readable_message(error))
    inner = _inner(error)
    if inner is not None:
        return _of_body(inner, text)
    if is_policy(error):
        return ApiError(400, text, code="content_policy_violation")
    if is_login(error):
        return _login_required(text)
    return _of_info(error, text, limits, now_s) or _of_status(_status(error), text) or _of_words(text)


def _of_info(error: Message, text: str, limits: AccountLimits, now_s: float) -> ApiError | None:
    """By Codex's name for the error."""
    info = error.get("codexErrorInfo")
    if info in _SPENT:
        return _insufficient_quota(text) if re.search(_QUOTA, text) else _usage_limit(text, limits, now_s)
    if info in _BUSY:
        return _overloaded(text)
    match info:
        case "rateLimitExceeded":
            return _rate_limited(text)
        case "contextWindowExceeded":
            return _context_too_long(text)
        case "modelNotFound":
            return _no_model(text)
        case "badRequest":
            return ApiError(400, text)
    return None


def _of_status(status: int | None, text: str) -> ApiError | None:
    """By the HTTP status of the service's response."""
    match status:
        case 429:
            return _rate_limited(text)
        case 402:
            return _insufficient_quota(text)
        case 404 if re.search(_NO_MODEL, text):  # 0.163.0 has no other name for it
            return _no_model(text)
        case 403:
            return ApiError(403, text, type="permission_error", code="upstream_forbidden")
        case 400 | 413 | 422:
            return ApiError(status, text)
    return None


def _of_words(text: str) -> ApiError:
    """By the text alone: an error that was retried has nothing else."""
    if re.search(r"(?i)rate limit exceeded", text):
        return _rate_limited(text)
    if re.search(_BROKEN_STREAM, text):
        return _broken(text, "upstream_disconnected")
    return _broken(text, "upstream_error")


def _inner(error: Message) -> dict[str, Any] | None:
    """The body of the service's response, if the error's message is that body, verbatim."""
    text = text_in(error.get("message"))
    try:
        body = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not {"error", "detail"} & body.keys():
        return None
    return object_at(body, "error") or {"message": text_in(body.get("detail")) or text}


def _of_body(body: dict[str, Any], text: str) -> ApiError:
    """The service refused the request: its own error object, without members that are not text."""
    message = text_in(body.get("message")) or text
    code, param = text_or_none(body.get("code")), text_or_none(body.get("param"))
    if code == "model_not_found" or re.search(_NO_MODEL, message):
        return _no_model(message)
    if re.search(_INSTRUCTIONS, message):
        message += " (The service insists on Codex's own instructions: start `serve` with `--instructions codex`.)"
    return ApiError(400, message, type=text_in(body.get("type")) or "invalid_request_error", code=code, param=param)


def _usage_limit(text: str, limits: AccountLimits, now_s: float) -> ApiError:
    headers = [_NO_RETRY]
    window = limits.used_up(now_s)
    if window is not None and window.resets_at_s is not None:
        headers.append(_retry_after(math.ceil(window.resets_at_s - now_s)))
        resets = datetime.fromtimestamp(window.resets_at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = f"{text} ({_name_of(window)} is used up until {resets}.)"
    return ApiError(429, text, type="rate_limit_error", code="usage_limit_reached", headers=headers)


def _name_of(window: Window) -> str:
    minutes = window.minutes
    if minutes is None:
        return f"The {window.name} window"
    for unit, name in ((1440, "day"), (60, "hour")):
        if minutes % unit == 0:
            return f"The {minutes // unit}-{name} window"
    return f"The {minutes}-minute window"


def _insufficient_quota(text: str) -> ApiError:
    return ApiError(429, text, type="rate_limit_error", code="insufficient_quota", headers=[_NO_RETRY])


def _rate_limited(text: str) -> ApiError:
    headers = [_retry_after(_SOON_S)]
    return ApiError(429, text, type="rate_limit_error", code="rate_limit_exceeded", headers=headers)


def _login_required(text: str) -> ApiError:
    message = f"Codex's login is missing or was refused: {text} (Run `codex-server login` where the gateway runs.)"
    return ApiError(401, message, type="authentication_error", code="codex_login_required")


def _no_model(text: str) -> ApiError:
    return ApiError(404, text, code="model_not_found", param="model")


def _context_too_long(text: str) -> ApiError:
    return ApiError(400, text, code="context_length_exceeded", param="messages")


def _overloaded(text: str) -> ApiError:
    return ApiError(503, text, type="server_error", code="overloaded", headers=[_retry_after(_SOON_S)])


def _broken(text: str, code: str) -> ApiError:
    """Codex has already retried, up to 30 times."""
    return ApiError(502, text, type="server_error", code=code, headers=[_NO_RETRY])


def _retry_after(seconds: int) -> tuple[str, str]:
    return "Retry-After", str(seconds)


# --- other ends of a request


def error_of_refusal(code: int, message: str, data: Any = None) -> ApiError:
    """The error response if the app-server refused one of our requests (a JSON-RPC error)."""
    error: Message = {"code": code, "message": message, "data": data}
    text = readable_message(error)
    if code == OVERLOADED or is_draining(error):
        return _overloaded(text)
    if code == _INPUT_TOO_LARGE and "too_large" in f"{message} {json.dumps(data, default=str)}":
        return _context_too_long(text)
    if code in (_INPUT_TOO_LARGE, _INVALID_REQUEST):
        return ApiError(400, f"Codex refused the request: {text}")
    return _broken(f"Codex failed: {text}", "codex_error")


def codex_unavailable(reason: str) -> ApiError:
    """The error response if there is no app-server, or its connection was lost."""
    return ApiError(503, reason, type="server_error", code="codex_unavailable", headers=[_retry_after(2)])


def turn_in_doubt(reason: str) -> ApiError:
    """The error response if a turn was requested, but it is unknown whether it runs."""
    return _ended_here(503, f"Codex was lost when the turn had been sent: {reason}", "codex_unavailable")


def login_required() -> ApiError:
    """The error response if `account/read` reports, before any turn, that there is no login."""
    return _login_required("no account")


def not_paid_for(problem: str, way_out: str) -> ApiError:
    """The error response if there is no login, or one that bills without the user's consent."""
    return ApiError(401, f"{problem}\n{way_out}", type="authentication_error", code="codex_login_required")


def too_long() -> ApiError:
    """The error response if Codex begins to replace the conversation by a summary."""
    return _context_too_long("The conversation is longer than what this model reads at once.")


def interrupted() -> ApiError:
    """The error response if another client has interrupted the turn."""
    return _ended_here(503, "the turn was interrupted", "interrupted")


def deadline_passed(limit_s: float) -> ApiError:
    """The error response for a request that took too long; the caller interrupts its turn."""
    return _ended_here(504, f"it took more than {limit_s:g} s", "deadline")


def _ended_here(status: int, why: str, code: str) -> ApiError:
    """Not to be retried: the same request would only be paid for twice."""
    return ApiError(status, f"The answer is not complete: {why}.", type="server_error", code=code, headers=[_NO_RETRY])
