"""What a request for a response in the background asks a turn for."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.document import Json
from codex_server_cli.core.openai.responses.parameters import RESPONSE_PARAMETERS
from codex_server_cli.core.openai.responses.turn_request import TurnAsk, parse_turn_ask
from tests.core.openai.bodies import PNG
from tests.kit.cases import examples, for_each

SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
FORMAT = {"type": "json_schema", "name": "letter", "strict": True, "schema": SCHEMA}


def asked(*, is_strict: bool = False, **body: Any) -> TurnAsk:
    aliases = {"fast": "gpt-6.2-sol:low"}
    return parse_turn_ask({"input": "hi", "background": True, **body}, aliases=aliases, is_strict=is_strict)


def refused(**body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        asked(**body)
    assert caught.value.status == 400
    return caught.value


def test_a_text_is_the_prompt() -> None:
    ask = asked()
    assert (ask.prompt, ask.pictures, ask.instructions, ask.previous) == ("hi", (), None, None)
    assert (ask.model, ask.effort, ask.schema, ask.is_stream, ask.ignored) == (None, None, None, False, ())


def test_messages_are_sorted_by_who_says_them() -> None:
    picture = {"type": "input_image", "image_url": PNG}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Look."}, picture]},
        {"type": "message", "role": "developer", "content": "No jokes."},
        {"role": "user", "content": "And tell."},
    ]
    ask = asked(input=messages, instructions="You are a clerk.")
    assert ask.prompt == "Look.\n\nAnd tell."
    assert ask.pictures == (PNG,)
    assert ask.instructions == "You are a clerk.\n\nBe brief.\n\nNo jokes."
    assert ask.echo["developer"] == ["Be brief.", "No jokes."]
    assert ask.echo["response"]["instructions"] == "You are a clerk."


def test_how_to_answer_is_said_in_codex_words() -> None:
    ask = asked(model="fast", reasoning={"summary": "auto"}, text={"format": FORMAT, "verbosity": "low"}, stream=True)
    assert (ask.model, ask.effort, ask.is_stream) == ("gpt-6.2-sol", "low", True)
    assert ask.settings == {"model_reasoning_summary": "auto", "model_verbosity": "low"}
    assert json.loads(ask.schema or "") == SCHEMA
    assert ask.echo["model"] == "fast"
    assert ask.echo["response"]["text"]["format"]["name"] == "letter"
    assert asked(model="gpt-5.5:high").effort == "high"
    assert asked(reasoning={"effort": "high"}, metadata={"a": "b"}).echo["response"]["metadata"] == {"a": "b"}
    wished = asked(text={"format": {"type": "json_object"}})
    assert (wished.schema, wished.prompt.startswith("hi\n\nAnswer with one JSON")) == (None, True)


def test_what_has_no_effect_is_named_or_refused() -> None:
    given: Json = {
        **{"temperature": 0.5, "max_output_tokens": 10, "service_tier": "priority", "user": "u"},
        **{"prompt_cache_key": "k", "include": ["reasoning.encrypted_content"], "parallel_tool_calls": True},
    }
    assert set(asked(**given).ignored) == {*given} - {"parallel_tool_calls"}
    assert refused(is_strict=True, temperature=0.5).param == "temperature"
    assert refused(is_strict=True, user="u").param == "user"
    assert asked(is_strict=True, service_tier="auto", include=[]).ignored == ()


_REFUSED: dict[str, tuple[Json, str]] = {
    "tools": ({"tools": [{"type": "function", "name": "f", "parameters": {}}]}, "tools"),
    "a choice of tools": ({"tool_choice": "required"}, "tool_choice"),
    "nothing kept": ({"store": False}, "store"),
    "a conversation": ({"conversation": "conv_1"}, "conversation"),
    "no input": ({"input": None}, "input"),
    "an empty list": ({"input": []}, "input"),
    "blank text": ({"input": " \n"}, "input"),
    "no text of the user": ({"input": [{"role": "developer", "content": "x"}]}, "input"),
    "an answer": ({"input": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}, "input[1]"),
    "a call": ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]}, "input[0]"),
    "the output of one": ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input[0]"),
    "a reference": ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
    "an odd role": ({"input": [{"role": "judge", "content": "x"}]}, "input[0].role"),
    "an odd item": ({"input": [1]}, "input[0]"),
    "a file": ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].type"),
    "a picture by address": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/x.png"}]}]},
        "input[0].content[0].image_url",
    ),
    "a format without a schema": ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
    "an odd id": ({"previous_response_id": 1}, "previous_response_id"),
    "too much metadata": ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
    "a model that is no text": ({"model": 1}, "model"),
}  # fmt: skip


@for_each("body, param", _REFUSED.values(), ids=[*_REFUSED])
def test_what_a_turn_cannot_be_asked_is_refused(body: Json, param: str) -> None:
    assert refused(**body).param == param


def test_a_history_is_refused_with_the_way_to_have_one() -> None:
    error = refused(input=[{"role": "assistant", "content": "y"}])
    assert "previous_response_id" in error.message
    with pytest.raises(ApiError, match="JSON object"):
        parse_turn_ask([], aliases={}, is_strict=False)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=4) | st.just(PNG),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "text", "format", "schema", "effort", "image_url", "name", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_NAMES = [parameter.name.partition(".")[0] for parameter in RESPONSE_PARAMETERS]


@examples(150)
@given(st.dictionaries(st.sampled_from(_NAMES), _values, max_size=6), _values)
def test_any_body_is_understood_or_refused(body: Json, said: Any) -> None:
    for each in ({**body, "input": said}, {**body, "input": [{"role": "user", "content": said}]}):
        with suppress(ApiError):
            ask = parse_turn_ask(each, aliases={}, is_strict=False)
            assert ask.prompt.strip()
            assert json.loads(json.dumps(ask.echo)) == ask.echo
