"""What a client did not write for strict mode is put into its subset, and an answer by it put back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.openai.strict_schema import (
    MAX_PROPERTIES,
    strict_choice,
    to_strict,
    with_constraints_told,
    without_added_nulls,
)
from codex_server_cli.core.result.schema import parse_schema, validate_answer
from tests.kit.cases import examples, for_each

TEXT = {"type": "string"}
NULL = {"type": "null"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#"}, "value": TEXT}, "required": ["value"]}
LIST = {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}}


UNSAYABLE: list[Any] = [
    *(True, {}, {"description": "anything"}, {"type": "array"}, {"type": []}, {"type": "file"}, {"type": 5}),
    *({"type": [["string"]]}, {"enum": []}, {"enum": "x"}, {"enum": [{}]}, {"const": [1]}, {"anyOf": []}),
    *({"anyOf": {}}, {"anyOf": [{}]}, {"allOf": [TEXT, TEXT]}, {"allOf": TEXT}, {"allOf": [True]}, {"not": TEXT}),
    *({"type": "array", "prefixItems": [TEXT]}, {"type": "array", "items": [TEXT]}, {"$ref": "#/$defs/a b"}),
    *({"$ref": 5}, {"$ref": "#/$defs/gone"}, {"$ref": "https://example.com/a.json"}),
]
"""What a property may be, and strict mode cannot say."""


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties]}


def closed(**properties: Any) -> dict[str, Any]:
    return {**an_object(**properties), "additionalProperties": False}


@for_each(
    ("schema", "strict"),
    [
        (an_object(), closed()),
        (an_object(a=TEXT), closed(a=TEXT)),
        ({"properties": {"a": TEXT}, "required": ["a"]}, closed(a=TEXT)),
        ({**an_object(a=TEXT), "additionalProperties": True, "title": "T", "$schema": "x"}, closed(a=TEXT)),
        ({**an_object(a=TEXT), "required": []}, closed(a={"anyOf": [TEXT, NULL]})),
        ({**an_object(a=TEXT), "required": "a"}, closed(a={"anyOf": [TEXT, NULL]})),
        ({**an_object(a={"type": ["string", "null"]}), "required": []}, closed(a={"anyOf": [TEXT, NULL]})),
        (
            {**an_object(a={"anyOf": [TEXT, {"type": "integer"}]}), "required": []},
            closed(a={"anyOf": [TEXT, {"type": "integer"}, NULL]}),
        ),
        (
            {**an_object(a={"enum": ["x", None]}), "required": []},
            closed(a={"type": ["string", "null"], "enum": ["x", None]}),
        ),
        ({**an_object(a=NULL), "required": []}, closed(a=NULL)),
        (an_object(a={"type": "string", "nullable": True}), closed(a={"anyOf": [TEXT, NULL]})),
        (
            an_object(a={"oneOf": [TEXT, NULL], "description": "d"}),
            closed(a={"description": "d", "anyOf": [TEXT, NULL]}),
        ),
        (an_object(a={"oneOf": [TEXT], "anyOf": [NULL]}), closed(a={"anyOf": [NULL]})),
        (an_object(a={"allOf": [TEXT], "description": "d"}), closed(a={"description": "d", "type": "string"})),
        (an_object(a={"allOf": [{"allOf": [TEXT]}]}), closed(a=TEXT)),
        (an_object(a={"const": "x"}), closed(a={"type": "string", "enum": ["x"]})),
        (
            an_object(a={"enum": [1, 2.5, True]}),
            closed(a={"type": ["integer", "number", "boolean"], "enum": [1, 2.5, True]}),
        ),
        (
            an_object(a={"type": "array", "items": an_object(b=TEXT)}),
            closed(a={"type": "array", "items": closed(b=TEXT)}),
        ),
        (
            an_object(a={"type": "integer", "minimum": 1, "default": None}),
            closed(a={"description": "(minimum: 1)", "type": "integer"}),
        ),
        (
            an_object(a={"type": "string", "format": "date", "description": "when"}),
            closed(a={"description": 'when (format: "date")', "type": "string"}),
        ),
        (an_object(a={"type": "string", "description": 5}), closed(a=TEXT)),
        (an_object(a={"type": "object", "properties": {}, "anyOf": [{"required": []}]}), closed(a=closed())),
        (NODE, closed(next={"anyOf": [{"$ref": "#"}, NULL]}, value=TEXT)),
        (LIST, {**(node := closed(next={"anyOf": [{"$ref": "#/$defs/node"}, NULL]})), "$defs": {"node": node}}),
        (
            {**an_object(a={"$ref": "#/definitions/x", "description": "d"}), "definitions": {"x": TEXT, "unused": {}}},
            {**closed(a={"description": "d", "anyOf": [{"$ref": "#/$defs/x"}]}), "$defs": {"x": TEXT}},
        ),
        (
            {"properties": {"a": {"$ref": "#/$defs/x", "default": "y"}}, "$defs": {"x": TEXT}},
            {**closed(a={"description": '(default: "y")', "anyOf": [{"$ref": "#/$defs/x"}]}), "$defs": {"x": TEXT}},
        ),
        (
            {"properties": {"a": {"type": "string", "default": "y"}, "b": {"type": "string", "default": None}}},
            closed(a={"description": '(default: "y")', "type": "string"}, b={"anyOf": [TEXT, NULL]}),
        ),
    ],
)
def test_a_schema_is_made_strict(schema: Any, strict: Any) -> None:
    assert to_strict(schema) == strict
    assert parse_schema(json.dumps(strict), "-") == strict


@for_each(
    "schema",
    [
        True,
        [],
        {},
        TEXT,
        {"type": "array", "items": TEXT},
        {"anyOf": [an_object(a=TEXT)]},
        {"type": "object"},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {}, "additionalProperties": TEXT},
        {**an_object(a=TEXT), "patternProperties": {"^x": TEXT}},
        {"type": ["object", "null"], "properties": {}},
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        *(an_object(a=part) for part in UNSAYABLE),
        an_object(**{f"p{number}": TEXT for number in range(MAX_PROPERTIES + 1)}),
    ],
)
def test_a_schema_that_strict_mode_cannot_say_has_no_strict_form(schema: Any) -> None:
    assert to_strict(schema) is None
    assert strict_choice({"a": an_object(), "b": schema}) is None


def test_schemas_of_several_tools_keep_their_definitions_apart() -> None:
    second = {**an_object(a={"$ref": "#/$defs/node"}), "$defs": {"node": TEXT}}
    choice = strict_choice({"one": LIST, "two": second, "three": NODE})
    assert choice is not None
    assert parse_schema(json.dumps(choice), "-") == choice
    assert set(choice["$defs"]) == {"one", "one.node", "two", "two.node", "three"}
    assert choice["$defs"]["two"]["properties"]["a"] == {"$ref": "#/$defs/two.node"}
    assert choice["$defs"]["three"]["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/three"}


NAMES = st.sampled_from(["a", "b"])
PARTS = st.recursive(
    st.sampled_from([TEXT, NULL, {"type": "integer", "minimum": 1}, {"const": "x"}, {"enum": [1, None]}])
    | st.sampled_from([{"$ref": "#"}, {"$ref": "#/$defs/a"}, {"type": ["string", "null"], "maxLength": 3}]),
    lambda inner: (
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=1)})
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner)},
            optional={"required": st.lists(NAMES, unique=True), "additionalProperties": st.booleans()},
        )
    ),
    max_leaves=6,
)
SCHEMAS = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(NAMES, PARTS),
        "$defs": st.fixed_dictionaries({"a": PARTS}),
    },
    optional={"required": st.lists(NAMES, unique=True)},
)


@examples(120)
@given(schema=SCHEMAS)
def test_every_strict_form_is_one_that_strict_mode_takes(schema: Any) -> None:
    for made in (to_strict(schema), strict_choice({"one": schema, "two": schema})):
        if made is not None:
            parse_schema(json.dumps(made), "-")


@for_each("a", [None, "x", 1])
@for_each("b", [None, "x", True])
def test_an_answer_without_its_added_nulls_fits_what_the_client_wrote(a: Any, b: Any) -> None:
    properties = {"a": {"type": ["string", "integer"]}, "b": {"type": ["string", "boolean", "null"]}}
    inner = {"type": "object", "properties": properties}
    schema = {"type": "object", "properties": {"list": {"type": "array", "items": inner}, "one": inner}}
    answer = {"list": [{"a": a, "b": b}], "one": {"a": a, "b": b}}
    strict = to_strict(schema)
    assert strict is not None
    assert validate_answer(json.dumps(answer), strict) is None
    assert validate_answer(json.dumps(without_added_nulls(answer, schema)), schema) is None


@for_each(
    ("schema", "answer", "cleared"),
    [
        (an_object(a=TEXT), {"a": None}, {"a": None}),
        ({"properties": {"a": TEXT}}, {"a": None}, {}),
        ({"properties": {"a": TEXT}}, {"a": None, "other": None}, {"a": None, "other": None}),
        ({"properties": {"a": {"type": "string", "nullable": True}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"enum": ["x", None]}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"enum": ["x"]}}}, {"a": None}, {}),
        ({"properties": {"a": {"anyOf": [TEXT, NULL]}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"anyOf": [TEXT]}}}, {"a": None}, {}),
        (NODE, {"next": {"next": None, "value": "x"}, "value": "y"}, {"next": {"value": "x"}, "value": "y"}),
        (LIST, {"next": {"next": None}}, {"next": {}}),
        (
            {"properties": {"a": {"type": "array", "items": {"properties": {"b": TEXT}}}}},
            {"a": [{"b": None}, {"b": "x"}, "y"]},
            {"a": [{}, {"b": "x"}, "y"]},
        ),
        (
            {"properties": {"a": {"oneOf": [{"properties": {"b": TEXT}}, {"properties": {"c": TEXT}}]}}},
            {"a": {"c": None}},
            {"a": {}},
        ),
        ({"properties": {"a": TEXT}}, [{"a": None}], [{"a": None}]),
        ({"properties": {"a": TEXT}}, "x", "x"),
        ({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}, {"a": None}, {}),
        (
            {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 99}}},
            {"a": None},
            {},
        ),
        ({"properties": {"a": {"$ref": "#/$defs/gone"}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"type": "string", "items": 5}}}, {"a": [1]}, {"a": [1]}),
        ({"properties": {"a": {"type": "string", "properties": []}}}, {"a": {"b": None}}, {"a": {"b": None}}),
        ({"properties": {"a": {"const": "x", "anyOf": 5}}}, {"a": {"b": None}}, {"a": {"b": None}}),
    ],
)
def test_only_a_null_that_strict_mode_asked_for_is_left_out(schema: Any, answer: Any, cleared: Any) -> None:
    assert without_added_nulls(answer, schema) == cleared


@for_each(
    ("schema", "told"),
    [
        ({"type": "string"}, {"type": "string"}),
        ({"type": "string", "description": "d"}, {"type": "string", "description": "d"}),
        ({"type": "string", "description": None, "enum": None}, {"type": "string"}),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^a", "description": '(pattern: "^a")'}),
        (
            {"type": "integer", "minimum": 1, "maximum": 5, "description": "how many"},
            {"type": "integer", "minimum": 1, "maximum": 5, "description": "how many (minimum: 1, maximum: 5)"},
        ),
        (
            {"type": "array", "items": [TEXT, {"default": 5}]},
            {"type": "array", "items": {"anyOf": [TEXT, {"default": 5, "description": "(default: 5)"}]}},
        ),
        (
            {"properties": {"a": True, "b": {"anyOf": [{"format": "date"}]}}, "additionalProperties": False},
            {
                "properties": {"a": True, "b": {"anyOf": [{"format": "date", "description": '(format: "date")'}]}},
                "additionalProperties": False,
            },
        ),
        ({"properties": 5, "anyOf": {}}, {"properties": 5, "anyOf": {}}),
    ],
)
def test_constraints_that_codex_drops_are_told(schema: Any, told: Any) -> None:
    assert with_constraints_told(schema) == told
