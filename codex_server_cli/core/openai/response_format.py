"""`response_format`: an output schema for Codex, or an instruction in words if no schema can enforce the format."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.openai.strict_schema import to_strict

_TYPES = ("text", "json_object", "json_schema")
_JSON_OBJECT = "Answer with one JSON object and nothing else."
_BY_SCHEMA = "Answer with one JSON document and nothing else. It must fit this JSON Schema:"


class AnswerFormat(NamedTuple):
    """The requested format of an answer.

    Attributes:
        schema: the output schema; None if there is none.
        wish: the instruction for the model instead of a schema; empty if there is none.
    """

    schema: Any = None
    wish: str = ""


def parse_response_format(value: Any, param: str = "response_format", within: str = "json_schema") -> AnswerFormat:
    """The format that a request asks for.

    Args:
        value: of its parameter `param`.
        within: its member that holds a schema's members; empty if it holds them itself.

    A `strict` schema is sent unchanged; the model's API refuses what is not in its subset. Another schema is converted
    to strict form; if that is impossible, the model is instructed in words.

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
    """The object that holds the schema, and its path."""
    return (value.get(within), f"{param}.{within}") if within else (value, param)


def _by_schema(value: Any, param: str) -> AnswerFormat:
    schema = value.get("schema") if isinstance(value, dict) else None
    if not isinstance(schema, dict):
        raise invalid(f"`{param}.schema` must be a JSON Schema.", f"{param}.schema")
    if value.get("strict") is True:
        return AnswerFormat(schema)
    strict = to_strict(schema)
    return AnswerFormat(strict, "" if strict else f"{_BY_SCHEMA} {json.dumps(schema, ensure_ascii=False)}")
