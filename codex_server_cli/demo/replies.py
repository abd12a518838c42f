"""Builders for scripts: the next action of the scripted model.

Owns: the functions of a script, and which body makes Codex report which failure. Pure: values in, values out.
Never here: the values themselves (`parts`), their wire form (`sse`), I/O of any kind.

    reply(reason("look first"), run_command("ls"))               one model response with a tool call
    reply(say("Hello", hold(gate), " world"))                    stops between two deltas until the gate opens
    cut_after("Hel")      incomplete("max_output_tokens")      usage_limit()

Argument names and outcomes were observed with 0.163.0 and 0.171.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from codex_server_cli.demo.parts import Answer as Answer
from codex_server_cli.demo.parts import (
    Barrier,
    Cut,
    Failure,
    Hold,
    Incomplete,
    Json,
    Message,
    Part,
    Pause,
    Phase,
    Piece,
    Reasoning,
    StreamFailure,
    ToolCall,
    WebSearch,
)
from codex_server_cli.demo.parts import Reply as Reply
from codex_server_cli.demo.parts import ReplyLike as ReplyLike
from codex_server_cli.demo.parts import Usage as Usage


def reply(*parts: Part, usage: Usage | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One model response made of `parts`; `headers` may carry `x-codex-…` rate-limit windows."""
    return Answer(parts, usage or Usage(), headers or {})


def as_reply(value: ReplyLike) -> Reply:
    """Accept a bare part or a list of parts where a reply is expected, for readable scripts."""
    if isinstance(value, (Answer, Failure)):
        return value
    return reply(*value) if isinstance(value, Sequence) else reply(value)


def say(
    *pieces: Piece,
    chunks: int | None = None,
    phase: Phase | None = "final_answer",
    item_id: str | None = None,
) -> Message:
    """An assistant message, streamed one delta per string; holds, pauses and a cut may stand between them.

    Args:
        pieces: the text in order; without any string, a message without a delta.
        chunks: split every string into this many deltas of nearly equal length.
        phase: `final_answer`, `commentary`, or None for a model that names no phase.
        item_id: a fixed id, for instance to show what a retry with the same id looks like.
    """
    if chunks is not None:
        pieces = tuple(part for piece in pieces for part in _split(piece, chunks))
    return Message(pieces, phase, item_id)


def _split(piece: Piece, chunks: int) -> Sequence[Piece]:
    if not isinstance(piece, str):
        return (piece,)
    bounds = [len(piece) * index // chunks for index in range(chunks + 1)]
    return [piece[start:end] for start, end in pairwise(bounds)]


def reason(summary_text: str, *, item_id: str | None = None, encrypted: str | None = None) -> Reasoning:
    """A reasoning summary, with the encrypted reasoning itself where it is given."""
    return Reasoning(summary_text, item_id, encrypted)


def call(
    name: str, arguments: Mapping[str, Any] | str, *, call_id: str | None = None, namespace: str | None = None
) -> ToolCall:
    """A call of any tool: a mapping makes a `function_call`, a string a `custom_tool_call`.

    Args:
        name: of the tool.
        arguments: of the call.
        call_id: a fixed id; Codex makes it the item's id.
        namespace: of a tool that is not built into Codex: `mcp__SERVER`, `multi_agent_v1`.
    """
    return ToolCall(name, arguments, call_id, namespace)


def run_command(
    cmd: str,
    *,
    call_id: str | None = None,
    workdir: str | None = None,
    escalated: bool = False,
    justification: str | None = None,
    yield_time_ms: int | None = None,
) -> ToolCall:
    """A shell command.

    Args:
        cmd: one shell line.
        call_id: a fixed id; Codex makes it the item's id.
        workdir: where it runs; the thread's cwd when None.
        escalated: ask to run outside the sandbox, which makes Codex ask for approval.
        justification: the reason shown with that question.
        yield_time_ms: how long Codex waits before it reports to the model that the command still runs.
    """
    arguments: Json = {"cmd": cmd}
    optional = {"workdir": workdir, "justification": justification, "yield_time_ms": yield_time_ms}
    arguments |= {name: value for name, value in optional.items() if value is not None}
    if escalated:
        arguments["sandbox_permissions"] = "require_escalated"
    return ToolCall("exec_command", arguments, call_id)


def apply_patch(patch_text: str, *, call_id: str | None = None) -> ToolCall:
    """An edit in Codex's patch format, from `*** Begin Patch` to `*** End Patch`.

    Sent as a shell line, which 0.163.0 and 0.171.0 recognise and run as a `fileChange`. The custom tool
    `apply_patch` exists only for models of their catalogue ("unsupported custom tool call" for others).
    """
    return run_command(f"apply_patch <<'EOF'\n{patch_text}\nEOF\n", call_id=call_id)


def update_plan(*steps: tuple[str, str], explanation: str | None = None, call_id: str | None = None) -> ToolCall:
    """The plan tool: each step is (text, status); the status is `pending`, `in_progress` or `completed`."""
    arguments: Json = {"plan": [{"step": text, "status": status} for text, status in steps]}
    if explanation is not None:
        arguments["explanation"] = explanation
    return ToolCall("update_plan", arguments, call_id)


def web_search(query: str, *, item_id: str | None = None) -> WebSearch:
    """A finished web search; unlike a tool call it makes Codex do nothing, so put a message after it."""
    return WebSearch(query, item_id)


def hold(gate: Barrier) -> Hold:
    """Stop until `gate` opens."""
    return Hold(gate)


def pause(seconds: float) -> Pause:
    """Stop for `seconds`."""
    return Pause(seconds)


def cut() -> Cut:
    """Close the connection."""
    return Cut()


def cut_after(*pieces: Piece, item_id: str | None = None) -> Message:
    """Stream these deltas, then close the connection in the middle of the message."""
    return Message((*pieces, Cut()), item_id=item_id)


def incomplete(reason_code: str) -> Incomplete:
    """End with `response.incomplete`, for instance `max_output_tokens`."""
    return Incomplete(reason_code)


def stream_failure(code: str, message: str) -> StreamFailure:
    """End with `response.failed`, for instance `rate_limit_exceeded`."""
    return StreamFailure(code, message)


def context_window() -> StreamFailure:
    """The prompt no longer fits: codexErrorInfo `contextWindowExceeded`."""
    return StreamFailure("context_length_exceeded", "Your input exceeds the context window of this model.")


def fail(status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None) -> Failure:
    """An HTTP error; its body decides which failure Codex reports."""
    return Failure(status, body, headers or {})


def _error(status: int, kind: str, message: str, **more: Any) -> Failure:
    return Failure(status, {"error": {"type": kind, "code": kind, "message": message, **more}})


def usage_limit(*, resets_at: int | None = None, plan: str = "pro") -> Failure:
    """The subscription's window is used up until `resets_at` (Unix seconds): `usageLimitExceeded`, never retried."""
    when = {} if resets_at is None else {"resets_at": resets_at}
    return _error(429, "usage_limit_reached", "The usage limit has been reached", plan_type=plan, **when)


def rate_limited(*, retry_after_s: int | None = None) -> Failure:
    """Too many requests: codexErrorInfo `responseTooManyFailedAttempts` (429).

    Codex retries only with `retry_after_s`, as often as the provider's `stream_max_retries` allows.
    """
    if retry_after_s is None:
        return _error(429, "too_many_requests", "Too many requests")
    failure = _error(429, "rate_limit_exceeded", "Too many requests")
    return replace(failure, headers={"Retry-After": str(retry_after_s)})


def overloaded() -> Failure:
    """The service is at capacity: codexErrorInfo `serverOverloaded`."""
    return _error(503, "server_is_overloaded", "The server is overloaded")


def server_error() -> Failure:
    """A defect of the service: codexErrorInfo `internalServerError`."""
    return _error(500, "server_error", "The server had an error")


def unauthorized() -> Failure:
    """The login is not accepted: codexErrorInfo `httpConnectionFailed` (401).

    In ChatGPT mode Codex first asks its token service for a new login, and reports that service's answer.
    """
    return _error(401, "invalid_token", "The access token is not valid")


def bad_request(message: str) -> Failure:
    """The request is refused: codexErrorInfo `other`; its message is this response's raw body."""
    return _error(400, "invalid_request_error", message)
