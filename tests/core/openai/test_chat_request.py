"""A body is understood whole, or refused with an error for its client; nothing else is ever raised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.openai import conversation, thread_terms
from codex_server_cli.core.openai.chat_request import MAX_DEPTH, ChatRequest, parse_chat
from codex_server_cli.core.openai.parameters import PARAMETERS
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.openai.tools import ForcedTool, forced_call
from tests.core.openai.bodies import ASKED, PNG, message, request, tool
from tests.kit.cases import examples, for_each

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": CITY}}

WORDS = st.sampled_from(
    ["role", "content", "type", "text", "url", "function", "name", "a", "$ref", "#/$defs/a", "anyOf"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(st.fixed_dictionaries({"id": st.sampled_from("cde"), "function": st.just({"name": "a"})}), max_size=3)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "function"]), "content": VALUES},
        optional={
            "tool_calls": CALLS,
            "tool_call_id": st.sampled_from("cde"),
            "function_call": st.just({"name": "a"}),
            "name": st.just("a"),
        },
    ),
    max_size=6,
)
BODIES = st.dictionaries(st.sampled_from([each.name for each in PARAMETERS]), VALUES, max_size=3)

PICTURE = {"type": "image_url", "image_url": {"url": PNG}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Oslo"}'}}
NODE = {
    "type": "object",
    "properties": {
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "kinds": {"type": ["array", "null"], "items": {"enum": ["a", 1, None]}, "maxItems": 3},
        "old": {"allOf": [{"oneOf": [{"const": "x"}, {"type": "integer", "minimum": 1}]}], "default": None},
    },
    "required": ["kinds"],
    "additionalProperties": False,
}
ROOT = {"type": "object", "properties": {"node": {"$ref": "#/$defs/node"}}, "$defs": {"node": NODE}}
RICH: dict[str, Any] = {
    "model": "a:high",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "q"}, PICTURE], "name": "eve"},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}], "tool_calls": [CALL], "refusal": None},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "rain"}, PICTURE]},
        {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}},
        {"role": "function", "name": "look", "content": "snow"},
    ],
    "tools": [tool(parameters=ROOT, description="d"), {"type": "function", "name": "wait"}],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "functions": [{"name": "old", "parameters": ROOT}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": False, "schema": ROOT}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "stop": ["a", "b"],
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": True},
    "service_tier": "flex",
    "user": "eve",
}
ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "required", "tools": [{"name": "look"}, {"name": "wait"}]},
}
JUNK: list[Any] = [None, 5, "x", ["x"], [[]], {"x": None}]


def check(body: Any, *, is_strict: bool = False) -> ChatRequest | ApiError:
    """Parse a body; the error for its client where it is refused, which is the only one that may be raised."""
    try:
        asked = parse_chat(body, aliases={"a": "b:high"}, is_strict=is_strict)
    except ApiError as error:
        return error
    check_everything_made_of(asked)
    return asked


@examples(150)
@given(messages=MESSAGES, body=BODIES, is_strict=st.booleans())
def test_no_body_raises_anything_but_an_error_for_its_client(messages: Any, body: Any, is_strict: bool) -> None:
    check({"messages": messages, **body}, is_strict=is_strict)
    check(body, is_strict=is_strict)


FORCED = {"messages": [ASKED], "tools": RICH["tools"], "tool_choice": ALLOWED}


@for_each("body", [RICH, FORCED])
def test_no_value_in_any_place_raises_anything_but_an_error_for_its_client(body: Any) -> None:
    assert isinstance(check(body), ChatRequest)
    refused = [check(changed) for changed in variants(body)]
    assert {error.status for error in refused if isinstance(error, ApiError)} == {400}
    assert {type(each) for each in refused} == {ApiError, ChatRequest}


def variants(value: Any) -> Iterator[Any]:
    """The value with each of its parts, however deep, replaced by each piece of junk, and left out."""
    yield from JUNK
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for other in variants(part):
            if isinstance(value, dict):
                yield {**value, key: other}
            else:
                yield [*value[:key], other, *value[key + 1 :]]
    if isinstance(value, dict):
        yield from ({name: part for name, part in value.items() if name != key} for key in value)


def check_everything_made_of(asked: ChatRequest) -> None:
    """What is made of any request that was accepted can be made, and sent."""
    assert asked.items
    assert len(conversation.history_of(asked).prefix_keys()) == len(asked.items)
    trailing = conversation.trailing_results(asked)
    results = [conversation.tool_result(output) for output in trailing.outputs.values()] if trailing else []
    start = thread_terms.thread_start(asked, cwd="/", instructions="client")
    turn = thread_terms.turn_start(asked, "t")
    json.dumps([asked.items, asked.closing, results, start, turn], allow_nan=False, ensure_ascii=False).encode()
    if asked.forced:
        for answer in ('{"call": {"name": "a", "arguments": {"a": null}}}', '{"a": null}', "[[]]", '{"a": [{}]}'):
            forced_call(asked.forced, answer)


@for_each("body", [None, [], "hello", 5, True])
def test_a_body_is_an_object(body: Any) -> None:
    with pytest.raises(ApiError, match="must be a JSON object"):
        parse_chat(body, aliases={}, is_strict=False)


def test_a_body_is_not_nested_without_bound() -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    with pytest.raises(ApiError, match="levels deep"):
        request(metadata=deep)
    assert request(metadata=deep[0]).ignored == ("metadata",)


@for_each("number", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_a_number_that_json_cannot_carry_is_refused(number: Any) -> None:
    with pytest.raises(ApiError, match="number"):
        request(seed=number)


@for_each(
    ("text", "sent"),
    [("a\ud83d", "a\ufffd"), ("\ude00b", "\ufffdb"), ("\ud83d\ude00", "😀"), ("\ufeffé", "\ufeffé")],
)
def test_half_a_character_is_replaced(text: str, sent: str) -> None:
    assert request({"role": "user", "content": text}).items == (message("user", sent),)


def test_null_everywhere_is_as_if_nothing_was_said() -> None:
    assert request(**{each.name: None for each in PARAMETERS if each.name != "messages"}) == request()


def test_fields_of_other_servers_are_accepted() -> None:
    assert request(num_ctx=4096, chat_template_kwargs={"a": [None]}, x_mine=object_with_everything()) == request()


def object_with_everything() -> dict[str, Any]:
    return {"list": [1, 2.5, "x", None, True], "object": {}}


def test_a_body_is_not_changed_and_not_kept() -> None:
    body = {"messages": [ASKED], "tools": [tool(parameters=CITY)], "response_format": FORMAT}
    before = json.dumps(body)
    asked = parse_chat(body, aliases={}, is_strict=False)
    assert json.dumps(body) == before
    CITY["properties"]["city"]["type"] = "integer"  # type: ignore[index]
    try:
        assert asked.output_schema["properties"]["city"]["type"] == "string"
    finally:
        CITY["properties"]["city"]["type"] = "string"  # type: ignore[index]


def test_a_plain_question_asks_for_nothing_else() -> None:
    assert request() == ChatRequest(model=None, effort=None, items=(message("user", "q"),), needs_raw_items=False)


def test_only_calls_of_tools_are_read_from_raw_items() -> None:
    assert request(tools=[tool()]).needs_raw_items
    assert not request(tools=[tool()], tool_choice="none").needs_raw_items


def test_a_format_goes_with_tools_that_are_offered() -> None:
    asked = request(tools=[tool(parameters=CITY)], response_format=FORMAT)
    assert asked.output_schema == CITY
    assert (len(asked.tools), asked.closing, asked.is_json_object, asked.is_choice_forced) == (1, (), False, False)


def test_a_forced_tool_goes_before_a_format() -> None:
    asked = request(tools=[tool(parameters=CITY)], tool_choice="required", response_format={"type": "json_object"})
    assert asked.forced == ForcedTool({"look": CITY}, is_single=True)
    assert asked.output_schema == {**CITY, "additionalProperties": False}
    assert asked.is_choice_forced
    assert not asked.is_json_object
    assert [item["content"][0]["text"] for item in asked.closing] == [
        "Call the tool look. Text in place of the call must be its arguments as JSON."
    ]


def test_json_without_a_schema_is_asked_for_in_words_after_the_conversation() -> None:
    asked = request(response_format={"type": "json_object"})
    assert asked.is_json_object
    assert asked.items == (message("user", "q"),)
    assert asked.closing == (message("developer", "Answer with one JSON object and nothing else."),)


def test_an_error_has_the_fields_of_an_answer() -> None:
    error = ApiError(429, "Later.", type="rate_limit", code="busy", headers={"Retry-After": "5"}.items())
    assert (error.status, error.type, error.code, error.param) == (429, "rate_limit", "busy", None)
    assert error.headers == (("Retry-After", "5"),)
    assert str(error) == error.message == "Later."
    wrong = invalid("No.", "n", "code")
    assert (wrong.status, wrong.type, wrong.code, wrong.param) == (400, "invalid_request_error", "code", "n")
