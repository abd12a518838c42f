"""Tools are offered as Codex takes them; a choice that it cannot make is asked for, and its answer read as a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.tools import ForcedTool, Toolbox, forced_call, parse_tools
from codex_server_cli.core.result.schema import parse_schema
from tests.core.openai.bodies import tool
from tests.kit.cases import for_each

NOTHING = {"type": "object", "properties": {}}
CITY = {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "string"}}, "required": ["city"]}
OPEN = {"type": "object", "additionalProperties": True}


def offered(name: str = "look", schema: Any = None, description: str = "") -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": schema or NOTHING}


def named(name: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


NO_NAMES = ["", "a.b", "a b", "x" * 65, None, 5, "mcp__x"]
NO_PARAMETERS: list[Any] = [True, [], "x", {"type": "array"}, {"type": ["string"]}]
NO_CHOICES: list[Any] = ["any", 5, [], {}, named("gone"), named(None), {"type": "function"}, {"function": "look"}]
NO_SUBSETS: list[dict[str, Any]] = [
    {},
    {"mode": "auto"},
    {"mode": "auto", "tools": [named("gone")]},
    {"mode": "none", "tools": [named("look")]},
    {"allowed_tools": ["look"]},
]


def names(box: Toolbox) -> list[str]:
    return [each["name"] for each in box.tools]


@for_each(
    ("entry", "expected"),
    [
        (tool(), offered()),
        (tool(parameters={}), offered()),
        (tool(description=None, strict=True), offered()),
        (tool(description="d", parameters=CITY), offered(schema=CITY, description="d")),
        ({"function": {"name": "look"}}, offered()),
        ({"type": "function", "name": "look", "parameters": CITY, "strict": True}, offered(schema=CITY)),
        (tool(parameters={"type": ["object", "null"], "properties": {}}), offered()),
        (
            tool(parameters={"properties": {"a": {"type": "string"}}}),
            offered(schema={"properties": {"a": {"type": "string"}}}),
        ),
        (tool("exec_command"), offered("exec_command")),
        (tool("x" * 64), offered("x" * 64)),
        (
            tool(parameters={"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}),
            offered(
                schema={
                    "type": "object",
                    "properties": {"n": {"type": "integer", "minimum": 1, "description": "(minimum: 1)"}},
                }
            ),
        ),
    ],
)
def test_a_tool_is_offered(entry: Any, expected: Any) -> None:
    assert parse_tools({"tools": [entry]}) == Toolbox((expected,))


@for_each(
    "empty",
    [
        {},
        {"tools": None},
        {"tools": []},
        {"functions": []},
        {"tool_choice": "auto"},
        {"tools": [], "tool_choice": "required"},
        {"tool_choice": "none"},
    ],
)
def test_without_tools_nothing_is_offered(empty: Any) -> None:
    assert parse_tools(empty) == Toolbox()


@for_each(
    ("body", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": ["look"]}, "tools[0]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [tool(name) for name in ("look", "look")]}, "tools"),
        ({"tools": [tool()], "functions": [{"name": "look"}]}, "tools"),
        *[({"tools": [tool(name)]}, "tools[0].function.name") for name in NO_NAMES],
        ({"tools": [tool(description=5)]}, "tools[0].function.description"),
        *[({"tools": [tool(parameters=each)]}, "tools[0].function.parameters") for each in NO_PARAMETERS],
        ({"functions": "x"}, "functions"),
        ({"functions": [{"name": "a.b"}]}, "functions[0].name"),
        *[({"tools": [tool()], "tool_choice": each}, "tool_choice") for each in NO_CHOICES],
        ({"tool_choice": named("look")}, "tool_choice"),
        ({"functions": [{"name": "look"}], "function_call": {"name": "gone"}}, "function_call"),
        *[({"tools": [tool()], "tool_choice": dict(each, type="allowed_tools")}, "tool_choice") for each in NO_SUBSETS],
    ],
)
def test_what_is_no_tool_is_refused_by_its_path(body: Any, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_tools(body)
    assert (refused.value.status, refused.value.param) == (400, param)


@for_each(
    ("choice", "expected", "is_forced"),
    [
        (None, ["look", "wait"], False),
        ("auto", ["look", "wait"], False),
        ("none", [], False),
        ("required", ["look", "wait"], True),
        (named("wait"), ["wait"], True),
        ({"type": "function", "name": "wait"}, ["wait"], True),
        ({"name": "wait"}, ["wait"], True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named("wait")]}}, ["wait"], False),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"name": "wait"}]}, ["wait"], True),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, [], False),
    ],
)
def test_a_choice_decides_what_is_offered(choice: Any, expected: Any, is_forced: bool) -> None:
    box = parse_tools({"tools": [tool("look"), tool("wait")], "tool_choice": choice})
    assert (names(box), box.is_forced) == (expected, is_forced)


@for_each(
    ("choice", "expected"),
    [(None, ["look", "wait"]), ("auto", ["look", "wait"]), ("none", []), ({"name": "look"}, ["look"])],
)
def test_legacy_functions_are_tools(choice: Any, expected: Any) -> None:
    box = parse_tools({"functions": [{"name": "look"}, {"name": "wait"}], "function_call": choice})
    assert names(box) == expected
    assert box.uses_functions
    assert box.is_forced is isinstance(choice, dict)


def test_functions_beside_tools_are_answered_as_tools() -> None:
    box = parse_tools({"tools": [tool("look")], "functions": [{"name": "wait"}]})
    assert (names(box), box.uses_functions) == (["look", "wait"], False)


def test_one_forced_tool_is_the_output_schema() -> None:
    box = parse_tools({"tools": [tool(parameters=CITY)], "tool_choice": "required"})
    assert box.forced == ForcedTool({"look": CITY}, is_single=True)
    assert box.wish == "Call the tool look. Text in place of the call must be its arguments as JSON."
    assert box.schema is not None
    assert parse_schema(json.dumps(box.schema), "-")["required"] == ["city", "day"]


def test_several_tools_of_which_one_is_required_are_alternatives_of_the_output_schema() -> None:
    box = parse_tools({"tools": [tool(parameters=CITY), tool("wait")], "tool_choice": "required"})
    assert box.forced == ForcedTool({"look": CITY, "wait": NOTHING}, is_single=False)
    assert box.wish.startswith("Call one of the tools. Text in place of the call must be JSON like")
    assert box.schema is not None
    parse_schema(json.dumps(box.schema), "-")
    calls = box.schema["properties"]["call"]["anyOf"]
    assert [each["properties"]["name"]["enum"] for each in calls] == [["look"], ["wait"]]


@for_each("entries", [[tool(parameters=OPEN)], [tool(parameters=OPEN), tool("wait")]])
def test_a_tool_that_strict_mode_cannot_say_is_only_asked_for(entries: Any) -> None:
    box = parse_tools({"tools": entries, "tool_choice": "required"})
    assert box.is_forced
    assert box.wish.startswith("Call ")
    assert "JSON" not in box.wish
    assert (box.forced, box.schema) == (None, None)


@for_each(
    ("answer", "call"),
    [
        ('{"city": "Oslo", "day": "now"}', ("look", '{"city": "Oslo", "day": "now"}')),
        (' {"city":"Oslo","day":"now"}\n', ("look", '{"city":"Oslo","day":"now"}')),
        ('```json\n{"city": "Oslo", "day": "now"}\n```', ("look", '{"city": "Oslo", "day": "now"}')),
        ('{"city": "Malmö", "day": null}', ("look", '{"city": "Malmö"}')),
        ('{"city": null, "day": "now"}', ("look", '{"city": null, "day": "now"}')),
        ("Which city?", None),
        ("", None),
        ('{"city": "Os', None),
        ("[]", None),
        ("null", None),
        ("[" * 100_000, None),
    ],
)
def test_text_by_the_schema_of_one_tool_is_its_call(answer: str, call: Any) -> None:
    assert forced_call(ForcedTool({"look": CITY}, is_single=True), answer) == call


@for_each(
    ("answer", "call"),
    [
        ('{"call": {"name": "look", "arguments": {"city": "Oslo", "day": null}}}', ("look", '{"city": "Oslo"}')),
        ('{"call": {"name": "wait", "arguments": {}}}', ("wait", "{}")),
        ('{"call": {"name": "gone", "arguments": {}}}', None),
        ('{"call": {"name": ["look"], "arguments": {}}}', None),
        ('{"call": {"name": "look", "arguments": "x"}}', None),
        ('{"call": {"name": "look"}}', None),
        ('{"call": []}', None),
        ("[]", None),
        ("5", None),
        ("Which one?", None),
    ],
)
def test_text_by_the_schema_of_several_tools_names_its_call(answer: str, call: Any) -> None:
    assert forced_call(ForcedTool({"look": CITY, "wait": NOTHING}, is_single=False), answer) == call
