"""Messages become items that Codex takes, in order, whatever a client left of them; what it would lose is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_server_cli.core.openai.messages import MOST_MESSAGES, ROLES, developer_item, parse_messages
from codex_server_cli.core.openai.refusal import ApiError
from tests.core.openai.bodies import PNG, call_item, message, output_item
from tests.kit.cases import for_each

SEEING = message("assistant", "let me see")
LONG_ID = "call_" + "x" * 80


def calls(*entries: Any, **others: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(entries), **others}


def call(call_id: Any = "c1", name: Any = "look", arguments: Any = "{}", **others: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **others}


def result(call_id: Any = "c1", content: Any = "rain") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


@for_each(
    ("messages", "items"),
    [
        ([{"role": "system", "content": "be brief"}], [message("developer", "be brief")]),
        ([{"role": "developer", "content": "be brief"}], [message("developer", "be brief")]),
        (
            [{"role": "user", "content": "q", "name": "eve"}, {"role": "system", "content": ["a", {"text": "b"}]}],
            [message("user", "q"), message("developer", "a", "b")],
        ),
        (
            [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
            [message("user", "q"), message("assistant", "a")],
        ),
        (
            [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "refusal": "no"}],
            [message("user", "q"), message("assistant", "no")],
        ),
        (
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}, {"type": "thinking"}]}],
            [message("assistant", "no")],
        ),
    ],
)
def test_each_role_has_its_item(messages: list[Any], items: list[Any]) -> None:
    assert list(parse_messages(messages)) == items


def test_our_own_wish_is_a_developer_message() -> None:
    assert developer_item("be brief") == message("developer", "be brief")


@for_each("empty", [None, "", [], [""], [{"type": "text", "text": None}], [{"type": "text", "text": ""}]])
@for_each("role", ["system", "developer", "user", "assistant"])
def test_a_message_without_content_is_skipped(role: str, empty: Any) -> None:
    assert list(parse_messages([{"role": "user", "content": "q"}, {"role": role, "content": empty}])) == [
        message("user", "q")
    ]
    assert len(parse_messages([{"role": "user", "content": "q"}, {"role": role}])) == 1


def test_an_answer_of_blanks_is_skipped_but_a_question_is_not() -> None:
    assert len(parse_messages([{"role": "user", "content": " "}, {"role": "assistant", "content": " \n"}])) == 1


@for_each(
    ("messages", "items"),
    [
        ([calls(call()), result()], [call_item("c1"), output_item("c1", "rain")]),
        ([calls(call(), content="let me see"), result()], [SEEING, call_item("c1"), output_item("c1", "rain")]),
        ([calls(call(arguments={"city": "Malmö"}))], [call_item("c1", arguments='{"city": "Malmö"}')]),
        ([calls(call(arguments=None), call("c2", arguments=" "))], [call_item("c1"), call_item("c2")]),
        ([calls(call(arguments="not json"))], [call_item("c1", arguments="not json")]),
        ([calls({"id": "c1", "function": {"name": "look"}})], [call_item("c1")]),
        ([calls(call()), result(content=None)], [call_item("c1"), output_item("c1", "")]),
        ([calls(call()), result(content=[{"type": "text", "text": "a"}])], [call_item("c1"), output_item("c1", "a")]),
        (
            [calls(call()), result(content=[{"type": "text", "text": "a"}, {"type": "image_url", "image_url": PNG}])],
            [
                call_item("c1"),
                output_item("c1", [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PNG}]),
            ],
        ),
        ([calls(call(), content="x", function_call=None, audio=None)], [message("assistant", "x"), call_item("c1")]),
        ([calls(call(), function_call={"name": "look"})], [call_item("c1")]),
        ([{"role": "assistant", "content": "a", "tool_calls": None}], [message("assistant", "a")]),
    ],
    ids=None,
)
def test_calls_and_their_results_are_items(messages: list[Any], items: list[Any]) -> None:
    assert list(parse_messages(messages)) == items


def test_results_keep_their_place_and_may_come_in_any_order() -> None:
    messages = [calls(call("a"), call("b")), result("b", "2"), {"role": "user", "content": "and?"}, result("a", "1")]
    kinds = [item.get("call_id", item.get("role")) for item in parse_messages(messages)]
    assert kinds == ["a", "b", "b", "user", "a"]


@for_each("orphan", [result("gone"), {"role": "function", "name": "gone", "content": "x"}])
def test_a_result_whose_call_was_cut_off_is_dropped(orphan: Any) -> None:
    assert list(parse_messages([orphan, {"role": "user", "content": "q"}])) == [message("user", "q")]


def test_a_result_before_its_call_is_dropped() -> None:
    assert list(parse_messages([result(), calls(call())])) == [call_item("c1")]


def test_a_call_without_a_result_is_kept() -> None:
    assert list(parse_messages([calls(call()), {"role": "user", "content": "q"}])) == [
        call_item("c1"),
        message("user", "q"),
    ]


def test_an_id_that_is_too_long_upstream_is_shortened_alike_in_call_and_result() -> None:
    first, second = parse_messages([calls(call(LONG_ID)), result(LONG_ID)])
    assert first["call_id"] == second["call_id"]
    assert len(first["call_id"]) <= 64
    assert parse_messages([calls(call("x" * 64))])[0]["call_id"] == "x" * 64


def test_legacy_functions_are_calls_with_ids_of_ours() -> None:
    asked = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": '{"n":1}'}}
    told = {"role": "function", "name": "look", "content": "rain"}
    items = parse_messages([{"role": "user", "content": "q"}, asked, told, asked, told, told])
    assert [item["type"] for item in items[1:]] == ["function_call", "function_call_output"] * 2
    assert items[1]["call_id"] == items[2]["call_id"] != items[3]["call_id"] == items[4]["call_id"]
    assert json.loads(items[1]["arguments"]) == {"n": 1}


@for_each(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ({}, "messages"),
        ("hello", "messages"),
        ([{"role": "assistant", "content": ""}], "messages"),
        (["hello"], "messages[0]"),
        ([None], "messages[0]"),
        ([{"content": "q"}], "messages[0].role"),
        ([{"role": ["user"], "content": "q"}], "messages[0].role"),
        ([{"role": "narrator", "content": "q"}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": {"text": "q"}}], "messages[0].content"),
        ([{"role": "assistant", "audio": {"id": "a"}}], "messages[0].audio"),
        ([{"role": "assistant", "tool_calls": {}}], "messages[0].tool_calls"),
        ([calls("c")], "messages[0].tool_calls[0]"),
        ([calls(call(type="custom"))], "messages[0].tool_calls[0]"),
        ([calls(call(None))], "messages[0].tool_calls[0].id"),
        ([calls(call(""))], "messages[0].tool_calls[0].id"),
        ([calls({"id": "c", "function": None})], "messages[0].tool_calls[0].function"),
        ([calls(call(name="a.b"))], "messages[0].tool_calls[0].function.name"),
        ([calls(call(name=None))], "messages[0].tool_calls[0].function.name"),
        ([calls(call(arguments=[]))], "messages[0].tool_calls[0].function.arguments"),
        ([{"role": "assistant", "function_call": "look"}], "messages[0].function_call"),
        ([result(None)], "messages[0].tool_call_id"),
        ([{"role": "function", "content": "x"}], "messages[0].name"),
        ([result(content=7)], "messages[0].content"),
    ],
)
def test_what_is_no_message_is_refused_by_its_path(messages: Any, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_messages(messages)
    assert (refused.value.status, refused.value.param) == (400, param)


@for_each("messages", [[calls(call(), call())], [calls(call()), calls(call())], [calls(call()), result(), result()]])
def test_one_id_twice_is_refused(messages: list[Any]) -> None:
    with pytest.raises(ApiError) as refused:
        parse_messages(messages)
    assert (refused.value.status, refused.value.code) == (400, "duplicate_tool_call_id")


def test_the_roles_named_in_the_error_are_those_that_are_taken() -> None:
    for role in ROLES:
        parse_messages([calls(call()), {"role": role, "content": "x", "tool_call_id": "c1", "name": "look"}])


@for_each(
    "messages",
    [
        [{"role": "user", "content": "x"}] * (MOST_MESSAGES + 1),
        [calls(*(call(f"c{n}") for n in range(MOST_MESSAGES + 1)))],
    ],
)
def test_so_many_that_codex_would_break_off_are_refused(messages: list[Any]) -> None:
    with pytest.raises(ApiError) as refused:
        parse_messages(messages)
    assert (refused.value.status, refused.value.code) == (400, "array_above_max_length")
    assert len(parse_messages([{"role": "user", "content": "x"}] * MOST_MESSAGES)) == MOST_MESSAGES
