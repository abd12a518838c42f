"""What a client is told of Codex's errors. The recordings hold what is usual; here is the rest of the table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.core.openai import wire_errors
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.wire_errors import AccountLimits, error_of, error_of_refusal
from tests.kit.chat import NOW_S

HOUR_S = 3600
GATEWAY = Path(__file__).parents[3] / "references" / "gateway.md"


def told(message: str, info: Any = "other", *, details: str | None = None) -> ApiError:
    """The error answer for such a wire error."""
    error = {"message": message, "codexErrorInfo": info, "additionalDetails": details}
    return error_of(error, AccountLimits(), NOW_S)


def failed(name: str, status: int | None) -> Any:
    """A `codexErrorInfo` about the connection to the service."""
    return {name: {"httpStatusCode": status}}


TABLE: list[tuple[str, Any, int, str | None]] = [
    ("spent", "sessionBudgetExceeded", 429, "usage_limit_reached"),
    ("You are out of credits.", "usageLimitExceeded", 429, "insufficient_quota"),
    ("wait", "rateLimitExceeded", 429, "rate_limit_exceeded"),
    ("rate limit exceeded: wait", "other", 429, "rate_limit_exceeded"),
    ("full", "flexUnavailable", 503, "overloaded"),
    ("full", "policyCapacityUnavailable", 503, "overloaded"),
    ("no", "misalignmentPolicyViolation", 400, "content_policy_violation"),
    ("no", "bioPolicy", 400, "content_policy_violation"),
    ("no", "badRequest", 400, None),
    ("no", "unauthorized", 401, "codex_login_required"),
    ("Your session could not be refreshed", "other", 401, "codex_login_required"),
    ("error sending request for url (https://auth.example/oauth/token)", "other", 401, "codex_login_required"),
    ("error sending request for url (https://api.example/)", "other", 502, "upstream_disconnected"),
    ("high demand", "internalServerError", 502, "upstream_error"),
    ("broken", failed("responseStreamDisconnected", 500), 502, "upstream_error"),
    ("slow", failed("responseTooManyFailedAttempts", 429), 429, "rate_limit_exceeded"),
    ("pay", failed("httpConnectionFailed", 402), 429, "insufficient_quota"),
    ("no", failed("httpConnectionFailed", 403), 403, "upstream_forbidden"),
    ("The model `x` does not exist", failed("httpConnectionFailed", 404), 404, "model_not_found"),
    ("nothing here", failed("httpConnectionFailed", 404), 502, "upstream_error"),
    ("too large", failed("httpConnectionFailed", 413), 413, None),
    ("whatever", "aNewKind", 502, "upstream_error"),
    ("whatever", None, 502, "upstream_error"),
    ("whatever", ["odd"], 502, "upstream_error"),
    ("whatever", {"odd": "shape"}, 502, "upstream_error"),
    ("{broken", "other", 502, "upstream_error"),
    ('{"neither": 1}', "other", 502, "upstream_error"),
    ("[" * 9, "other", 502, "upstream_error"),
]


@pytest.mark.parametrize(("message", "info", "status", "code"), TABLE)
def test_an_error_has_its_status_and_code(message: str, info: Any, status: int, code: str | None) -> None:
    error = told(message, info)
    assert (error.status, error.code) == (status, code)


def test_an_error_whose_members_are_missing_is_one_of_the_service() -> None:
    error = error_of({}, AccountLimits(), NOW_S)
    assert (error.status, error.code, error.message) == (502, "upstream_error", "Codex gave no message")


@pytest.mark.parametrize(
    ("message", "info", "headers"),
    [
        ("wait", "rateLimitExceeded", {"Retry-After": "5"}),
        ("full", "serverOverloaded", {"Retry-After": "5"}),
        ("Quota exceeded.", "usageLimitExceeded", {"x-should-retry": "false"}),
        ("spent", "usageLimitExceeded", {"x-should-retry": "false"}),
        ("broken", "internalServerError", {"x-should-retry": "false"}),
        ("no", "modelNotFound", {}),
    ],
)
def test_an_error_says_whether_to_try_again(message: str, info: Any, headers: dict[str, str]) -> None:
    assert dict(told(message, info).headers) == headers


def test_of_an_error_that_was_retried_the_details_count() -> None:
    error = told("Reconnecting... 2/5", failed("responseStreamDisconnected", None), details="stream disconnected: x")
    assert (error.code, error.message) == ("upstream_disconnected", "stream disconnected: x")


def test_the_documentation_has_every_code_and_whether_to_try_again() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \|.*\| (.*?) ?\|$", GATEWAY.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {code: (int(status), again) for status, code, again in rows}
    examples = [
        *(told(message, info) for message, info, _, code in TABLE if code is not None),
        *(wire_errors.codex_unavailable(""), wire_errors.interrupted(), wire_errors.deadline_passed(1)),
        error_of_refusal(-32603, "broken"),
        told("no", "contextWindowExceeded"),
    ]
    assert {error.code: (error.status, _again(error)) for error in examples} == documented


def _again(error: ApiError) -> str:
    headers = dict(error.headers)
    if "x-should-retry" in headers:
        return "no"
    return f"after {headers['Retry-After']} s" if "Retry-After" in headers else ""


# --- the service's own body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"error": {"message": "no", "type": "t", "code": "c", "param": "p"}},
            (400, "no", "t", "c", "p"),
        ),
        ({"error": {"message": "no", "code": None, "param": 3}}, (400, "no", "invalid_request_error", None, None)),
        ({"detail": "odd"}, (400, "odd", "invalid_request_error", None, None)),
        ({"error": {"code": "model_not_found"}}, (404, None, "invalid_request_error", "model_not_found", "model")),
        ({"detail": ["odd"]}, (400, '{"detail": ["odd"]}', "invalid_request_error", None, None)),
    ],
)
def test_a_refusal_of_the_service_is_passed_on(body: Any, expected: tuple[Any, ...]) -> None:
    error = told(json.dumps(body))
    message = expected[1] or error.message
    assert (error.status, error.message, error.type, error.code, error.param) == (expected[0], message, *expected[2:])


@pytest.mark.parametrize("detail", ["Instructions are not valid", "Instructions are required"])
def test_a_service_that_insists_on_instructions_of_its_own_has_a_setting(detail: str) -> None:
    assert "--instructions codex" in told(json.dumps({"detail": detail})).message


# --- limits


def window(used: float, resets_in_s: float | None, minutes: int | None = 300) -> dict[str, Any]:
    """A window of a report."""
    resets = None if resets_in_s is None else int(NOW_S + resets_in_s)
    return {"usedPercent": used, "windowDurationMins": minutes, "resetsAt": resets}


def limited(primary: Any = None, secondary: Any = None) -> ApiError:
    """The error answer after such a report."""
    limits = AccountLimits()
    limits.note({"rateLimits": {"limitId": "codex", "primary": primary, "secondary": secondary}})
    limits.note({"rateLimits": {"limitId": "codex", "primary": None}})  # a report is sparse
    return error_of({"message": "spent", "codexErrorInfo": "usageLimitExceeded"}, limits, NOW_S)


@pytest.mark.parametrize(
    ("windows", "retry_after", "words"),
    [
        ((window(100, HOUR_S), window(41, 9 * HOUR_S)), "3600", "The 5-hour window"),
        ((window(100, HOUR_S), window(100, 2 * HOUR_S, 10080)), "7200", "The 7-day window"),
        ((window(100, HOUR_S, 90), None), "3600", "The 90-minute window"),
        ((window(100, HOUR_S, None), None), "3600", "The primary window"),
        ((window(100, -HOUR_S), window(41, HOUR_S)), None, ""),  # an old report
        ((window(100, None), None), None, ""),
        ((window(99, HOUR_S), None), None, ""),
    ],
)
def test_a_usage_limit_holds_until_its_last_full_window_resets(
    windows: tuple[Any, Any], retry_after: str | None, words: str
) -> None:
    error = limited(*windows)
    assert dict(error.headers).get("Retry-After") == retry_after
    assert words in error.message


# --- what an error is


@pytest.mark.parametrize(
    ("message", "details", "reason"),
    [
        ("Incomplete response returned, reason: max_output_tokens", None, "length"),
        ("Incomplete response returned, reason: something_new", None, "length"),
        ("Reconnecting... 1/5", "stream: Incomplete response returned, reason: content_filter", "content_filter"),
        ("Reconnecting... 1/5", "stream disconnected", None),
    ],
)
def test_a_response_that_ended_early_is_no_error(message: str, details: str | None, reason: str | None) -> None:
    assert wire_errors.early_finish({"message": message, "additionalDetails": details}) == reason


# --- other ends


@pytest.mark.parametrize(
    ("code", "message", "data", "status", "expected"),
    [
        (-32001, "Server overloaded; retry later.", None, 503, "overloaded"),
        (-32600, "closing", {"reason": "serverShuttingDown"}, 503, "overloaded"),
        (-32602, "Input exceeds the maximum", {"input_error_code": "input_too_large"}, 400, "context_length_exceeded"),
        (-32602, "missing field", None, 400, None),
        (-32600, "items must not be empty", None, 400, None),
        (-32603, "broken", None, 502, "codex_error"),
    ],
)
def test_a_request_that_the_app_server_refused(
    code: int, message: str, data: Any, status: int, expected: str | None
) -> None:
    error = error_of_refusal(code, message, data)
    assert (error.status, error.code) == (status, expected)
    assert message in error.message


def test_ends_that_are_ours() -> None:
    gone, login = wire_errors.codex_unavailable("killed"), wire_errors.login_required()
    stopped, late = wire_errors.interrupted(), wire_errors.deadline_passed(60)
    assert (gone.status, gone.code, dict(gone.headers)) == (503, "codex_unavailable", {"Retry-After": "2"})
    assert (login.status, login.code) == (401, "codex_login_required")
    assert (stopped.status, stopped.code) == (503, "interrupted")
    assert (late.status, late.code, late.message) == (
        504,
        "deadline",
        "The answer is not complete: it took more than 60 s.",
    )
    unpaid = wire_errors.not_paid_for("An API key.", "Log in.")
    assert (unpaid.status, unpaid.code, unpaid.message) == (401, "codex_login_required", "An API key.\nLog in.")
    doubtful = wire_errors.turn_in_doubt("killed")
    assert (doubtful.status, doubtful.code, "killed" in doubtful.message) == (503, "codex_unavailable", True)
    assert dict(stopped.headers) == dict(late.headers) == dict(doubtful.headers) == {"x-should-retry": "false"}
