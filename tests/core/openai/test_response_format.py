"""A format is an output schema where one can enforce it, and words where none can."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.response_format import AnswerFormat, parse_response_format
from tests.kit.cases import for_each

OPEN = {"type": "object", "additionalProperties": True}
LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}}
STRICT = {
    "type": "object",
    "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "required": ["a"],
    "additionalProperties": False,
}


def by_schema(schema: Any, **others: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, **others}}


@for_each(
    ("value", "expected"),
    [
        (None, AnswerFormat()),
        ({"type": "text"}, AnswerFormat()),
        ({"type": "json_object"}, AnswerFormat(wish="Answer with one JSON object and nothing else.")),
        (by_schema(OPEN, strict=True), AnswerFormat(OPEN)),
        (by_schema({}, strict=True), AnswerFormat({})),
        (by_schema(LOOSE, strict=True), AnswerFormat(LOOSE)),
        (by_schema(LOOSE, strict=False), AnswerFormat(STRICT)),
        (by_schema(LOOSE, strict=None), AnswerFormat(STRICT)),
        (by_schema(LOOSE), AnswerFormat(STRICT)),
        (
            by_schema(OPEN),
            AnswerFormat(
                wish="Answer with one JSON document and nothing else. It must fit this JSON Schema: "
                '{"type": "object", "additionalProperties": true}'
            ),
        ),
    ],
)
def test_a_format_is_understood(value: Any, expected: Any) -> None:
    assert parse_response_format(value) == expected


@for_each(
    ("value", "param"),
    [
        ("json_object", "response_format.type"),
        ({}, "response_format.type"),
        ({"type": "grammar"}, "response_format.type"),
        ({"type": ["text"]}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": []}, "response_format.json_schema.schema"),
        (by_schema(None), "response_format.json_schema.schema"),
        (by_schema(True), "response_format.json_schema.schema"),
    ],
)
def test_another_format_is_refused(value: Any, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_response_format(value)
    assert (refused.value.status, refused.value.param) == (400, param)
