"""The JSON Schemas that the document is made of. Owns how they are written; must never know a route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]
"""A JSON Schema, 2020-12."""

TEXT: Schema = {"type": "string"}
VISIBLE: Schema = {"type": "string", "pattern": r"\S"}
"""A text that is not blank."""
SWITCH: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
ANY: Schema = {}
NO_MEMBERS: Schema = {"type": "object", "additionalProperties": False}


def described(schema: Schema, words: str) -> Schema:
    """A schema with a description."""
    return {**schema, "description": words}


def one_of(values: Iterable[str]) -> Schema:
    """A text that is one of these."""
    return {"type": "string", "enum": [str(each) for each in values]}


def any_of(*schemas: Schema) -> Schema:
    """What fits one of these, or several."""
    return {"anyOf": list(schemas)}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    if not isinstance(schema.get("type"), str):
        return any_of(schema, {"type": "null"}) if schema else schema
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **values}


def list_of(schema: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": schema}


def object_of(properties: Mapping[str, Schema], required: Iterable[str] = (), *, is_closed: bool = False) -> Schema:
    """An object.

    Args:
        required: the members that are always there.
        is_closed: whether it has no others; else there may come to be some.
    """
    found: Schema = {"type": "object", "properties": dict(properties)}
    if names := list(required):
        found["required"] = names
    return {**found, "additionalProperties": False} if is_closed else found


def map_of(schema: Schema) -> Schema:
    """An object with any names of members."""
    return {"type": "object", "additionalProperties": schema}


def event_of(data: str, names: Schema, *, has_id: bool = False) -> Schema:
    """One event of a stream of them: OpenAPI before 3.2 has no other place for it than the schema of the body.

    Args:
        data: what its data is, which in the stream is always text.
        names: what `event` may be; `message` is one without a name.
        has_id: whether it has an id to go on from.
    """
    members = {"data": described(TEXT, data), "event": names} | ({"id": TEXT, "retry": WHOLE} if has_id else {})
    return described(object_of(members, ("data",), is_closed=True), "Each event of the stream.")


def ref(name: str) -> Schema:
    """One of the schemas that the document names."""
    return {"$ref": f"#/components/schemas/{name}"}


ERROR = object_of(
    {
        "error": object_of(
            {
                "message": TEXT,
                "type": TEXT,
                "param": or_null(TEXT),
                "code": or_null(TEXT),
                "hint": described(TEXT, "What to do about it."),
            },
            ("message", "type", "param", "code"),
        )
    },
    ("error",),
)
"""The body of every refusal (`gateway.http_answers.error_document`)."""
