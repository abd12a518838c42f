"""Output schemas: validated before a turn costs tokens, and answers checked against them. Must never fetch or repair.

Codex forwards the schema unchecked, as `text.format = {type: json_schema, strict: true, schema}` (0.163.0, 0.171.0).
OpenAI's strict mode accepts a subset of JSON Schema and refuses the rest with HTTP 400 `invalid_json_schema`; what its
guide ("Structured outputs", supported schemas) or its own error texts exclude is refused here:

* root: `type: object`, no `anyOf` ("schema must have type 'object' and not have 'oneOf'/'anyOf'/…");
* every object: `additionalProperties: false`, and exactly its properties in `required`;
* every array: `items` ("array schema missing items");
* `$ref` alone in its object ("$ref cannot have keywords {'description'}"), into this document only;
* the keywords of `_REFUSED_KEYWORDS` ("'oneOf' is not permitted");
* at most 5 000 properties in all.

Not checked, because the guide and reports differ or do not mention it: `default`, `format`, `prefixItems`,
`patternProperties`, `unevaluated…`, bounds on numbers and lengths, a missing `type`, text sizes, and nesting
(10 levels, counted in a way not published).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from codex_server_cli.errors import BadInputError, ErrorKind

MAX_PROPERTIES = 5000
_FENCED = r"(?si)(`{3,}|~{3,})[ \t]*(?:json)?(?=[\s{])(?P<body>.*?)\1[`~]{0,9}"
_MAX_SHOWN = 20
_MAX_EXCERPT_CHARS = 160

_REFUSED_KEYWORDS = (
    *("oneOf", "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"),
    *("propertyNames", "minProperties", "maxProperties", "uniqueItems", "contains"),
)
_REF_COMPANIONS = frozenset({"$ref", "$defs", "definitions", "$schema", "$id", "$comment"})
_MAPS_OF_SCHEMAS = ("properties", "$defs", "definitions")
_LISTS_OF_SCHEMAS = ("prefixItems", "anyOf")
_SINGLE_SCHEMAS = ("items",)
_PLAIN_KEY = r"[A-Za-z_$][A-Za-z0-9_$-]*"


def parse_schema(text: str, source: str) -> dict[str, Any]:
    """The schema in `text`, unchanged, if a strict-mode turn can be started with it.

    Args:
        text: a JSON document.
        source: its name in messages: the file, or `-` for stdin.

    Raises:
        BadInputError: kind `bad_schema`: not JSON, not a JSON Schema (draft 2020-12), or refused by strict mode.
            The message names the first fault by its JSON path, the hint lists the others.
    """
    schema = _load(text, source)
    if faults := _schema_faults(schema):
        raise _list_faults(source, faults, "It must be a JSON Schema (draft 2020-12).")
    if faults := list(_strict_faults(schema)):
        raise _list_faults(source, faults, "Strict mode wants every object closed and every property required.")
    return schema


def document_in(answer: str) -> str:
    """The JSON document in an answer, without whitespace, a byte order mark, and one Markdown code fence around it.
    An answer with any other text is unchanged.
    """
    text = _bare(answer)
    fenced = re.fullmatch(_FENCED, text)
    return _bare(fenced["body"]) if fenced is not None else text


def _bare(text: str) -> str:
    return text.strip().strip("\ufeff").strip()


def validate_answer(answer: str, schema: dict[str, Any]) -> str | None:
    """What is wrong with `answer`, in one line with its JSON path; None if it is JSON and matches `schema`.

    References are resolved only within `schema`; nothing is ever fetched.
    """
    try:
        value = json.loads(answer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return f"the answer is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"the answer is not JSON: {_one_line(str(error))}"
    return fault_in(value, schema)


def is_schema(schema: dict[str, Any]) -> bool:
    """Whether this is a JSON Schema (draft 2020-12), strict or not."""
    return not _schema_faults(schema)


def fault_in(value: Any, schema: dict[str, Any]) -> str | None:
    """Why a JSON value does not match a JSON Schema, in one line with its JSON path; None if it does."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        fault = best_match(_checker(schema).iter_errors(value))
    except Unresolvable as unresolved:
        return f"the schema's $ref cannot be resolved: {_one_line(unresolved.ref)}"
    except RecursionError:
        return "too deeply nested to check, or a $ref in the schema never comes to an end"
    return f"{_path(fault.absolute_path)}: {_one_line(fault.message)}" if fault is not None else None


def _checker(schema: dict[str, Any]) -> Any:
    """A validator for `schema` that ignores its patterns.

    The service enforces them: they are ECMAScript's, and one with catastrophic backtracking would prevent an answer
    from ever being published. For the same reason it ignores the property names that patterns allow in an object, and
    `unevaluatedProperties`, which evaluates the patterns too.
    """
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry

    def ignore(*_: Any) -> tuple[()]:
        return ()

    def close(checker: Any, value: Any, instance: Any, node: dict[str, Any]) -> Any:
        if node.get("patternProperties"):
            return ()
        return Draft202012Validator.VALIDATORS["additionalProperties"](checker, value, instance, node)

    extend: Any = validators.extend  # has no types
    ignored = dict.fromkeys(("pattern", "patternProperties", "unevaluatedProperties"), ignore)
    kind = extend(Draft202012Validator, {**ignored, "additionalProperties": close})
    return kind(schema, registry=Registry())  # explicit and empty: jsonschema's own still fetches remote references


def _load(text: str, source: str) -> dict[str, Any]:
    try:
        schema = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _refusal(f"{source}: not JSON: {error.msg} at {where}", "The schema must be a JSON document.") from error
    except (ValueError, RecursionError) as error:
        raise _refusal(f"{source}: not JSON: {error}", "The schema must be a JSON document.") from error
    if not isinstance(schema, dict):
        raise _refusal(f"{source}: $: the schema must be a JSON object", 'Begin with {"type": "object", …}.')
    return schema


def _schema_faults(schema: dict[str, Any]) -> list[str]:
    """Why `schema` is not a JSON Schema; if empty, its parts have the right types."""
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    try:
        errors = sorted(checker.iter_errors(schema), key=lambda error: [str(part) for part in error.absolute_path])
    except RecursionError:
        return ["$: the schema is nested too deeply"]
    faults = [f"{_path(error.absolute_path)}: not a JSON Schema: {_one_line(error.message)}" for error in errors]
    return list(dict.fromkeys(faults))


def _strict_faults(schema: dict[str, Any]) -> Iterator[str]:
    """What strict mode refuses, from the root down."""
    if schema.get("type") != "object":
        yield '$: the root must have "type": "object"'
    if "anyOf" in schema:
        yield "$: anyOf is not permitted at the root"
    n_properties = 0
    for path, node in _subschemas(schema):
        n_properties += len(node.get("properties", {}))
        place = _path(path)
        for keyword in _REFUSED_KEYWORDS:
            if keyword in node:
                yield f"{place}: {keyword} is not permitted"
        yield from (f"{place}: {fault}" for fault in _ref_faults(node, schema))
        if _is_type(node, "object") or "properties" in node:
            yield from (f"{place}: {fault}" for fault in _object_faults(node))
        if _is_type(node, "array") and not {"items", "prefixItems"} & node.keys():
            yield f"{place}: an array needs items"
    if n_properties > MAX_PROPERTIES:
        yield f"$: {n_properties} properties exceed the limit of {MAX_PROPERTIES}"


def _object_faults(node: dict[str, Any]) -> Iterator[str]:
    if node.get("additionalProperties") is not False:
        yield '"additionalProperties": false is missing'
    names, required = node.get("properties", {}), node.get("required", [])
    if missing := [name for name in names if name not in required]:
        yield f"required does not list {', '.join(missing)}"
    if unknown := [name for name in required if name not in names]:
        yield f"required names unknown properties: {', '.join(unknown)}"


def _ref_faults(node: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    ref = node.get("$ref")
    if ref is None:
        return
    if companions := sorted(node.keys() - _REF_COMPANIONS):
        yield f"$ref cannot stand beside {', '.join(companions)}"
    if not _resolves(ref, root):
        yield f"$ref {_one_line(ref)} does not name a part of this document"


def _resolves(ref: str, root: dict[str, Any]) -> bool:
    """Whether `ref` is a JSON pointer to a schema in `root`, or the name of a local `$anchor`."""
    from urllib.parse import unquote

    if not ref.startswith("#"):
        return False
    if not ref.startswith("#/"):
        return ref == "#" or any(node.get("$anchor") == ref[1:] for _, node in _subschemas(root))
    part: object = root
    for step in unquote(ref[2:]).split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict) and key in part:
            part = part[key]
        elif isinstance(part, list) and key.isdecimal() and int(key) < len(part):
            part = part[int(key)]
        else:
            return False
    return isinstance(part, dict | bool)


def _subschemas(root: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every object schema with its path, each once and in document order; references are not followed."""
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), root)]
    while pending:
        path, node = pending.pop()
        if not isinstance(node, dict):
            continue  # a boolean schema has no parts
        yield path, node
        children: list[tuple[tuple[str | int, ...], Any]] = []
        for keyword in node:
            if keyword in _MAPS_OF_SCHEMAS:
                children += [((*path, keyword, name), child) for name, child in node[keyword].items()]
            elif keyword in _LISTS_OF_SCHEMAS:
                children += [((*path, keyword, index), child) for index, child in enumerate(node[keyword])]
            elif keyword in _SINGLE_SCHEMAS:
                children.append(((*path, keyword), node[keyword]))
        pending += reversed(children)


def _is_type(node: dict[str, Any], name: str) -> bool:
    kind = node.get("type")
    return kind == name or (isinstance(kind, list) and name in kind)


def _path(steps: Iterable[str | int]) -> str:
    """A JSON path like `$.properties.user` or `$.items[0]["odd name"]`."""
    return "$" + "".join(_step(step) for step in steps)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(_PLAIN_KEY, step) else f"[{json.dumps(step, ensure_ascii=False)}]"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_EXCERPT_CHARS else line[: _MAX_EXCERPT_CHARS - 1] + "…"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _list_faults(source: str, faults: list[str], advice: str) -> BadInputError:
    others = [f"  {fault}" for fault in faults[1:_MAX_SHOWN]]
    if len(faults) > _MAX_SHOWN:
        others.append(f"  and {len(faults) - _MAX_SHOWN} more")
    return _refusal(f"{source}: {faults[0]}", "\n".join([advice, *others]))


def _refusal(message: str, hint: str) -> BadInputError:
    return BadInputError(message, hint=hint, kind=ErrorKind.BAD_SCHEMA)
