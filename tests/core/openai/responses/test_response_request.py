"""A body of `POST /v1/responses` as what Codex is asked, and what the Response repeats."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from codex_server_cli.core.openai.parameter import Treatment
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.document import ResponseHead, response_document
from codex_server_cli.core.openai.responses.parameters import RESPONSE_PARAMETERS, is_background, own_name
from codex_server_cli.core.openai.responses.request import (
    NOTHING,
    Remembered,
    ResponsesRequest,
    parse_response_request,
)
from tests.core.openai.bodies import PNG, call_item, message, output_item
from tests.kit.cases import for_each
from tests.kit.official import official_response

GATEWAY = Path(__file__).parents[4] / "references" / "gateway.md"
LOOK: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
SCHEMA: Any = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
STRICT: Any = {**SCHEMA, "additionalProperties": False}
PICTURE: Any = {"type": "input_image", "image_url": PNG}


def read(remembered: Remembered = NOTHING, is_strict: bool = False, **body: Any) -> ResponsesRequest:
    return parse_response_request(
        {"input": "q", **body}, aliases={"small": "gpt-6-luna:low"}, is_strict=is_strict, remembered=remembered
    )


def items(*listed: Any, remembered: Remembered = NOTHING) -> list[Any]:
    return list(read(remembered, input=list(listed)).chat.items)


def refusal(remembered: Remembered = NOTHING, **body: Any) -> tuple[int, str | None, str | None]:
    with pytest.raises(ApiError) as refused:
        read(remembered, **body)
    return refused.value.status, refused.value.param, refused.value.code


# --- input


def test_a_text_is_a_message_of_the_user() -> None:
    assert list(read(input="hi").chat.items) == [message("user", "hi")]


@for_each(
    ("item", "expected"),
    [
        ({"role": "user", "content": "a"}, [message("user", "a")]),
        ({"type": "message", "role": "system", "content": "a"}, [message("developer", "a")]),
        ({"role": "developer", "content": [{"type": "input_text", "text": "a"}]}, [message("developer", "a")]),
        (
            {"role": "assistant", "content": "a", "phase": "commentary"},
            [message("assistant", "a") | {"phase": "commentary"}],
        ),
        ({"role": "assistant", "content": "a", "phase": "other", "id": "msg_1"}, [message("assistant", "a")]),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, [message("assistant", "no")]),
        ({"role": "assistant", "content": " "}, []),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": PNG, "detail": "high", "file_id": None}]},
            [{"type": "message", "role": "user", "content": [PICTURE]}],
        ),
        ({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "look", "arguments": "{}"}, [call_item("c")]),
        ({"type": "function_call_output", "call_id": "unknown", "output": "x"}, []),
        ({"type": "reasoning", "id": "rs_1", "summary": []}, []),
        (
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "s"}, 5],
                "encrypted_content": "e",
            },
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"}],
        ),
        (
            {"type": "reasoning", "summary": 5, "encrypted_content": "e"},
            [{"type": "reasoning", "summary": [], "encrypted_content": "e"}],
        ),
    ],
)
def test_an_item_is_what_codex_takes(item: Any, expected: list[Any]) -> None:
    assert items(item, {"role": "user", "content": "q"}) == [*expected, message("user", "q")]


def test_the_output_of_a_call_may_be_text_or_parts_with_pictures() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    told = {"type": "function_call_output", "call_id": "c"}
    assert items(call, {**told, "output": "x"}) == [call_item("c"), output_item("c", "x")]
    parts = [{"type": "input_text", "text": "x"}, PICTURE]
    assert items(call, {**told, "output": parts}) == [call_item("c"), output_item("c", parts)]


def test_instructions_come_first_and_are_no_part_of_what_is_remembered() -> None:
    request = read(Remembered((message("user", "before"),)), instructions="Be terse.", input="hi")
    assert list(request.chat.items) == [
        message("developer", "Be terse."),
        message("user", "before"),
        message("user", "hi"),
    ]
    assert request.items == (message("user", "hi"),)
    assert request.echoed["instructions"] == "Be terse."


def test_a_result_finds_its_call_in_the_conversation_that_goes_on() -> None:
    remembered = Remembered((message("user", "a"), call_item("c")))
    result = {"type": "function_call_output", "call_id": "c", "output": "x"}
    assert read(remembered, input=[result]).items == (output_item("c", "x"),)
    twice = refusal(Remembered((*remembered.items, output_item("c", "x"))), input=[result])
    assert twice == (400, "input[0]", "duplicate_tool_call_id")


def test_a_reference_is_the_item_that_it_refers_to() -> None:
    known: dict[str, Any] = {
        "msg_1": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "a"}],
        },
        "rs_1": {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "e"},
        "loop": {"type": "item_reference", "id": "loop"},
    }
    remembered = Remembered((), known.get)
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "e"}
    assert items(
        {"type": "item_reference", "id": "rs_1"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"id": "msg_1"},
        remembered=remembered,
    ) == [thought, thought, message("assistant", "a")]
    said = {"role": "user", "content": "a"}
    assert items({"type": "item_reference", "id": "rs_2"}, said) == [message("user", "a")]
    for unknown in ("msg_2", "loop", None, 7):
        given = {"type": "item_reference", "id": unknown}
        assert refusal(remembered, input=[given]) == (400, "input[0].id", "item_not_found")


@for_each(
    ("given", "param", "code"),
    [
        (None, "input", None),
        (5, "input", None),
        ([], "input", None),
        ("", "input", None),
        ([{"role": "assistant", "content": ""}], "input", None),
        (["a"], "input[0]", None),
        ([{"content": "a"}], "input[0].role", None),
        ([{"role": "tool", "content": "a"}], "input[0].role", None),
        (
            [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}],
            "input[0].content[0].type",
            "unsupported_content",
        ),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "input[0].content[0].type", "unsupported_content"),
        (
            [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x/y.png"}]}],
            "input[0].content[0].image_url",
            "invalid_image_url",
        ),
        (
            [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}],
            "input[0].content[0].image_url",
            "invalid_image_url",
        ),
        ([{"type": "web_search_call", "id": "ws"}], "input[0].type", "unsupported_item"),
        ([{"type": "custom_tool_call", "call_id": "c"}], "input[0].type", "unsupported_item"),
        ([{"type": ["message"], "role": "user"}], "input[0].type", "unsupported_item"),
        ([{"type": "function_call", "name": "look", "arguments": "{}"}], "input[0].call_id", None),
        ([{"type": "function_call", "call_id": "c", "name": "a b"}], "input[0].name", None),
        ([{"type": "function_call_output", "output": "x"}], "input[0].call_id", None),
        ([{"type": "function_call_output", "call_id": "c", "output": 5}], "input[0].output", None),
        ([{"type": "reasoning", "encrypted_content": 5}], "input[0].encrypted_content", None),
        ([{"role": "user", "content": "x"}] * 10_001, "input", "array_above_max_length"),
    ],
)
def test_input_that_cannot_be_is_refused_by_its_path(given: Any, param: str, code: str | None) -> None:
    assert refusal(input=given) == (400, param, code)


# --- tools, formats, settings


def test_functions_are_offered_and_repeated() -> None:
    request = read(tools=[{**LOOK, "description": "Looks.", "strict": True}])
    assert request.chat.tools == ({"name": "look", "description": "Looks.", "inputSchema": LOOK["parameters"]},)
    assert request.echoed["tools"] == [{**LOOK, "description": "Looks.", "strict": True}]
    nested = read(tools=[{"type": "function", "function": {"name": "look", "parameters": None}}])
    assert nested.echoed["tools"] == [
        {"type": "function", "name": "look", "description": None, "parameters": None, "strict": False}
    ]


@for_each(
    "kind",
    ["web_search", "file_search", "code_interpreter", "mcp", "custom", "namespace", "image_generation", "computer", 5],
)
def test_another_tool_is_refused_by_its_name(kind: Any) -> None:
    with pytest.raises(
        ApiError, match=f'`tools.1..type` is "?{kind}"?, but only tools of type `function` are possible'
    ) as refused:
        read(tools=[LOOK, {"type": kind, "name": "x"}])
    assert (refused.value.param, refused.value.code) == ("tools[1].type", "unsupported_tool")


@for_each(
    ("choice", "offered", "is_forced", "echoed"),
    [
        (None, 2, False, "auto"),
        ("auto", 2, False, "auto"),
        ("none", 0, False, "none"),
        ("required", 2, True, "required"),
        ({"type": "function", "name": "look"}, 1, True, {"type": "function", "name": "look"}),
        ({"type": "function", "function": {"name": "look"}}, 1, True, {"type": "function", "name": "look"}),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
            1,
            False,
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
        ),
    ],
)
def test_a_choice_of_tools_is_kept_or_emulated(choice: Any, offered: int, is_forced: bool, echoed: Any) -> None:
    request = read(tools=[LOOK, {**LOOK, "name": "see"}], tool_choice=choice)
    assert (len(request.chat.tools), request.chat.is_choice_forced) == (offered, is_forced)
    assert bool(request.chat.closing) is is_forced
    assert request.echoed["tool_choice"] == echoed


@for_each("choice", [{"type": "web_search"}, {"type": "function", "name": "other"}, "any", 5])
def test_a_choice_of_what_is_not_offered_is_refused(choice: Any) -> None:
    assert refusal(tools=[LOOK], tool_choice=choice) == (400, "tool_choice", None)


@for_each(
    ("form", "schema", "has_wish", "echoed"),
    [
        (None, None, False, {"type": "text"}),
        ({"type": "text"}, None, False, {"type": "text"}),
        ({"type": "json_object"}, None, True, {"type": "json_object"}),
        (
            {"type": "json_schema", "name": "n", "schema": STRICT, "strict": True, "description": "d"},
            STRICT,
            False,
            {"type": "json_schema", "name": "n", "schema": STRICT, "strict": True, "description": "d"},
        ),
        (
            {"type": "json_schema", "schema": SCHEMA},
            STRICT,
            False,
            {"type": "json_schema", "name": "response", "schema": SCHEMA, "strict": False, "description": None},
        ),
    ],
)
def test_a_format_of_text_is_a_schema_or_a_wish(form: Any, schema: Any, has_wish: bool, echoed: Any) -> None:
    request = read(text={"format": form, "verbosity": "low"})
    assert (request.chat.output_schema, bool(request.chat.closing), request.chat.verbosity) == (schema, has_wish, "low")
    assert request.chat.is_json_object is has_wish
    assert request.echoed["text"] == {"format": echoed, "verbosity": "low"}


@for_each(
    ("body", "param", "code"),
    [
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type", None),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", None),
        ({"text": "x"}, "text", None),
        ({"text": {"verbosity": "huge"}}, "text.verbosity", None),
        ({"reasoning": "high"}, "reasoning", None),
        ({"reasoning": {"effort": 5}}, "reasoning.effort", None),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary", None),
        ({"reasoning": {"generate_summary": "long"}}, "reasoning.generate_summary", None),
        ({"stream": "yes"}, "stream", None),
        ({"stream_options": 5}, "stream_options", None),
        ({"store": 1}, "store", None),
        ({"instructions": ["x"]}, "instructions", None),
        ({"previous_response_id": 5}, "previous_response_id", None),
        ({"include": "x"}, "include", None),
        ({"include": ["message.output_text.logprobs"]}, "include", "unsupported_parameter"),
        ({"include": [5]}, "include", "unsupported_parameter"),
        ({"metadata": []}, "metadata", None),
        ({"metadata": {"a": 1}}, "metadata", None),
        ({"metadata": {"a" * 65: "x"}}, "metadata", None),
        ({"metadata": {"a": "x" * 513}}, "metadata", None),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata", None),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
        ({"audio": {}}, "audio", "unsupported_parameter"),
        ({"top_logprobs": 2}, "top_logprobs", "unsupported_parameter"),
        ({"model": 5}, "model", None),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_its_name(body: Any, param: str, code: str | None) -> None:
    assert refusal(**body) == (400, param, code)


def test_what_a_chat_has_too_is_understood_alike() -> None:
    request = read(
        model="small",
        reasoning={"summary": "auto"},
        service_tier="fast",
        stream=True,
        prompt_cache_key="k",
        user="u",
        previous_response_id="resp_1",
        store=False,
        include=["reasoning.encrypted_content", "file_search_call.results"],
        metadata={"a": "b"},
    )
    chat = request.chat
    assert (chat.model, chat.effort, chat.summary, chat.service_tier) == ("gpt-6-luna", "low", "auto", "priority")
    assert (chat.is_stream, chat.cache_key, request.name, request.is_stored) == (True, "k", "small", False)
    assert (request.previous_response_id, request.has_encrypted) == ("resp_1", True)
    assert read(reasoning={"effort": "max", "generate_summary": "detailed"}).chat[1:2] == ("max",)
    assert read(reasoning={"generate_summary": "detailed"}).chat.summary == "detailed"
    efforts = [read(reasoning={"effort": each}).echoed["reasoning"]["effort"] for each in ("max", "ultra", "odd")]
    assert efforts == ["max", None, None]
    whole = response_document(
        ResponseHead("resp_1", 1, "small", request.echoed), status="completed", output=[], usage=None
    )
    response = official_response(whole)
    assert (response.metadata, response.user, response.service_tier) == ({"a": "b"}, "u", "priority")
    assert response.reasoning is not None
    assert (response.reasoning.effort, response.reasoning.summary) == ("low", "auto")


def test_raw_items_are_needed_for_tools_and_for_encrypted_reasoning_alone() -> None:
    assert not read().chat.needs_raw_items
    assert not read(tools=[LOOK], tool_choice="none", reasoning={"summary": "auto"}).chat.needs_raw_items
    assert not read(include=["web_search_call.results"]).chat.needs_raw_items
    assert read(tools=[LOOK]).chat.needs_raw_items
    assert read(include=["reasoning.encrypted_content"]).chat.needs_raw_items


def test_every_body_that_is_understood_can_be_repeated() -> None:
    body: Any = {
        "tools": [LOOK],
        "tool_choice": "required",
        "text": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    request = read(**body)
    official_response(
        response_document(ResponseHead("r", 1, "m", request.echoed), status="failed", output=[], usage=None)
    )
    assert read().chat.is_stream is False
    assert read(background=False).is_stored


def test_what_has_no_effect_is_named_and_refused_where_that_is_asked_for() -> None:
    given: Any = {"max_output_tokens": 5, "temperature": 0.1, "truncation": "auto", "parallel_tool_calls": False}
    assert set(read(**given).chat.ignored) == set(given)
    assert read(temperature=1, top_p=1.0, truncation="disabled", parallel_tool_calls=True).chat.ignored == ()
    with pytest.raises(ApiError, match="`max_output_tokens`") as refused:
        read(is_strict=True, max_output_tokens=5)
    assert (refused.value.status, refused.value.code) == (400, "unsupported_parameter")


def test_an_unknown_parameter_is_passed_on() -> None:
    assert read(num_ctx=5, functions=[], messages="x").chat.ignored == ()


@for_each(("body", "expected"), [({"background": True}, True), ({"background": None}, False), ({}, False), ([], False)])
def test_a_background_request_is_known_before_anything_else(body: Any, expected: bool) -> None:
    assert is_background(body) is expected


def test_a_background_that_is_no_flag_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        is_background({"background": "yes"})
    assert refused.value.param == "background"


def test_errors_name_the_parameters_of_a_response() -> None:
    assert [own_name(each) for each in ("messages", "reasoning_effort", "model", None)] == [
        "input",
        "reasoning.effort",
        "model",
        None,
    ]


# --- the table


def test_every_parameter_that_the_official_client_can_send_is_in_the_table() -> None:
    either = (ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming)
    sent = {key for kind in either for key in kind.__required_keys__ | kind.__optional_keys__}
    assert {"input", "stream_options"} <= sent
    assert sent - {each.name.partition(".")[0] for each in RESPONSE_PARAMETERS} == set()


def test_the_documentation_has_the_same_table() -> None:
    section = GATEWAY.read_text(encoding="utf-8").partition("\n### Parameters of a Response\n")[2].partition("\n##")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(each.name, each.treatment.value, each.note) for each in RESPONSE_PARAMETERS]


def test_a_value_that_asks_for_nothing_is_neither_told_nor_refused() -> None:
    for each in RESPONSE_PARAMETERS:
        for value in (None, *each.harmless) if each.treatment is not Treatment.USED else ():
            outer, _, inner = each.name.rpartition(".")
            assert read(is_strict=True, **({outer: {inner: value}} if outer else {inner: value})).chat.ignored == ()
