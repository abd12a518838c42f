"""Tools of a client: called, answered while the turn is held, and answered when it is not held any more."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of, tools_of
from tests.kit.support import wait_until

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME: Any = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
ASK = 'call get_weather {"city": "Oslo"}'


@pytest.fixture(params=["gpt-5.5", "gpt-6.1-sol"])
def model(request: pytest.FixtureRequest) -> str:
    """A model of each kind: of the second one all tools are JavaScript, unless their namespace is named."""
    name: str = request.param
    return name


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def result(call_id: str, text: str) -> Any:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def key_of(body: dict[str, Any]) -> Any:
    return body["prompt_cache_key"]


def test_a_call_is_answered_in_the_turn_that_is_held(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel, model: str
) -> None:
    messages: list[Any] = [user(ASK)]
    asked = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    choice = asked.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    [call] = choice.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})
    assert asked.usage is not None
    assert asked.usage.total_tokens == 120
    assert ("client", "get_weather") in tools_of(rules.seen[0])

    messages += [choice.message, result(call.id, "rain")]
    answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "results: rain"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 120
    kinds = [kind for kind, _ in conversation_of(rules.seen[1])]
    assert kinds == ["user", "reasoning", "function_call", "function_call_output"]
    assert key_of(rules.seen[0]) == key_of(rules.seen[1])

    messages += [answer.choices[0].message, user("say more")]
    client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert key_of(rules.seen[2]) == key_of(rules.seen[0])


def test_two_calls_come_in_one_stream_each_with_its_index(client: openai.OpenAI, rules: ChatModel, model: str) -> None:
    messages: list[Any] = [user(f"note Let me look.\n{ASK}\ncall get_time {{}}")]
    with client.chat.completions.stream(model=model, messages=messages, tools=[WEATHER, TIME]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Let me look."
    calls = message.tool_calls or []
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    messages += [message.model_dump(exclude={"parsed"}), result(calls[1].id, "noon"), result(calls[0].id, "rain")]
    messages += [user("and hurry")]
    with client.chat.completions.stream(model=model, messages=messages, tools=[WEATHER, TIME]) as stream:
        answer = stream.get_final_completion().choices[0].message.content
    texts = [text for _, text in conversation_of(rules.seen[1])][-3:]
    assert sorted(texts) == ["and hurry", "noon", "rain"]
    assert texts[-1] == "and hurry"
    assert answer == "echo: and hurry"
    assert key_of(rules.seen[0]) == key_of(rules.seen[1])


def test_the_same_request_again_is_rebuilt(client: openai.OpenAI, rules: ChatModel, model: str) -> None:
    messages: list[Any] = [user(ASK)]
    message = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER]).choices[0].message
    [call] = message.tool_calls or []
    messages += [message, result(call.id, "rain")]
    for _ in range(2):
        answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
        assert answer.choices[0].message.content == "results: rain"
    held, rebuilt = rules.seen[1:]
    assert key_of(held) != key_of(rebuilt)
    assert conversation_of(held) == conversation_of(rebuilt)
    assert [item["encrypted_content"] for item in rebuilt["input"] if item["type"] == "reasoning"] == ["c2VjcmV0"]
    assert [item["namespace"] for item in rebuilt["input"] if item["type"] == "function_call"] == ["client"]


def test_reasoning_goes_into_no_other_conversation_that_has_the_same_call(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel
) -> None:
    message = client.chat.completions.create(model="gpt-5.5", messages=[user(ASK)], tools=[WEATHER]).choices[0].message
    [call] = message.tool_calls or []
    for before in ([user("say something else")], [user("hi"), user(ASK)]):
        messages: list[Any] = [*before, message, result(call.id, "rain")]
        client.chat.completions.create(model="gpt-5.5", messages=messages, tools=[WEATHER])
        assert "reasoning" not in {item["type"] for item in rules.seen[-1]["input"]}
    chats.call(chats.state.held_turns.clear)


def test_a_held_turn_whose_results_never_come_is_ended_at_its_deadline(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel, model: str
) -> None:
    message = client.chat.completions.create(model=model, messages=[user(ASK)], tools=[WEATHER]).choices[0].message
    [call] = message.tool_calls or []
    assert len(chats.state.held_turns) == 1
    chats.call(chats.state.held_turns.clear)
    wait_until(lambda: not chats.loaded_turns(), what="the end of the held turn")
    messages: list[Any] = [user(ASK), message, result(call.id, "rain")]
    answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "results: rain"


def test_a_result_without_its_call_and_a_call_without_its_result_are_no_error(
    client: openai.OpenAI, rules: ChatModel
) -> None:
    function = {"name": "get_weather", "arguments": "{}"}
    messages: list[Any] = [
        result("call_gone", "snow"),
        {"role": "assistant", "tool_calls": [{"id": "call_open", "type": "function", "function": function}]},
        user("say fine"),
    ]
    answer = client.chat.completions.create(model="gpt-5.5", messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "fine"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"type": "function", "function": {"name": "get_weather"}}, '{"city": "Oslo"}'),
        ("required", '{"call": {"name": "get_weather", "arguments": {"city": "Oslo"}}}'),
    ],
    ids=["named", "required"],
)
def test_a_tool_that_must_be_called_is_called(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel, model: str, choice: Any, said: str
) -> None:
    messages: list[Any] = [user(f"json {said}")]
    asked = client.chat.completions.create(
        model=model, messages=messages, tools=[WEATHER, TIME], tool_choice=choice
    ).choices[0]
    [call] = asked.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})
    assert asked.finish_reason == "tool_calls"
    offered = [name for space, name in tools_of(rules.seen[0]) if space == "client"]
    assert offered == (["get_weather"] if choice != "required" else ["get_time", "get_weather"])
    messages += [asked.message, result(call.id, "rain")]
    answer = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER, TIME])
    assert answer.choices[0].message.content == "results: rain"
    assert len(chats.state.held_turns) == 0


def test_a_tool_that_must_be_called_may_be_called_as_such(client: openai.OpenAI, rules: ChatModel, model: str) -> None:
    asked = client.chat.completions.create(
        model=model, messages=[user(ASK)], tools=[WEATHER], tool_choice="required"
    ).choices[0]
    assert [call.id for call in asked.message.tool_calls or []] != []
    assert asked.finish_reason == "tool_calls"


def test_no_tool_is_offered_where_none_is_wanted(client: openai.OpenAI, rules: ChatModel) -> None:
    client.chat.completions.create(model="gpt-5.5", messages=[user("say a")], tools=[WEATHER], tool_choice="none")
    assert "client" not in {space for space, _ in tools_of(rules.seen[0])}


def test_legacy_functions_are_called_and_answered(client: openai.OpenAI, rules: ChatModel, model: str) -> None:
    functions: list[Any] = [WEATHER["function"]]
    messages: list[Any] = [user(ASK)]
    choice = client.chat.completions.create(model=model, messages=messages, functions=functions).choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert json.loads(choice.message.function_call.arguments) == {"city": "Oslo"}
    messages += [choice.message, {"role": "function", "name": "get_weather", "content": "rain"}]
    answer = client.chat.completions.create(model=model, messages=messages, functions=functions).choices[0]
    assert (answer.finish_reason, answer.message.content) == ("stop", "results: rain")


def test_a_picture_may_be_a_result(client: openai.OpenAI, rules: ChatModel) -> None:
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    message = client.chat.completions.create(model="gpt-5.5", messages=[user(ASK)], tools=[WEATHER]).choices[0].message
    [call] = message.tool_calls or []
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{dot}"}},
    ]
    messages: list[Any] = [user(ASK), message, {"role": "tool", "tool_call_id": call.id, "content": parts}]
    client.chat.completions.create(model="gpt-5.5", messages=messages, tools=[WEATHER])
    output = rules.seen[1]["input"][-1]["output"]
    assert [part["type"] for part in output] == ["input_text", "input_image"]


def test_a_large_result_arrives_whole(client: openai.OpenAI, rules: ChatModel) -> None:
    message = client.chat.completions.create(model="gpt-5.5", messages=[user(ASK)], tools=[WEATHER]).choices[0].message
    [call] = message.tool_calls or []
    messages: list[Any] = [user(ASK), message, result(call.id, "x" * 400_000)]
    for _ in range(2):  # held, then rebuilt
        client.chat.completions.create(model="gpt-5.5", messages=messages, tools=[WEATHER])
    assert [len(conversation_of(body)[-1][1]) for body in rules.seen[1:]] == [400_000, 400_000]
