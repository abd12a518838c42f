"""The operations of the Responses API. Owns the schemas of parameters and document members."""

from __future__ import annotations

from collections.abc import Mapping

from codex_server_cli.core.openai.parameter import SUMMARIES, VERBOSITIES
from codex_server_cli.core.openai.responses.items import INPUT_ROLES
from codex_server_cli.core.openai.responses.parameters import RESPONSE_PARAMETERS
from codex_server_cli.gateway.openapi.chat import FACE, IGNORED, body_of_table
from codex_server_cli.gateway.openapi.operation import EVENTS, JSON, DocumentedAnswer, Operation, json_of, operation_id
from codex_server_cli.gateway.openapi.schema import (
    ANY,
    NUMBER,
    SWITCH,
    TEXT,
    WHOLE,
    Schema,
    any_of,
    described,
    event_of,
    list_of,
    object_of,
    one_of,
    or_null,
    ref,
)
from codex_server_cli.gateway.turns.query import QueryForm
from codex_server_cli.gateway.turns.starter import KEY_HEADER

_OBJECT: Schema = {"type": "object"}
_FAILURES = (404, 409, 429, 502, 504, 507)
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MESSAGE = object_of({"role": one_of(INPUT_ROLES), "content": any_of({"type": "null"}, TEXT, list_of(ANY))}, ("role",))
_TOOL = object_of({"type": {"const": "function"}, "name": TEXT, "parameters": or_null(_OBJECT)}, ("type", "name"))
_STATUSES = ("queued", "in_progress", "completed", "incomplete", "failed", "cancelled")

USED: dict[str, Schema] = {
    "model": or_null(TEXT),
    "input": any_of({**TEXT, "minLength": 1}, list_of(any_of(_MESSAGE, object_of({"type": TEXT}, ("type",))))),
    **dict.fromkeys(("instructions", "previous_response_id", "reasoning.effort", "service_tier"), or_null(TEXT)),
    **dict.fromkeys(("store", "background", "stream"), or_null(SWITCH)),
    "tools": or_null(list_of(_TOOL)),
    "tool_choice": or_null(any_of(one_of(("none", "auto", "required")), _OBJECT)),
    "text.format": or_null(object_of({"type": one_of(("text", "json_object", "json_schema"))}, ("type",))),
    "text.verbosity": or_null(one_of(VERBOSITIES)),
    "reasoning.summary": or_null(one_of((*SUMMARIES, "none"))),
    "include": or_null(list_of(TEXT)),
    "metadata": or_null({"type": "object", "additionalProperties": TEXT}),
    "prompt_cache_key": ANY,
    "user": ANY,
}
"""Parameters that have an effect."""

RESPONSE_FIELDS: dict[str, Schema] = {
    "id": TEXT,
    "object": {"const": "response"},
    "created_at": WHOLE,
    "status": one_of(_STATUSES),
    "background": SWITCH,
    "completed_at": or_null(WHOLE),
    "error": or_null(object_of({"code": TEXT, "message": TEXT}, ("code", "message"))),
    "incomplete_details": or_null(object_of({"reason": TEXT})),
    "model": TEXT,
    "output": list_of(object_of({"type": TEXT, "id": TEXT}, ("type", "id"))),
    "previous_response_id": or_null(TEXT),
    **dict.fromkeys(("instructions", "prompt_cache_key", "safety_identifier", "user"), ANY),
    **dict.fromkeys(("max_output_tokens", "max_tool_calls", "top_logprobs"), or_null(WHOLE)),
    **dict.fromkeys(("temperature", "top_p"), or_null(NUMBER)),
    **dict.fromkeys(("metadata", "text"), _OBJECT),
    "reasoning": or_null(_OBJECT),
    "parallel_tool_calls": SWITCH,
    "service_tier": or_null(TEXT),
    "store": SWITCH,
    "tool_choice": any_of(TEXT, _OBJECT),
    "tools": list_of(_OBJECT),
    "truncation": or_null(TEXT),
    "usage": or_null(
        object_of(
            {
                **dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), _COUNT),
                **dict.fromkeys(("input_tokens_details", "output_tokens_details"), _OBJECT),
            },
            ("input_tokens", "output_tokens", "total_tokens"),
        )
    ),
}
"""The members of a response (`core.openai.responses.document`)."""

SCHEMAS: dict[str, Schema] = {
    "Response": object_of(
        {**RESPONSE_FIELDS, "x_codex": described(_OBJECT, "Of a response in the background: its turn.")},
        RESPONSE_FIELDS,
    ),
    "ResponseDeleted": object_of({"id": TEXT, "object": {"const": "response"}, "deleted": {"const": True}}, ("id",)),
    "ResponseItems": object_of(
        {
            "object": {"const": "list"},
            "data": list_of(object_of({"id": TEXT, "type": TEXT}, ("id", "type"))),
            **dict.fromkeys(("first_id", "last_id"), or_null(TEXT)),
            "has_more": SWITCH,
        },
        ("object", "data", "has_more"),
    ),
}
_EVENT = event_of(
    "JSON: an event with its `type` and `sequence_number`.",
    {**TEXT, "pattern": r"^(response(\.[a-z_]+)+|error)$"},
)
_READ: Mapping[str, QueryForm] = {"stream": QueryForm.SWITCH, "starting_after": QueryForm.NUMBER}
_PAGE: Mapping[str, QueryForm] = {"limit": QueryForm.NUMBER, "order": QueryForm.TEXT, "after": QueryForm.TEXT}
_DETAILS: Mapping[str, Schema] = {
    "stream": {"description": "The events of a response in the background."},
    "starting_after": {"minimum": 0, "description": "The number of the last event that was seen."},
    "limit": {"minimum": 1, "maximum": 100, "default": 20},
    "order": one_of(("asc", "desc")),
    "after": {"description": "The id of the last item that was seen."},
}


def operations(*, is_strict: bool) -> dict[tuple[str, str], Operation]:
    """By method and path.

    Args:
        is_strict: whether parameters without effect are refused.
    """
    contents = {JSON: ref("Response"), EVENTS: _EVENT}
    answer = DocumentedAnswer("The response; with `stream` its events.", contents, IGNORED)
    links = {operation_id(*each): {"response": "$response.body#/id"} for each in _of_one()}
    return {
        ("POST", "/v1/responses"): Operation(
            FACE,
            {200: answer._replace(links=links)},
            _FAILURES,
            headers={KEY_HEADER: "In the background: the same key again starts no second turn."},
            body=body_of_table(RESPONSE_PARAMETERS, USED, "input", is_strict=is_strict),
            examples={"hello": {"input": "Say hello."}},
        ),
        **_of_one(),
    }


def _of_one() -> dict[tuple[str, str], Operation]:
    one = "/v1/responses/{response}"
    answer = DocumentedAnswer("The response; with `stream` its events.", {JSON: ref("Response"), EVENTS: _EVENT})
    return {
        ("GET", one): Operation(FACE, {200: answer}, _FAILURES, _READ, _DETAILS),
        ("DELETE", one): Operation(FACE, {200: json_of(ref("ResponseDeleted"), "It is gone.")}, _FAILURES),
        ("POST", f"{one}/cancel"): Operation(
            FACE, {200: json_of(ref("Response"), "The response, which has ended.")}, _FAILURES
        ),
        ("GET", f"{one}/input_items"): Operation(
            FACE, {200: json_of(ref("ResponseItems"), "A page of what it was asked.")}, _FAILURES, _PAGE, _DETAILS
        ),
    }
