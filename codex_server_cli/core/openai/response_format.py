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


def parse_response_format(value: Any, param: str = "response_format", within: str = "json_schema") -> AnswerFormat:
    """The format that a request asks for.

    Args:
        value: of its parameter `param`.
        within: the member of it that holds a schema's members; empty where it does so itself.

    A schema that is `strict` goes to the model's side as it is, which refuses what is not in its subset. One that is
    not is put into strict form; without such a form the model is asked in words.

    Raises:
        ApiError: 400.
    """
    if value is None:
        return AnswerFormat()
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in _TYPES:
        raise invalid(f"`{param}.type` must be one of {', '.join(_TYPES)}.", f"{param}.type")
    if kind == "text":
        return AnswerFormat()
    return AnswerFormat(wish=_JSON_OBJECT) if kind == "json_object" else _by_schema(*_holder(value, param, within))


def _holder(value: dict[str, Any], param: str, within: str) -> tuple[Any, str]:
    """What holds the schema, and its path."""
    return (value.get(within), f"{param}.{within}") if within else (value, param)


def _by_schema(value: Any, param: str) -> AnswerFormat:
    schema = value.get("schema") if isinstance(value, dict) else None
    if not isinstance(schema, dict):
        raise invalid(f"`{param}.schema` must be a JSON Schema.", f"{param}.schema")
    if value.get("strict") is True:
        return AnswerFormat(schema)
    strict = to_strict(schema)
    return AnswerFormat(strict, "" if strict else f"{_BY_SCHEMA} {json.dumps(schema, ensure_ascii=False)}")
