"""Converts clients' JSON Schemas to strict mode's subset, and answers back. Must never validate an answer.

Codex always sends an output schema as strict. A schema that the client did not mark as strict is therefore rewritten:
every object closed, every property required, an optional one without a default nullable, every constraint that strict
mode or Codex drops added to the description. A schema that strict mode cannot express (any value, any key) has no such
form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = dict[str, Any]

MAX_PROPERTIES = 5000
_TOLD = (
    *("default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "maxItems", "uniqueItems"),
)
_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "allOf")
_SINGLES = ("items", "additionalProperties")
_SCALARS = ("string", "integer", "number", "boolean", "null")
_TYPE_OF = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_REF = re.compile(r"#/(?:\$defs|definitions)/([\w.-]+)")


class _OpenSchemaError(Exception):
    """A schema has no strict form."""


def with_constraints_told(schema: Schema) -> Schema:
    """A copy for a tool: constraints that Codex drops are in the description, a tuple is a list, nulls are removed."""
    kept = _without_null_keywords(schema)
    if isinstance(kept.get("items"), list):
        kept["items"] = {"anyOf": kept["items"]}  # Codex accepts no list here
    kept |= _description(kept)
    return _map_parts(kept, lambda part: with_constraints_told(part) if isinstance(part, dict) else part)


def to_strict(schema: Any) -> Schema | None:
    """The schema in strict form, with its own `$defs`; None if it has no such form."""
    try:
        root, definitions = _StrictForm(schema, "#", "").whole()
    except _OpenSchemaError:
        return None
    return _checked({**root, **({"$defs": definitions} if definitions else {})})


def strict_choice(schemas: Mapping[str, Any]) -> Schema | None:
    """The strict schema of one call out of several, `{"call": {"name", "arguments"}}`; None if there is none."""
    definitions: Schema = {}
    try:
        for name, schema in schemas.items():
            root, own = _StrictForm(schema, f"#/$defs/{name}", f"{name}.").whole()
            definitions |= {name: root, **own}
    except _OpenSchemaError:
        return None
    calls = [
        _closed({"name": {"type": "string", "enum": [name]}, "arguments": {"$ref": f"#/$defs/{name}"}})
        for name in schemas
    ]
    return _checked({**_closed({"call": {"anyOf": calls}}), "$defs": definitions})


def without_added_nulls(value: Any, schema: Any) -> Any:
    """An answer by `to_strict(schema)` without the nulls that exist only because every property is required."""
    try:
        document = _Document(schema)
        return _cleared(value, document.root, document)
    except _OpenSchemaError:
        return value  # not an answer by that schema


def _without_null_keywords(schema: Schema) -> Schema:
    """Some clients send null for each keyword that they do not use."""
    return {key: value for key, value in schema.items() if value is not None}


def _description(node: Schema) -> Schema:
    """The `description` of a node with its constraints, as a part of a schema; empty if there is none."""
    constraints = [f"{key}: {json.dumps(node[key], ensure_ascii=False)}" for key in _TOLD if key in node]
    own, told = node.get("description"), f"({', '.join(constraints)})" if constraints else ""
    text = " ".join(part for part in (own, told) if isinstance(part, str) and part)
    return {"description": text} if text else {}


def _map_parts(node: Schema, change: Callable[[Any], Any]) -> Schema:
    """A copy with changed subschemas; invalid subschemas are kept, so that Codex refuses them."""
    new = dict(node)
    for key, value in node.items():
        if key in _MAPS and isinstance(value, dict):
            new[key] = {name: change(part) for name, part in value.items()}
        elif key in _LISTS and isinstance(value, list):
            new[key] = [change(part) for part in value]
        elif key in _SINGLES:
            new[key] = change(value)
    return new


def _checked(schema: Schema) -> Schema | None:
    return schema if _count_properties(schema) <= MAX_PROPERTIES else None


def _count_properties(node: Any) -> int:
    if isinstance(node, list):
        return sum(map(_count_properties, node))
    if not isinstance(node, dict):
        return 0
    own = len(node["properties"]) if isinstance(node.get("properties"), dict) else 0
    return own + sum(map(_count_properties, node.values()))


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _allows_null(form: Schema) -> bool:
    return "null" in _type_names(form) or any(map(_allows_null, form.get("anyOf", ())))


def _nullable(form: Schema) -> Schema:
    if _allows_null(form):
        return form
    outer: Schema = form if "anyOf" in form else {"anyOf": [form]}
    return {**outer, "anyOf": [*outer["anyOf"], {"type": "null"}]}


def _required(node: Schema) -> set[str]:
    names = node.get("required")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _type_names(node: Schema) -> list[Any]:
    kind = node.get("type")
    return kind if isinstance(kind, list) else [kind]


def _merged(schema: Any) -> Schema:
    """A node with its only `allOf` part merged (some generators write references so), and `oneOf` as `anyOf`."""
    if not isinstance(schema, dict):
        raise _OpenSchemaError
    node = _without_null_keywords(schema)
    while "allOf" in node:
        parts = node.pop("allOf")
        if not isinstance(parts, list) or len(parts) != 1 or not isinstance(parts[0], dict):
            raise _OpenSchemaError
        node |= _without_null_keywords(parts[0])
    return {"anyOf": node["oneOf"], **node} if "oneOf" in node else node


class _Document:
    """A schema with its definitions."""

    def __init__(self, schema: Any) -> None:
        self.root = _merged(schema)
        maps = (self.root.get("definitions"), self.root.get("$defs"))
        self.definitions = {name: part for each in maps if isinstance(each, dict) for name, part in each.items()}

    def name(self, ref: Any) -> str:
        """The definition that a `$ref` names."""
        match = _REF.fullmatch(ref) if isinstance(ref, str) else None
        if match is None or match[1] not in self.definitions:
            raise _OpenSchemaError
        return match[1]

    def alternatives(self, schema: Any) -> Iterator[Schema]:
        """The alternatives of a schema, in order: references and `anyOf` resolved, each definition once."""
        pending, seen = [schema], set[str]()
        while pending:
            node = _merged(pending.pop())
            ref = node.get("$ref")
            if ref is not None:
                target = self.root if ref == "#" else self.definitions[self.name(ref)]
                pending += [] if ref in seen else [target]
                seen.add(ref)
            elif isinstance(node.get("anyOf"), list) and "properties" not in node:
                pending += reversed(node["anyOf"])
            else:
                yield node


class _StrictForm:
    """Makes the strict form of one schema, and of the definitions that it uses."""

    def __init__(self, schema: Any, root_ref: str, prefix: str) -> None:
        self._document = _Document(schema)
        self._root_ref = root_ref
        self._prefix = prefix
        self._wanted: list[str] = []

    def whole(self) -> tuple[Schema, Schema]:
        """The root and the definitions, by their new names."""
        root, definitions = self._document.root, self._document.definitions
        root = self._node(definitions[self._document.name(root["$ref"])] if "$ref" in root else root)
        if root.get("type") != "object":
            raise _OpenSchemaError
        made: Schema = {}
        while self._wanted:
            name = self._wanted.pop()
            if self._prefix + name not in made:
                made[self._prefix + name] = self._node(definitions[name])
        return root, made

    def _node(self, schema: Any) -> Schema:
        node = _merged(schema)
        if "$ref" in node:
            ref, description = self._ref(node["$ref"]), _description(node)
            return {**description, "anyOf": [ref]} if description else ref  # a reference stands alone
        form = {**_description(node), **self._form(node)}
        return _nullable(form) if node.get("nullable") is True else form

    def _form(self, node: Schema) -> Schema:
        if "const" in node:
            return _enum([node["const"]])
        if "enum" in node:
            return _enum(node["enum"])
        if "properties" in node:
            node = {"type": "object", **node}
        elif "anyOf" in node:
            return {"anyOf": [self._node(option) for option in _filled(node["anyOf"])]}
        forms = [self._kind(kind, node) for kind in _filled(_type_names(node))]
        return forms[0] if len(forms) == 1 else {"anyOf": forms}

    def _kind(self, kind: Any, node: Schema) -> Schema:
        if kind == "object":
            return self._object(node)
        if kind == "array" and "prefixItems" not in node:
            return {"type": "array", "items": self._node(node.get("items"))}
        if kind in _SCALARS:
            return {"type": kind}
        raise _OpenSchemaError

    def _object(self, node: Schema) -> Schema:
        properties, required = node.get("properties"), _required(node)
        has_others = node.get("additionalProperties", False) is not False and not properties
        if not isinstance(properties, dict) or has_others or node.get("patternProperties"):
            raise _OpenSchemaError
        return _closed({name: self._property(part, name in required) for name, part in properties.items()})

    def _property(self, schema: Any, is_required: bool) -> Schema:
        form = self._node(schema)
        return form if is_required or schema.get("default") is not None else _nullable(form)

    def _ref(self, ref: Any) -> Schema:
        if ref == "#":
            return {"$ref": self._root_ref}
        name = self._document.name(ref)
        self._wanted.append(name)
        return {"$ref": f"#/$defs/{self._prefix}{name}"}


def _enum(values: Any) -> Schema:
    kinds = list(dict.fromkeys(_TYPE_OF.get(type(value)) for value in _filled(values)))
    if None in kinds:
        raise _OpenSchemaError  # an object or a list
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": values}


def _filled(values: Any) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise _OpenSchemaError
    return values


def _cleared(value: Any, schema: Any, document: _Document) -> Any:
    """A value without the nulls that only strict mode required."""
    if isinstance(value, list):
        items: Any = next((option["items"] for option in document.alternatives(schema) if "items" in option), {})
        return [_cleared(part, items, document) for part in value]
    if not isinstance(value, dict):
        return value
    options = (option for option in document.alternatives(schema) if isinstance(option.get("properties"), dict))
    node: Schema = next(
        (option for option in options if option["properties"].keys() == value.keys()), {"properties": {}}
    )
    optional = node["properties"].keys() - _required(node)
    added = {name for name in optional if value[name] is None and not _takes_null(node["properties"][name], document)}
    parts = {name: part for name, part in value.items() if name not in added}
    return {name: _cleared(part, node["properties"].get(name, {}), document) for name, part in parts.items()}


def _takes_null(schema: Any, document: _Document) -> bool:
    options = document.alternatives(schema)
    return any("null" in _type_names(each) or each.get("nullable") is True or _has_null(each) for each in options)


def _has_null(node: Schema) -> bool:
    return isinstance(node.get("enum"), list) and None in node["enum"]
