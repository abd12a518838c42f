"""`response_format`: an output schema for Codex, or words where no schema can enforce what is asked for."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.openai.strict_schema import to_strict

_TYPES = ("text", "json_object", "json_schema")
_JSON_OBJECT = "Answer with one JSON object and nothing else."
_BY_SCHEMA = "Answer with one JSON document and nothing else. It must fit this JSON Schema:"


class AnswerFormat(NamedTuple):
    """What an answer must look like.

    Attributes:
        schema: the output schema; None where there is none.
        wish: what the model is told instead; empty where nothing is.
    """

    schema: Any = None
    wish: str = ""


def parse_response_format(value: Any) -> AnswerFormat:
    """The format that `response_format` asks for.

    A schema that is `strict` goes to the model's side as it is, which refuses what is not in its subset. One that is
    not is put into strict form; without such a form the model is asked in words.

    Raises:
        ApiError: 400.
    """
    if value is None:
        return AnswerFormat()
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in _TYPES:
        raise invalid(f"`response_format.type` must be one of {', '.join(_TYPES)}.", "response_format.type")
    if kind == "text":
        return AnswerFormat()
    return AnswerFormat(wish=_JSON_OBJECT) if kind == "json_object" else _by_schema(value.get("json_schema"))


def _by_schema(value: Any) -> AnswerFormat:
    schema = value.get("schema") if isinstance(value, dict) else None
    if not isinstance(schema, dict):
        param = "response_format.json_schema.schema"
        raise invalid(f"`{param}` must be a JSON Schema.", param)
    if value.get("strict") is True:
        return AnswerFormat(schema)
    strict = to_strict(schema)
    return AnswerFormat(strict, "" if strict else f"{_BY_SCHEMA} {json.dumps(schema, ensure_ascii=False)}")
