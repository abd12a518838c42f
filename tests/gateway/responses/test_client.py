"""The official client's Responses API against the gateway, over the real app-server."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from tests.core.openai.bodies import PNG
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of, tools_of
from tests.kit.official import official_events, official_response
from tests.kit.support import wait_until

MODEL, LITE = "gpt-5.5", "gpt-6.1-sol"
"""Of the second one all tools are JavaScript, unless their namespace is named in the thread's config."""
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
TIME: Any = {**WEATHER, "name": "get_time"}


class ParsedPerson(BaseModel):
    name: str
    age: int


def keys_of(rules: ChatModel) -> list[Any]:
    return [body.get("prompt_cache_key") for body in rules.seen]


def test_a_response_is_created(client: openai.OpenAI, rules: ChatModel) -> None:
    made = client.responses.create(
        model=MODEL, instructions="Be terse.", input="say hello you", metadata={"a": "b"}, temperature=0.5
    )
    response = official_response(made.to_dict())
    assert (response.status, response.output_text, response.model) == ("completed", "hello you", MODEL)
    assert (response.instructions, response.metadata) == ("Be terse.", {"a": "b"})
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (100, 20, 120)
    assert response.usage.input_tokens_details.cached_tokens == 40
    assert response.usage.output_tokens_details.reasoning_tokens == 5
    assert conversation_of(rules.seen[0]) == [("developer", "Be terse."), ("user", "say hello you")]


def test_every_kind_of_item_reaches_the_model_in_its_place(client: openai.OpenAI, rules: ChatModel) -> None:
    asked: list[Any] = [
        {"role": "system", "content": "one"},
        {"role": "user", "content": [{"type": "input_text", "text": "two"}, {"type": "input_image", "image_url": PNG}]},
        {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": "c2VjcmV0"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "three"}],
            "phase": "commentary",
        },
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Oslo"}'},
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [{"type": "input_text", "text": "rain"}, {"type": "input_image", "image_url": PNG}],
        },
        {"role": "assistant", "content": "four"},
        {"role": "user", "content": "say yes"},
    ]
    assert client.responses.create(model=MODEL, input=asked, tools=[WEATHER]).output_text == "yes"
    expected = [("developer", "one"), ("user", "two"), ("reasoning", ""), ("assistant", "three")]
    expected += [("function_call", '{"city":"Oslo"}'), ("function_call_output", "rain"), ("assistant", "four")]
    assert conversation_of(rules.seen[0]) == [*expected, ("user", "say yes")]
    sent = rules.seen[0]["input"]
    assert [item["encrypted_content"] for item in sent if item["type"] == "reasoning"] == ["c2VjcmV0"]
    assert json.dumps(sent).count(PNG) == 2


def test_a_stream_brings_the_answer_in_pieces(client: openai.OpenAI, chats: ChatGateway) -> None:
    with chats.http() as http:
        answer = http.post("/responses", json={"model": MODEL, "input": "say a b c", "stream": True, "seed": 1})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = official_events(answer.content)
    assert [event.type.removeprefix("response.") for event in events] == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *["output_text.delta"] * 3,
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["a", " b", " c"]
    last: Response = events[-1].response
    assert (last.status, last.output_text, last.id) == ("completed", "a b c", events[0].response.id)
    assert last.usage is not None
    assert last.usage.total_tokens == 120


def test_the_streaming_helper_has_the_same_response_as_the_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(model=MODEL, input="think it over", reasoning={"summary": "auto"}) as stream:
        types = [event.type for event in stream]
        final = stream.get_final_response()
    assert "response.reasoning_summary_text.delta" in types
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert final.output_text == "done"
    assert client.responses.retrieve(final.id).output_text == "done"


def test_structured_output_is_parsed(client: openai.OpenAI, rules: ChatModel) -> None:
    response = client.responses.parse(model=MODEL, input='json {"name": "Ann", "age": 7}', text_format=ParsedPerson)
    assert response.output_parsed == ParsedPerson(name="Ann", age=7)
    sent = rules.seen[0]["text"]["format"]
    assert (sent["type"], sent["strict"], sorted(sent["schema"]["properties"])) == (
        "json_schema",
        True,
        ["age", "name"],
    )
    with client.responses.stream(
        model=MODEL, input='json {"name": "Bo", "age": 8}', text_format=ParsedPerson
    ) as stream:
        assert stream.get_final_response().output_parsed == ParsedPerson(name="Bo", age=8)


@pytest.mark.parametrize("model", [MODEL, LITE])
def test_a_tool_round_trip_goes_on_in_the_held_turn(
    client: openai.OpenAI, rules: ChatModel, chats: ChatGateway, model: str
) -> None:
    n_before = len(chats.log.requests)
    asked: Any = {"model": model, "tools": [WEATHER, TIME]}
    prompt = 'note I look.\ncall get_weather {"city": "Oslo"}\ncall get_time {"city": "Rome"}'
    first = client.responses.create(input=prompt, **asked)
    official_response(first.to_dict())
    assert [item.type for item in first.output] == ["reasoning", "message", "function_call", "function_call"]
    assert first.output[1].phase == "commentary"
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)["city"]) for call in calls] == [
        ("get_weather", "Oslo"),
        ("get_time", "Rome"),
    ]
    assert ("client", "get_weather") in tools_of(rules.seen[0])
    results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": call.name} for call in calls]
    second = client.responses.create(previous_response_id=first.id, input=results, **asked)
    assert second.output_text == "results: get_weather, get_time"
    assert second.previous_response_id == first.id
    third = client.responses.create(previous_response_id=second.id, input="say so", **asked)
    assert third.output_text == "so"
    assert len(set(keys_of(rules))) == 1
    assert len(rules.seen) == 3
    wait_until(lambda: len(chats.log.requests) == n_before + 3, what="the log")
    assert [each["thread"] for each in chats.log.requests[n_before:]] == ["fresh", "held", "kept"]


def test_a_conversation_that_is_sent_again_as_items_stays_on_its_thread(
    client: openai.OpenAI, rules: ChatModel
) -> None:
    asked: Any = {"model": MODEL, "tools": [WEATHER], "store": False, "include": ["reasoning.encrypted_content"]}
    history: list[Any] = [{"role": "user", "content": 'note I look.\ncall get_weather {"city": "Oslo"}'}]
    first = client.responses.create(input=history, **asked)
    (thought,) = (item for item in first.output if item.type == "reasoning")
    assert thought.encrypted_content == "c2VjcmV0"
    history += [item.to_dict() for item in first.output]
    call = first.output[-1]
    assert call.type == "function_call"
    history.append({"type": "function_call_output", "call_id": call.call_id, "output": "rain"})
    second = client.responses.create(input=history, **asked)
    assert second.output_text == "results: rain"
    history += [item.to_dict() for item in second.output]
    history.append({"role": "user", "content": "say end"})
    assert client.responses.create(input=history, **asked).output_text == "end"
    assert len(set(keys_of(rules))) == 1
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_closing_a_stream_ends_its_turn(client: openai.OpenAI, rules: ChatModel, chats: ChatGateway) -> None:
    rules.close_gate()
    stream = client.responses.create(model=MODEL, input="hold", stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    assert chats.model_connections() == 1
    stream.close()
    wait_until(lambda: chats.model_connections() == 0, what="the end of the model's connection")
    rules.gate.open()
