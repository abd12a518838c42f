"""Schemas that strict mode would refuse are refused first, with the path; answers are validated against the rest."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_server_cli.core.result.schema import MAX_PROPERTIES, document_in, parse_schema, validate_answer
from codex_server_cli.errors import BadInputError, ErrorKind, Exit
from tests.kit.cases import for_each


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def refusal(schema: object) -> BadInputError:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(BadInputError) as caught:
        parse_schema(text, "plan.json")
    assert caught.value.kind is ErrorKind.BAD_SCHEMA
    assert caught.value.exit_code is Exit.BAD_INPUT
    assert "\n" not in caught.value.message
    return caught.value


NODE = closed(name={"type": "string"}, next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})


@for_each(
    "schema",
    [
        closed(),
        closed(a={"type": "string"}, b={"type": ["string", "null"]}, c={"enum": ["x", 1]}, d={"const": 2}),
        closed(list={"type": "array", "items": closed(x={"type": "number", "minimum": 0})}),
        closed(pair={"type": "array", "prefixItems": [{"type": "string"}]}),
        closed(any={}, always=True),
        closed(either={"anyOf": [{"type": "string", "format": "date"}, closed(y={"type": "integer"})]}),
        {**closed(head={"$ref": "#/$defs/node"}), "$defs": {"node": NODE}},
        closed(a={"anyOf": [{"type": "string"}, {"type": "null"}]}, b={"$ref": "#/properties/a/anyOf/0"}),
        closed(child={"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
        {**closed(a={"$ref": "#here"}), "definitions": {"a/b": {"$anchor": "here", "type": "string"}}},
        {**closed(a={"$ref": "#/definitions/a~1b"}), "definitions": {"a/b": {"type": "string"}}},
        closed(**{"$ref": {"type": "string"}, "oneOf": {"type": "string"}, "properties": {"type": "string"}}),
        closed(a={"enum": [{"type": "object", "oneOf": []}], "description": "values are not schemas"}),
        {**closed(), "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "t"},
    ],
)
def test_a_schema_that_strict_mode_takes_comes_back_unchanged(schema: dict[str, Any]) -> None:
    assert parse_schema(json.dumps(schema), "plan.json") == schema


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse_schema("\ufeff" + json.dumps(closed()), "plan.json") == closed()


def test_bad_json_is_named_with_line_and_column() -> None:
    assert refusal('{\n  "type": }').message == "plan.json: not JSON: Expecting value at line 2, column 11"


@for_each("text", ["", "NaN", "[" * 100_000, "1" * 5000])
def test_what_json_cannot_hold_is_not_json(text: str) -> None:
    assert refusal(text).message.startswith("plan.json: ")


@for_each("text", ["[]", "true", '"object"', "null"])
def test_the_root_must_be_an_object(text: str) -> None:
    assert refusal(text).message == "plan.json: $: the schema must be a JSON object"


def test_an_invalid_json_schema_is_named_with_its_place() -> None:
    error = refusal(closed(a={"type": "strnig"}, b={"minimum": "3"}))

    assert error.message.startswith("plan.json: $.properties.a.type: not a JSON Schema: 'strnig'")
    assert "$.properties.b.minimum: not a JSON Schema: '3' is not of type 'number'" in error.hint


@for_each(
    ("schema", "message"),
    [
        ({"type": "array", "items": {}}, '$: the root must have "type": "object"'),
        ({"anyOf": [closed()]}, '$: the root must have "type": "object"'),
        ({**closed(), "type": ["object", "null"]}, '$: the root must have "type": "object"'),
        ({**closed(), "anyOf": [closed()]}, "$: anyOf is not permitted at the root"),
        ({"type": "object"}, '$: "additionalProperties": false is missing'),
        ({**closed(), "additionalProperties": {}}, '$: "additionalProperties": false is missing'),
        ({**closed(a={}, b={}, c={}), "required": ["b"]}, "$: required does not list a, c"),
        ({**closed(a={}), "required": ["a", "z"]}, "$: required names unknown properties: z"),
        (closed(user={"type": "object"}), '$.properties.user: "additionalProperties": false is missing'),
        (closed(user={"properties": {}}), '$.properties.user: "additionalProperties": false is missing'),
        (
            closed(user={"type": ["object", "null"]}),
            '$.properties.user: "additionalProperties": false is missing',
        ),
        (closed(**{"odd name": {"type": "array"}}), '$.properties["odd name"]: an array needs items'),
        (closed(a={"$ref": "#/$defs/x"}), "$.properties.a: $ref #/$defs/x does not name a part of this document"),
        (
            closed(a={"$ref": "https://example.com/s.json"}),
            "$.properties.a: $ref https://example.com/s.json does not name a part of this document",
        ),
        (
            {**closed(a={"$ref": "#/$defs/x", "description": "d"}), "$defs": {"x": {"type": "string"}}},
            "$.properties.a: $ref cannot stand beside description",
        ),
    ],
)
def test_what_strict_mode_refuses_is_named_with_its_place(schema: dict[str, Any], message: str) -> None:
    assert refusal(schema).message == f"plan.json: {message}"


@for_each(
    ("where", "path"),
    [
        (lambda bad: closed(a=bad), "$.properties.a"),
        (lambda bad: closed(a={"type": "array", "items": bad}), "$.properties.a.items"),
        (lambda bad: closed(a={"type": "array", "prefixItems": [True, bad]}), "$.properties.a.prefixItems[1]"),
        (lambda bad: closed(a={"anyOf": [{"type": "null"}, bad]}), "$.properties.a.anyOf[1]"),
        (lambda bad: {**closed(), "$defs": {"d": bad}}, "$.$defs.d"),
        (lambda bad: {**closed(), "definitions": {"d": bad}}, "$.definitions.d"),
        (lambda bad: closed(a=closed(b=closed(c=bad))), "$.properties.a.properties.b.properties.c"),
    ],
)
def test_an_open_object_is_found_wherever_it_stands(where: Any, path: str) -> None:
    assert refusal(where({"type": "object"})).message == f'plan.json: {path}: "additionalProperties": false is missing'


@for_each(
    ("keyword", "value"),
    [
        *((keyword, [{"type": "string"}]) for keyword in ("oneOf", "allOf")),
        *((keyword, {"type": "string"}) for keyword in ("not", "if", "then", "else", "propertyNames", "contains")),
        *(("minProperties", 1), ("maxProperties", 2), ("uniqueItems", True)),
        *(("dependentRequired", {"a": ["b"]}), ("dependentSchemas", {"a": {}})),
    ],
)
def test_a_keyword_that_strict_mode_does_not_permit_is_refused(keyword: str, value: object) -> None:
    assert refusal(closed(a={keyword: value})).message == f"plan.json: $.properties.a: {keyword} is not permitted"


def test_every_fault_is_told_the_first_in_the_message_and_the_rest_in_the_hint() -> None:
    schema = {**closed(a={"type": "object"}, b={"oneOf": [{"type": "array"}]}), "required": ["a"]}
    error = refusal(schema)

    assert error.message == "plan.json: $: required does not list b"
    assert error.hint.splitlines()[1:] == [
        '  $.properties.a: "additionalProperties": false is missing',
        "  $.properties.b: oneOf is not permitted",
    ]


def test_a_flood_of_faults_is_cut_short() -> None:
    error = refusal(closed(**{f"p{number}": {"not": {}} for number in range(30)}))

    assert error.hint.splitlines()[-1] == "  and 10 more"


@pytest.mark.full
def test_too_many_properties_are_refused() -> None:
    schema = closed(**{f"p{number}": True for number in range(MAX_PROPERTIES + 1)})

    assert refusal(schema).message == "plan.json: $: 5001 properties exceed the limit of 5000"


def test_a_deeply_nested_schema_is_an_error_and_no_crash() -> None:
    text = '{"anyOf":[' * 400 + "{}" + "]}" * 400

    assert refusal(text).message.startswith("plan.json: $")


def test_an_answer_that_fits_has_nothing_wrong() -> None:
    schema = {**closed(head={"$ref": "#/$defs/node"}), "$defs": {"node": NODE}}
    answer = {"head": {"name": "a", "next": {"name": "b", "next": None}}}

    assert validate_answer(json.dumps(answer), schema) is None


@for_each(
    ("answer", "complaint"),
    [
        ("Sure! {}", "the answer is not JSON: Expecting value at line 1, column 1"),
        ('{"n": NaN, "l": []}', "the answer is not JSON: NaN is not JSON"),
        ("", "the answer is not JSON: Expecting value at line 1, column 1"),
        ('{"n": 1}', "$: 'l' is a required property"),
        ('{"n": "1", "l": []}', "$.n: '1' is not of type 'integer'"),
        ('{"n": 1, "l": ["a", 2]}', "$.l[1]: 2 is not of type 'string'"),
        ("[]", "$: [] is not of type 'object'"),
    ],
)
def test_a_bad_answer_is_told_with_its_place(answer: str, complaint: str) -> None:
    schema = closed(n={"type": "integer"}, l={"type": "array", "items": {"type": "string"}})

    assert validate_answer(answer, schema) == complaint


def test_a_long_complaint_stays_one_short_line() -> None:
    complaint = validate_answer(json.dumps({"n": "x\n" * 5000}), closed(n={"type": "integer"}))

    assert complaint is not None
    assert "\n" not in complaint
    assert len(complaint) < 200


def test_a_nested_answer_deeper_than_the_stack_is_a_complaint() -> None:
    assert validate_answer("[" * 100_000, closed()) is not None


def test_a_reference_without_end_is_a_complaint() -> None:
    assert validate_answer("1", {"$ref": "#"}) is not None


_ODD_PATTERNS = [r"^\p{L}+$", "^(a+)+$"]  # no valid pattern in Python; one that would never terminate


@for_each("pattern", _ODD_PATTERNS)
def test_a_pattern_is_left_to_the_models_side_which_enforces_it(pattern: str) -> None:
    schema = closed(a={"type": "string", "pattern": pattern})
    assert validate_answer('{"a": "' + 40 * "a" + '!"}', schema) is None


@for_each("extra", [{"pattern": "x"}, {"patternProperties": {}}, {"patternProperties": {"^b": False}}])
def test_patterns_at_the_root_are_left_to_the_models_side_too(extra: dict[str, Any]) -> None:
    schema = {**closed(a={"type": "string"}), **extra}
    assert parse_schema(json.dumps(schema), "plan.json") == schema
    assert validate_answer('{"a": "x"}', schema) is None


@for_each("pattern", _ODD_PATTERNS)
def test_which_other_names_an_object_with_patterns_may_have_is_left_to_the_models_side(pattern: str) -> None:
    schema = {**closed(a={"type": "string"}), "patternProperties": {pattern: {"type": "string"}}}
    answer = json.dumps({"a": "x", 40 * "a" + "!": "x"})
    assert validate_answer(answer, schema) is None
    assert validate_answer(answer, {**schema, "unevaluatedProperties": False}) is None
    assert validate_answer('{"a": 1}', schema) == "$.a: 1 is not of type 'string'"


@for_each("keyword", ["$ref", "$dynamicRef"])
def test_a_remote_reference_is_never_fetched(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"

        complaint = validate_answer('{"a": 1}', closed(a={keyword: url}))
        refusal(closed(a={"$ref": url}))

        assert complaint == f"the schema's $ref cannot be resolved: {url}"
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_schema_that_names_a_remote_dialect_is_not_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/dialect"

        schema = parse_schema(json.dumps({**closed(a={"type": "string"}), "$schema": url, "$id": url}), "plan.json")

        assert validate_answer('{"a": "x"}', schema) is None
        with pytest.raises(BlockingIOError):
            server.accept()


KEYWORDS = st.sampled_from(
    [
        *("type", "properties", "required", "items", "anyOf", "$ref", "$defs", "additionalProperties", "enum"),
        *("pattern", "patternProperties"),
    ]
)
VALUES = st.recursive(
    st.sampled_from(["object", "array", "#", "#/$defs/a", "#/properties", "a", True, False, 3, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | st.just("a"), inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None)
@given(schema=st.dictionaries(KEYWORDS, VALUES, max_size=6), answer=VALUES)
def test_no_schema_and_no_answer_is_a_crash(schema: dict[str, Any], answer: object) -> None:
    try:
        parsed = parse_schema(json.dumps(schema), "plan.json")
    except BadInputError:
        return
    validate_answer(json.dumps(answer), parsed)


@for_each(
    "answer",
    [
        '{"a": 1}',
        ' \n{"a": 1}\n\n',
        '\ufeff{"a": 1}',
        '\ufeff \ufeff\n{"a": 1}'.replace("\ufeff \ufeff", "\ufeff "),
        '```json\n{"a": 1}\n```',
        '```JSON\r\n{"a": 1}\r\n```\r\n',
        '\n``` json \n\n{"a": 1}\n\n  ```  ',
        '```\n{"a": 1}\n```',
        '````json\n{"a": 1}\n`````',
        '~~~json\n{"a": 1}\n~~~',
        '```json\n{"a": 1}```',
        '```json {"a": 1} ```',
        '```{"a": 1}```',
        '\ufeff```json\n\ufeff{"a": 1}\n```',
    ],
)
def test_a_document_in_one_fence_or_in_blanks_is_the_document(answer: str) -> None:
    assert document_in(answer) == '{"a": 1}'


@for_each(
    "answer",
    [
        'Here it is:\n```json\n{"a": 1}\n```',
        '```json\n{"a": 1}\n```\nDone.',
        '```json\n{"a": 1}',
        '{"a": 1}\n```',
        '````json\n{"a": 1}\n```',
        '```python\n{"a": 1}\n```',
        '``\n{"a": 1}\n``',
        '~~~\n{"a": 1}\n```',
        '```json\n{"a": 1}\n```x',
        "```",
        "",
    ],
)
def test_any_other_word_or_fence_stays(answer: str) -> None:
    assert document_in(answer) == answer


def test_two_fences_are_no_document() -> None:
    both = '```json\n{"a": 1}\n```\nor\n```json\n{"a": 2}\n```'
    assert validate_answer(document_in(both), closed(a={"type": "integer"})) is not None
