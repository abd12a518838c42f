"""Codex's errors are mapped to error kinds."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.rpc import readable_message
from codex_server_cli.core.result import failures
from codex_server_cli.errors import ErrorKind, ServerError
from tests.kit.cases import for_each


def _error(info: Any = "other", message: str = "what Codex said") -> dict[str, Any]:
    return {"message": message, "codexErrorInfo": info, "additionalDetails": None}


def _cut(status: int | None = None, name: str = "responseStreamDisconnected") -> dict[str, Any]:
    return {name: {"httpStatusCode": status}}


# --- errors that end a turn (protocol notes, section 5)

_KIND_OF_INFO = {
    "contextWindowExceeded": ErrorKind.CONTEXT_WINDOW,
    "sessionBudgetExceeded": ErrorKind.USAGE_LIMIT,
    "usageLimitExceeded": ErrorKind.USAGE_LIMIT,
    "rateLimitExceeded": ErrorKind.RATE_LIMIT,
    "flexUnavailable": ErrorKind.OVERLOADED,
    "serverOverloaded": ErrorKind.OVERLOADED,
    "modelNotFound": ErrorKind.BAD_REQUEST,
    "policyCapacityUnavailable": ErrorKind.OVERLOADED,
    "inferenceHookDenied": ErrorKind.BAD_REQUEST,
    "cyberPolicy": ErrorKind.BAD_REQUEST,
    "bioPolicy": ErrorKind.BAD_REQUEST,
    "misalignmentPolicyViolation": ErrorKind.BAD_REQUEST,
    "tooManyDenials": ErrorKind.BAD_REQUEST,
    "internalServerError": ErrorKind.OVERLOADED,
    "unauthorized": ErrorKind.AUTH,
    "badRequest": ErrorKind.BAD_REQUEST,
    "threadRollbackFailed": ErrorKind.BAD_REQUEST,
    "sandboxError": ErrorKind.SANDBOX,
    "other": ErrorKind.BAD_REQUEST,
    "aWordOfANewerVersion": ErrorKind.BAD_REQUEST,
}


@for_each(("info", "kind"), _KIND_OF_INFO.items())
def test_every_named_error_has_its_kind(info: str, kind: ErrorKind) -> None:
    assert failures.kind_of_turn_error(_error(info), None) is kind


@for_each(
    "name",
    [
        "httpConnectionFailed",
        "responseStreamConnectionFailed",
        "responseStreamDisconnected",
        "responseTooManyFailedAttempts",
    ],
)
@for_each(
    ("status", "kind"),
    [
        (None, ErrorKind.NETWORK),
        (0, ErrorKind.NETWORK),
        (408, ErrorKind.NETWORK),
        (401, ErrorKind.AUTH),
        (403, ErrorKind.AUTH),
        (404, ErrorKind.BAD_REQUEST),
        (429, ErrorKind.RATE_LIMIT),
        (500, ErrorKind.OVERLOADED),
        (503, ErrorKind.OVERLOADED),
    ],
)
def test_an_http_failure_is_told_by_its_status(name: str, status: int | None, kind: ErrorKind) -> None:
    assert failures.kind_of_turn_error(_error(_cut(status, name)), None) is kind


@for_each(
    "info",
    [
        None,
        5,
        [],
        {},
        {"activeTurnNotSteerable": {"turnKind": "review"}},
        {"somethingNew": None},
    ],
)
def test_an_unknown_shape_is_a_bad_request(info: Any) -> None:
    assert failures.kind_of_turn_error(_error(info), None) is ErrorKind.BAD_REQUEST


@for_each("detail", [None, "x", {"httpStatusCode": "401"}, {"httpStatusCode": []}, {}])
def test_a_network_failure_without_a_status_is_the_network(detail: Any) -> None:
    assert failures.kind_of_turn_error(_error({"httpConnectionFailed": detail}), None) is ErrorKind.NETWORK


def test_a_bare_other_after_network_retries_is_the_network() -> None:
    assert failures.kind_of_turn_error(_error(), _error(_cut())) is ErrorKind.NETWORK
    assert failures.kind_of_turn_error(_error(), _error(_cut(500))) is ErrorKind.OVERLOADED


def test_a_raw_body_speaks_for_itself_whatever_was_retried_before() -> None:
    error = _error(message='{"error": {"message": "bad"}}')
    assert failures.kind_of_turn_error(error, _error(_cut())) is ErrorKind.BAD_REQUEST


def test_a_retry_that_was_no_network_failure_explains_nothing() -> None:
    assert failures.kind_of_turn_error(_error(), _error("serverOverloaded")) is ErrorKind.BAD_REQUEST


@for_each("info", ["other", None])
@for_each(
    "message",
    [
        "stream disconnected before completion: stream closed before response.completed",
        "Reconnecting... 1/5",
        "error sending request for url (https://example.com/responses)",
        "Connection closed",
    ],
)
def test_a_broken_connection_is_the_network_with_no_retry_before_it_too(info: str | None, message: str) -> None:
    assert failures.kind_of_turn_error(_error(info, message), None) is ErrorKind.NETWORK
    assert failures.kind_of_turn_error(_error(info, message), _error("serverOverloaded")) is ErrorKind.NETWORK
    assert failures.kind_of_turn_error(_error(info, message), _error(_cut(500))) is ErrorKind.OVERLOADED


def test_an_answer_that_the_service_broke_off_is_no_failure_of_the_network() -> None:
    error = _error("other", "stream disconnected before completion: Incomplete response returned, reason: x")
    assert failures.kind_of_turn_error(error, None) is ErrorKind.BAD_REQUEST
    assert failures.is_incomplete(error)
    assert not failures.is_incomplete({})


@for_each("info", ["other", None])
@for_each(
    ("message", "kind"),
    [
        ("You’ve hit your usage limit. Visit … or try again at 6:27 PM.", ErrorKind.USAGE_LIMIT),
        ("Your workspace is out of credits. Add credits to continue.", ErrorKind.USAGE_LIMIT),
        ('{"error": {"code": "insufficient_quota"}}', ErrorKind.USAGE_LIMIT),
        ("Codex ran out of room in the model's context window.", ErrorKind.CONTEXT_WINDOW),
        ('{"error": {"code": "context_length_exceeded"}}', ErrorKind.CONTEXT_WINDOW),
        ("Your access token could not be refreshed. Please log out and sign in again.", ErrorKind.AUTH),
        ("Incomplete response returned, reason: max_output_tokens", ErrorKind.BAD_REQUEST),
        (
            "failed to load AGENTS.md instructions: fs sandbox helper failed: bwrap: Can't bind mount /bindfile: …",
            ErrorKind.CODEX_CRASHED,
        ),
    ],
)
def test_an_error_without_a_name_is_told_by_its_words(info: str | None, message: str, kind: ErrorKind) -> None:
    assert failures.kind_of_turn_error(_error(info, message), None) is kind


def test_a_named_error_outweighs_the_retries_before_it() -> None:
    assert failures.kind_of_turn_error(_error("usageLimitExceeded"), _error(_cut())) is ErrorKind.USAGE_LIMIT


@for_each(
    "message",
    [
        '{"error": {"code": "invalid_json_schema", "message": "…"}}',
        "Invalid schema for response_format 'codex_output_schema'",
        '{"error": {"param": "text.format.schema"}}',
    ],
)
def test_a_refused_schema_is_told_by_its_message(message: str) -> None:
    assert failures.kind_of_turn_error(_error("badRequest", message), _error(_cut())) is ErrorKind.BAD_SCHEMA


# --- refusals of requests (protocol notes, sections 1 and 3)


@for_each(
    ("code", "message", "kind"),
    [
        (-32001, "Server overloaded; retry later.", ErrorKind.OVERLOADED),
        (-32600, "thread 01a1 already has an active writer", ErrorKind.THREAD_BUSY),
        (-32603, "thread history projection for 01a1 is behind durable rollout", ErrorKind.THREAD_BUSY),
        (-32600, "thread 01a1 is closing; retry thread/resume after the thread is closed", ErrorKind.THREAD_BUSY),
        (-32600, "no rollout found for thread id 01a1", ErrorKind.THREAD_MISSING),
        (-32600, "thread not found: 01a1", ErrorKind.THREAD_MISSING),
        (-32603, "failed to resolve feature override precedence: Model provider `x` not found", ErrorKind.BAD_INPUT),
        (-32600, "session 01a1 is archived. Run `codex unarchive 01a1`", ErrorKind.THREAD_MISSING),
        (-32600, "invalid session id: invalid character: found `x`", ErrorKind.THREAD_MISSING),
        (-32600, "failed to load configuration: /home/dev/.codex/config.toml:1:9: …", ErrorKind.BAD_INPUT),
        (-32600, "error loading config: …", ErrorKind.BAD_INPUT),
        (-32602, "Input exceeds the maximum length of 1048576 characters.", ErrorKind.BAD_INPUT),
        (-32600, "codex account authentication required to read rate limits", ErrorKind.AUTH),
        (-32600, "Not logged in", ErrorKind.AUTH),
        (-32600, "Invalid request: unknown variant `nope/x`, expected one of …", ErrorKind.PROTOCOL),
        (-32603, "thread history DB at /c/h.sqlite: (code: 11) database disk image is malformed", ErrorKind.DISK),
        (-32603, "insert: (code: 13) database or disk is full", ErrorKind.DISK),
        (-32603, "failed to read session metadata /c/r.jsonl: rollout at /c/r.jsonl is empty", ErrorKind.BAD_INPUT),
        (-32600, "failed to load configuration: /c: Too many open files (os error 24)", ErrorKind.OVERLOADED),
        (-32600, "Not initialized", ErrorKind.BAD_REQUEST),
        (-32603, "failed to submit turn input", ErrorKind.BAD_REQUEST),
        (None, None, ErrorKind.BAD_REQUEST),
    ],
)
def test_a_refusal_is_told_by_its_words(code: int | None, message: str | None, kind: ErrorKind) -> None:
    assert failures.kind_of_refusal({"code": code, "message": message}) is kind


# --- exits


@for_each(
    ("stderr", "kind"),
    [
        ("error: unrecognized subcommand 'app-server'", ErrorKind.CODEX_MISSING),
        ("error: unexpected argument '--listen' found", ErrorKind.CODEX_MISSING),
        ("Error loading config.toml: …", ErrorKind.BAD_INPUT),
        ("failed to load configuration: …", ErrorKind.BAD_INPUT),
        ("Error: Model provider `nope` not found\n\nStack backtrace:\n   0: <unknown>", ErrorKind.BAD_INPUT),
        ("thread 'main' panicked", ErrorKind.CODEX_CRASHED),
        ("failed to open state DB at /c/s.sqlite: (code: 26) file is not a database", ErrorKind.DISK),
        ("Error: No space left on device (os error 28)", ErrorKind.DISK),
        ("Error: No file descriptors available (os error 24)", ErrorKind.OVERLOADED),
        ("WARN mcp server said: Too many open files\nError: gone", ErrorKind.CODEX_CRASHED),
        ("", ErrorKind.CODEX_CRASHED),
    ],
)
def test_an_exit_is_told_by_its_stderr_tail(stderr: str, kind: ErrorKind) -> None:
    assert failures.kind_of_exit(stderr) is kind


@for_each(
    "text",
    [
        "failed to load configuration: Model provider `z` not found",
        "This chat uses model provider “z”, which is no longer configured. Restore this provider’s configuration.",
    ],
)
def test_a_thread_whose_provider_is_gone_can_be_forked(text: str) -> None:
    error = failures.error_of_refusal("thread/resume", {"code": -32600, "message": text})
    assert (error.kind, error.message) == (ErrorKind.BAD_INPUT, f"Codex refused thread/resume: {text}")
    assert error.hint.startswith("A fork takes the provider that Codex is configured with: {fork}")
    assert failures.error_of_refusal("thread/start", {"code": -32600, "message": text}, 2).hint == ""


# --- messages for people


@for_each(
    ("error", "text"),
    [
        ({}, "Codex gave no message"),
        ({"message": "plain"}, "plain"),
        ({"message": "two\n  lines"}, "two lines"),
        ({"message": '{"error": {"message": "the inner one", "code": 1}}'}, "the inner one"),
        ({"message": '{"error": "none inside"}'}, '{"error": "none inside"}'),
        ({"message": "Reconnecting... 1/2", "additionalDetails": "cut"}, "Reconnecting... 1/2 (cut)"),
        ({"message": "it was cut", "additionalDetails": "cut"}, "it was cut"),
        ({"message": "m", "additionalDetails": 5}, "m"),
    ],
)
def test_an_error_reads_in_one_line(error: dict[str, Any], text: str) -> None:
    assert readable_message(error) == text


@for_each("kind", ErrorKind)
def test_an_error_is_retryable_as_its_kind_is(kind: ErrorKind) -> None:
    error = failures.make_error(kind, "m", resets_at="t")
    assert (error.kind, error.message, error.resets_at) == (kind, "m", "t")
    assert error.retryable is kind.is_retryable


def test_a_damaged_database_is_not_worth_another_try() -> None:
    assert not failures.make_error(ErrorKind.DISK, "(code: 11) database disk image is malformed").retryable
    assert failures.make_error(ErrorKind.DISK, "(code: 13) database or disk is full").retryable


# --- what codex said on stderr


@for_each(
    ("stderr", "tail"),
    [
        ("", None),
        (" \n", None),
        ("\x1b[31mERROR\x1b[0m no\n", "ERROR no"),
        ("x" * 5000, "x" * 4000),
        ("first\n" + "x" * 3000 + "\n" + "y" * 3000, "y" * 3000),
    ],
    ids=["nothing", "blank", "colours", "one long line", "whole lines"],
)
def test_an_error_keeps_the_end_of_stderr(stderr: str, tail: str | None) -> None:
    assert failures.stderr_tail(stderr) == tail


@for_each(
    ("stderr", "line"),
    [
        ("", ""),
        ("panicked", "panicked"),
        ("WARN of no interest\n  Error: it is locked \n\n", "Error: it is locked"),
        ("2026-11-20T16:55:01Z  WARN codex_app_server: Codex could not find bubblewrap on PATH.", ""),
        ("Error: no\n2026-11-20T16:55:01Z ERROR codex_app_server: Codex could not find bubblewrap\n", "Error: no"),
        ("Error: it is locked\nStack backtrace:\n   0: <unknown>\n", "Error: it is locked"),
        ("Error: \nit is locked\n\n  stack backtrace:\n   0: rust_begin_unwind\n", "it is locked"),
        ("Stack backtrace:\n   0: <unknown>\n", ""),
        ("Error: no\n\nCaused by:\n    no room (os error 28)\n", "Error: no: no room (os error 28)"),
        (
            "WARN\nError: no\n\nCaused by:\n    0: no lock\n    1: no room\n\nStack backtrace:\n   0: <unknown>\n",
            "Error: no: no lock: no room",
        ),
        ("Caused by:\n    no room\n", "no room"),
        ("Caused by:\n", "Caused by:"),
        ("Error: a\n\nCaused by:\n    b\nnote: run with `RUST_BACKTRACE=1` environment variable\n", "Error: a: b"),
        ("WARN x\n\nCaused by:\n    y\nmore noise\nError: the real one\n", "Error: the real one"),
        ("Error: a\nCaused by:\n" + "    b\n" * 60, "b"),
        ("Error: a\n\nLocation:\n    src/x.rs:1\n", "Error: a"),
        ("panicked at a.rs:1:\nno room\nnote: run with `RUST_BACKTRACE=1` environment variable", "no room"),
        ("error: no such flag\n\nUsage: codex\n\nFor more information, try '--help'.", "error: no such flag"),
        ("WARNING: proceeding, even though we could not\nRefusing to create helper binaries under /tmp\n", ""),
        (
            "Fatal Python error: no\n\nCurrent thread 0x1 (most recent call first):\n  <no Python frame>",
            "Fatal Python error: no",
        ),
    ],
)
def test_the_line_that_tells_why_stands_before_any_backtrace(stderr: str, line: str) -> None:
    assert failures.telling_line(stderr) == line


def test_the_hint_of_an_error_of_ours_is_a_text_and_not_a_template() -> None:
    error = failures.error_of(ServerError("m", hint='Set {"a": 1}.', kind=ErrorKind.CODEX_MISSING), " Then: {go_on}")
    assert (error.kind, error.message, error.retryable) == (ErrorKind.CODEX_MISSING, "m", False)
    assert error.hint.format(go_on="x") == 'Set {"a": 1}. Then: x'
    assert failures.error_of(ServerError("m"), " Then: {go_on}").hint == ""
