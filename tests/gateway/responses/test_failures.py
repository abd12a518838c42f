"""Responses that fail: with a status before the first byte, in the stream after it; and bodies of all shapes."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import openai
import pytest

from tests.core.openai.bodies import PNG
from tests.gateway.openai.test_any_body import JUNK, changed, places_in
from tests.gateway.responses.test_client import MODEL, WEATHER
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel
from tests.kit.official import official_events, official_response

N_BODIES = 60
SCHEMA: Any = {"type": "object", "properties": {"x": {"type": "integer"}}}
CALL: Any = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
RICH: Any = {
    "model": MODEL,
    "instructions": "i",
    "input": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "say a"}, {"type": "input_image", "image_url": PNG}],
        },
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "e"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]},
        CALL,
        {"type": "function_call_output", "call_id": "c", "output": "r"},
        {"role": "user", "content": "say hello"},
    ],
    "tools": [WEATHER],
    "tool_choice": "auto",
    "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "service_tier": "auto",
    "metadata": {"a": "b"},
    "prompt_cache_key": "k",
    "store": True,
}


@pytest.mark.full
@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
@pytest.mark.version_free
def test_a_body_of_any_shape_is_answered_or_refused(chats: ChatGateway, rules: ChatModel, *, is_stream: bool) -> None:
    random = Random(13 + is_stream)
    ways = list(places_in(RICH))
    statuses = set()
    with chats.http() as http:
        for _ in range(N_BODIES):
            body = changed({**RICH, "stream": is_stream}, random.choice(ways), random.choice(JUNK))
            answer = http.post("/v1/responses", content=json.dumps(body))
            assert answer.status_code in (200, 400), (answer.text, body)
            statuses.add(answer.status_code)
            if not answer.headers["content-type"].startswith("application/json"):
                assert official_events(answer.content)[-1].type == "response.completed"
            elif answer.status_code == 200:
                official_response(answer.json())
    assert statuses == {200, 400}


def test_a_conversation_that_is_too_long_is_said_to_be_the_input(client: openai.OpenAI, rules: ChatModel) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODEL, input="fail context_window")
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")


def test_a_failure_before_the_first_byte_has_its_own_status(client: openai.OpenAI, rules: ChatModel) -> None:
    for is_stream in (False, True):
        with pytest.raises(openai.RateLimitError) as refused:
            client.responses.create(model=MODEL, input="fail usage_limit", stream=is_stream)
        assert refused.value.code == "usage_limit_reached"


def test_a_failure_in_the_stream_is_told_and_makes_the_client_raise(client: openai.OpenAI, chats: ChatGateway) -> None:
    with chats.http() as http:
        answer = http.post("/v1/responses", json={"model": MODEL, "input": "cut one two", "stream": True})
    events = official_events(answer.content)
    assert [event.type for event in events[-2:]] == ["response.failed", "error"]
    failed = events[-2].response
    assert (failed.status, failed.output_text, failed.error.code) == ("failed", "one two", "server_error")
    with pytest.raises(openai.APIError) as raised:
        for _ in client.responses.create(model=MODEL, input="cut one two", stream=True):
            pass
    assert raised.value.code == "upstream_disconnected"
    with (
        pytest.raises(openai.APIError),
        client.responses.stream(model=MODEL, input="cut one two") as stream,
    ):
        stream.until_done()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"conversation": "conv_1"}, "conversation"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            "input[0].content[0].type",
        ),
        ({"previous_response_id": "resp_0"}, "previous_response_id"),
        ({"previous_response_id": 5}, "previous_response_id"),
    ],
)
def test_what_is_not_possible_is_refused_by_its_name(client: openai.OpenAI, body: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": MODEL, "input": "q", **body})
    assert refused.value.param == param


def test_what_has_no_effect_is_named_in_a_header(client: openai.OpenAI) -> None:
    asked = client.responses.with_raw_response.create(
        model=MODEL, input="say a", max_output_tokens=5, truncation="auto"
    )
    assert asked.headers["x-codex-ignored"] == "max_output_tokens,truncation"


def test_a_tool_that_is_required_is_called(client: openai.OpenAI, rules: ChatModel) -> None:
    made = client.responses.create(
        model=MODEL,
        input='json {"city": "Oslo"}',
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "get_weather"},
    )
    (call,) = made.output
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Oslo"})
    with client.responses.stream(
        model=MODEL, input='json {"city": "Rome"}', tools=[WEATHER], tool_choice="required"
    ) as stream:
        (streamed,) = stream.get_final_response().output
    assert streamed.type == "function_call"
    assert json.loads(streamed.arguments) == {"city": "Rome"}
