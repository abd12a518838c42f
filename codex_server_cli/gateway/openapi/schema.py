"""Helpers for JSON Schemas. Owns how they are written; must never know a route."""

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
    """A text with one of these values."""
    return {"type": "string", "enum": [str(each) for each in values]}


def any_of(*schemas: Schema) -> Schema:
    """A value that fits at least one of these."""
    return {"anyOf": list(schemas)}


def or_null(schema: Schema) -> Schema:
    """The same schema, or null."""
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
        required: members that are always present.
        is_closed: whether no other members are allowed; else some may be added later.
    """
    found: Schema = {"type": "object", "properties": dict(properties)}
    if names := list(required):
        found["required"] = names
    return {**found, "additionalProperties": False} if is_closed else found


def map_of(schema: Schema) -> Schema:
    """An object with arbitrary member names."""
    return {"type": "object", "additionalProperties": schema}


def event_of(data: str, names: Schema, *, has_id: bool = False) -> Schema:
    """One event of an event stream: before OpenAPI 3.2 it can only be described as the schema of the body.

    Args:
        data: what its data is; in the stream it is always text.
        names: possible values of `event`; `message` for an unnamed one.
        has_id: whether it has an id to resume from.
    """
    members = {"data": described(TEXT, data), "event": names} | ({"id": TEXT, "retry": WHOLE} if has_id else {})
    return described(object_of(members, ("data",), is_closed=True), "Each event of the stream.")


def ref(name: str) -> Schema:
    """A reference to a schema that the document names."""
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
"""The body of every error (`gateway.answers.error_document`)."""
