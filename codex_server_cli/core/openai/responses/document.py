"""The Response object and the items of its output. Owns their format, and defaults of members that a request omits.

Must never know how an answer is made: both an answer of the model and one of our turns become these documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from codex_server_cli.core.openai.refusal import ApiError

Json = dict[str, Any]
ItemStatus = Literal["in_progress", "completed", "incomplete"]
ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

_UNSAID: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Defaults of the members that repeat the request."""

_ERROR_CODES = {
    "content_policy_violation": "invalid_prompt",
    "context_length_exceeded": "invalid_prompt",
    "usage_limit_reached": "rate_limit_exceeded",
    "insufficient_quota": "rate_limit_exceeded",
    "rate_limit_exceeded": "rate_limit_exceeded",
}
"""OpenAI's type for `error.code` is a closed list; any other error is a `server_error`."""


class ResponseHead(NamedTuple):
    """The members that every document of one response repeats.

    Attributes:
        id: `resp_…`.
        created_at: Unix seconds.
        model: as the client named it.
        echoed: members of the request that a Response repeats; missing ones get their default.
    """

    id: str
    created_at: int
    model: str
    echoed: Mapping[str, Any] = {}


def response_document(
    head: ResponseHead,
    *,
    status: ResponseStatus,
    output: Sequence[Json],
    usage: Json | None,
    error: Json | None = None,
    incomplete_details: Json | None = None,
    completed_at: int | None = None,
    background: bool = False,
    previous_response_id: str | None = None,
) -> Json:
    """A Response object.

    Args:
        output: items, as the functions below make them.
        usage: of `usage_document`; None if it is unknown.
        error: of `response_error`, if `status` is `failed`.
        incomplete_details: of `incomplete`.
        completed_at: Unix seconds, if `status` is `completed`.
    """
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created_at,
        "status": status,
        "background": background,
        "completed_at": completed_at,
        "error": error,
        "incomplete_details": incomplete_details,
        "model": head.model,
        "output": list(output),
        "previous_response_id": previous_response_id,
        **_UNSAID,
        **head.echoed,
        "usage": usage,
    }


def incomplete(reason: Literal["max_output_tokens", "content_filter"]) -> Json:
    """The `incomplete_details` of a response that ended early."""
    return {"reason": reason}


def response_error(error: ApiError) -> Json:
    """The `error` of a response that failed."""
    code = _ERROR_CODES.get(error.code or "", "server_error")
    return {"code": code, "message": error.message, "type": error.type, "param": error.param}


def usage_document(
    *,
    input_tokens: int,
    output_tokens: int,
    total_tokens: int,
    cached: int = 0,
    cache_write: int = 0,
    reasoning: int = 0,
) -> Json:
    """The `usage` of a Response. The last three are included in the first two."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": cache_write},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": total_tokens,
    }


# --- the items of the output


def text_part(text: str, annotations: Sequence[Json] = ()) -> Json:
    """The content of a message: text."""
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


def refusal_part(words: str) -> Json:
    """The content of a refusal message."""
    return {"type": "refusal", "refusal": words}


def message_item(
    item_id: str,
    text: str,
    *,
    status: ItemStatus = "completed",
    annotations: Sequence[Json] = (),
    phase: str | None = None,
) -> Json:
    """A message of the assistant.

    Args:
        item_id: `msg_…`.
        annotations: citations, in the format of the Responses API.
        phase: `commentary` or `final_answer`; None if the model does not report it.
    """
    return message_of_parts(item_id, [text_part(text, annotations)], status=status, phase=phase)


def message_of_parts(
    item_id: str, parts: Sequence[Json], *, status: ItemStatus = "completed", phase: str | None = None
) -> Json:
    """A message of the assistant with any content, or none yet."""
    item = {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": list(parts)}
    return {**item, "phase": phase} if phase else item


def reasoning_item(
    item_id: str,
    summary: Sequence[str],
    *,
    encrypted_content: str | None = None,
    status: ItemStatus | None = None,
) -> Json:
    """Reasoning of the model.

    Args:
        item_id: `rs_…`.
        summary: its parts.
        encrypted_content: may be sent back in another request; only if the client requested it.
        status: None for a complete item, as OpenAI omits it, too.
    """
    parts = [{"type": "summary_text", "text": text} for text in summary]
    item: Json = {"id": item_id, "type": "reasoning", "summary": parts}
    if encrypted_content is not None:
        item["encrypted_content"] = encrypted_content
    return {**item, "status": status} if status else item


def call_item(item_id: str, call_id: str, name: str, arguments: str, *, status: ItemStatus = "completed") -> Json:
    """A call of a client's function.

    Args:
        item_id: `fc_…`.
        arguments: JSON text.
    """
    call = {"id": item_id, "type": "function_call", "status": status, "call_id": call_id}
    return {**call, "name": name, "arguments": arguments}
