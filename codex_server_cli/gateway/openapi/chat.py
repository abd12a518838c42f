"""The operations of the OpenAI face. Owns the schemas of parameters; `core.openai.parameters` owns how each is
treated. OpenAI's own document describes the whole API, this one what is accepted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from codex_server_cli.core.openai.messages import MOST_MESSAGES, ROLES
from codex_server_cli.core.openai.parameter import SUMMARIES, VERBOSITIES, ApiParameter, Treatment
from codex_server_cli.core.openai.parameters import MAX_STOPS, PARAMETERS
from codex_server_cli.gateway.openapi.operation import EVENTS, JSON, DocumentedAnswer, Operation, json_of
from codex_server_cli.gateway.openapi.schema import (
    ANY,
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

FACE = "openai"
_OBJECT: Schema = {"type": "object"}
_FAILURES = (404, 429, 502, 504)
_FUNCTION = object_of({"name": TEXT, "arguments": TEXT}, ("name", "arguments"))
_CALL = object_of({"id": TEXT, "type": {"const": "function"}, "function": _FUNCTION}, ("id", "type", "function"))
_COUNT: Schema = {"type": "integer", "minimum": 0}
_USAGE = object_of(
    {
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), _COUNT),
        "prompt_tokens_details": object_of({"cached_tokens": _COUNT}),
        "completion_tokens_details": object_of({"reasoning_tokens": _COUNT}),
    },
    ("prompt_tokens", "completion_tokens", "total_tokens"),
)
_PART = described(any_of(TEXT, _OBJECT), "`text`; in messages of users and tools `image_url` with a data URL.")
_FUNCTION_GIVEN = object_of({"name": TEXT, "description": or_null(TEXT), "parameters": or_null(_OBJECT)}, ("name",))
_MESSAGE = object_of(
    {
        "role": one_of(ROLES),
        "content": any_of({"type": "null"}, TEXT, list_of(_PART)),
        "tool_calls": or_null(list_of(_OBJECT)),
        "tool_call_id": or_null(TEXT),
        "function_call": or_null(_OBJECT),
        "name": ANY,
    },
    ("role",),
)
_STOP: Schema = {"type": "string", "minLength": 1}

USED: dict[str, Schema] = {
    "model": or_null(TEXT),
    "messages": {**list_of(_MESSAGE), "minItems": 1, "maxItems": MOST_MESSAGES},
    "tools": or_null(list_of(object_of({"type": {"const": "function"}, "function": _FUNCTION_GIVEN}))),
    "tool_choice": or_null(any_of(one_of(("none", "auto", "required")), _OBJECT)),
    "functions": or_null(list_of(_FUNCTION_GIVEN)),
    "function_call": or_null(any_of(one_of(("none", "auto", "required")), _OBJECT)),
    "response_format": any_of(
        {"type": "null"},
        object_of({"type": one_of(("text", "json_object"))}, ("type",)),
        object_of(
            {"type": {"const": "json_schema"}, "json_schema": object_of({"schema": _OBJECT}, ("schema",))},
            ("type", "json_schema"),
        ),
    ),
    "reasoning_effort": or_null(TEXT),
    "reasoning": any_of(
        object_of({"effort": or_null(TEXT), "summary": or_null(one_of((*SUMMARIES, "none")))}),
        described({"not": _OBJECT}, "Has no effect."),
    ),
    "verbosity": or_null(one_of(VERBOSITIES)),
    "service_tier": or_null(TEXT),
    "stop": any_of({"type": "null"}, _STOP, {**list_of(_STOP), "maxItems": MAX_STOPS}),
    "stream": or_null(SWITCH),
    "stream_options.include_usage": or_null(SWITCH),
    "prompt_cache_key": ANY,
    "user": ANY,
}
"""Parameters that have an effect."""

IGNORED = {"x-codex-ignored": "The parameters that were given and have no effect."}
_EVENT = event_of("JSON: a chunk, or an error; at last `[DONE]`.", one_of(("message",)))
_HEAD = {"id": TEXT, "object": TEXT, "created": WHOLE}
SCHEMAS: dict[str, Schema] = {
    "ChatCompletion": object_of(
        {
            **_HEAD,
            "model": TEXT,
            "choices": list_of(
                object_of(
                    {
                        "index": WHOLE,
                        "message": object_of(
                            {
                                "role": {"const": "assistant"},
                                "content": or_null(TEXT),
                                "refusal": or_null(TEXT),
                                "reasoning_content": TEXT,
                                "annotations": list_of(_OBJECT),
                                "tool_calls": list_of(_CALL),
                                "function_call": _FUNCTION,
                            },
                            ("role", "content"),
                        ),
                        "logprobs": {"type": "null"},
                        "finish_reason": one_of(("stop", "tool_calls", "function_call", "length", "content_filter")),
                    },
                    ("index", "message", "finish_reason"),
                )
            ),
            "usage": _USAGE,
        },
        (*_HEAD, "model", "choices"),
    ),
    "Model": object_of(
        {
            **_HEAD,
            "owned_by": TEXT,
            "x_codex": object_of(
                {
                    **dict.fromkeys(("reasoning_efforts", "input_modalities", "service_tiers"), list_of(TEXT)),
                    "default_effort": or_null(TEXT),
                    "is_default": SWITCH,
                }
            ),
        }
    ),
}


def operations(*, is_strict: bool) -> dict[tuple[str, str], Operation]:
    """By method and path.

    Args:
        is_strict: whether parameters without effect are refused.
    """
    answer = DocumentedAnswer(
        "The answer; with `stream` in chunks.",
        {
            JSON: ref("ChatCompletion"),
            EVENTS: _EVENT,
        },
        IGNORED,
    )
    models = object_of({"object": {"const": "list"}, "data": list_of(ref("Model"))}, ("object", "data"))
    return {
        ("POST", "/v1/chat/completions"): Operation(
            FACE,
            {200: answer},
            _FAILURES,
            body=body_of_table(PARAMETERS, USED, "messages", is_strict=is_strict),
            examples={"hello": {"messages": [{"role": "user", "content": "Say hello."}]}},
        ),
        ("GET", "/v1/models"): Operation(FACE, {200: json_of(models, "The models.")}, _FAILURES),
        ("GET", "/v1/models/{name}"): Operation(FACE, {200: json_of(ref("Model"), "The model.")}, _FAILURES),
    }


def _as_good(values: Iterable[Any]) -> list[Any]:
    """Accept `false` and `true` besides 0 and 1, and vice versa: clients mix them up, and nothing depends on it."""
    return [int(each) if isinstance(each, bool) else bool(each) for each in values if each in (0, 1)]


def body_of_table(
    table: Iterable[ApiParameter], used: Mapping[str, Schema], required: str, *, is_strict: bool
) -> Schema:
    """The body of a request with these parameters.

    Args:
        used: schemas of those that have an effect.
        required: the parameter that must be given.
    """
    members: dict[str, Any] = {}
    for name, treatment, note, harmless in table:
        if treatment is Treatment.USED:
            schema = used[name]
        elif treatment is Treatment.REFUSED or is_strict:
            schema = {"enum": [None, *harmless, *_as_good(harmless)]}
        else:
            schema = ANY
        outer, _, inner = name.rpartition(".")
        place = members.setdefault(outer, or_null(object_of({})))["properties"] if outer else members
        place[inner] = described(schema, f"{treatment.value.capitalize()}: {note}.")
    return object_of(members, (required,))
