"""The official client against the gateway, over the real app-server: a conversation, in each form that clients use."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from tests.kit.chat_model import ChatModel, conversation_of, tools_of

MODEL, LITE = "gpt-5.5", "gpt-6.1-sol"
"""Of the second one all tools are JavaScript, unless their namespace is named in the thread's config."""
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def user(text: str) -> Any:
    return {"role": "user", "content": text}


class Person(BaseModel):
    name: str
    age: int


def test_a_chat_is_answered(client: openai.OpenAI, rules: ChatModel) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "system", "content": "Be terse."}, user("say hello you")]
    )
    assert answer.choices[0].message.content == "hello you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.usage is not None
    assert USAGE.items() <= answer.usage.model_dump().items()
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 40
    assert conversation_of(rules.seen[0]) == [("developer", "Be terse."), ("user", "say hello you")]


def test_every_role_and_form_of_content_reaches_the_model_in_its_place(client: openai.OpenAI, rules: ChatModel) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "one"},
        {"role": "developer", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": [{"type": "text", "text": "three"}], "name": "you"},
        {"role": "assistant", "content": "four"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "system", "content": "five"},
        user("say yes"),
    ]
    client.chat.completions.create(model=MODEL, messages=messages)
    expected = [("developer", "one"), ("developer", "two"), ("user", "three"), ("assistant", "four")]
    assert conversation_of(rules.seen[0]) == [*expected, ("developer", "five"), ("user", "say yes")]


def test_a_stream_brings_the_answer_in_pieces_and_then_its_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=[user("say a b c")], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert [each.choices[0].delta.content for each in chunks if each.choices] == ["", "a", " b", " c", None]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [each.choices[0].finish_reason for each in chunks if each.choices][-1] == "stop"
    assert [each.usage.total_tokens for each in chunks if each.usage] == [120]
    assert chunks[-1].choices == []
    assert len({each.id for each in chunks}) == 1


def test_a_stream_without_the_wish_has_no_usage_chunk(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=[user("say a")], stream=True))
    assert all(each.choices for each in chunks)


def test_thoughts_are_reasoning_content(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": [user("think it over")]}
    message = client.chat.completions.create(**asked).choices[0].message
    assert (message.content, message.model_dump()["reasoning_content"]) == ("done", "it over")
    with client.chat.completions.create(**asked, stream=True) as stream:
        deltas = [each.choices[0].delta.model_dump().get("reasoning_content") for each in stream]
    assert "it over" in deltas


def test_an_answer_is_parsed_by_a_schema(client: openai.OpenAI, rules: ChatModel) -> None:
    answer = client.chat.completions.parse(
        model=MODEL, messages=[user('json {"name": "Ada", "age": 36}')], response_format=Person
    )
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    form = rules.seen[0]["text"]["format"]
    assert (form["type"], form["strict"]) == ("json_schema", True)
    assert form["schema"]["required"] == ["name", "age"]


def test_a_stop_sequence_cuts_the_answer_and_ends_the_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=[user("say one two three four")], stop=["three"])
    assert answer.choices[0].message.content == "one two "
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is None


def test_a_picture_reaches_the_model_whole(client: openai.OpenAI, rules: ChatModel) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
    parts: list[Any] = [{"type": "text", "text": "say red"}, {"type": "image_url", "image_url": {"url": url}}]
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    [sent] = [part["image_url"] for part in rules.seen[0]["input"][-1]["content"] if part["type"] == "input_image"]
    with Image.open(io.BytesIO(base64.b64decode(sent.partition(",")[2]))) as image:
        assert image.size == (40, 30)


@pytest.mark.parametrize("url", ["https://example.com/a.png", "file:///etc/passwd", "/etc/passwd"])
def test_a_picture_by_address_is_refused(client: openai.OpenAI, rules: ChatModel, url: str) -> None:
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    assert rules.seen == []


def test_what_has_no_effect_is_ignored_and_said(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("say a")], temperature=0.3, max_tokens=400, seed=1, extra_body={"num_ctx": 4096}
    )
    assert set(raw.headers["x-codex-ignored"].split(",")) >= {"temperature", "max_tokens", "seed"}
    assert raw.headers["x-request-id"].startswith("req_")


def test_a_long_history_arrives_whole(client: openai.OpenAI, rules: ChatModel) -> None:
    long = "word " * 200_000
    client.chat.completions.create(model=LITE, messages=[user(long), user(long), user("say a")])
    assert [len(text) for _, text in conversation_of(rules.seen[0])] == [len(long), len(long), 5]


def test_there_are_models_and_each_can_be_asked_for(client: openai.OpenAI) -> None:
    models = client.models.list().data
    assert MODEL in [model.id for model in models]
    model = client.models.retrieve(MODEL)
    assert model.object == "model"
    assert "low" in model.model_dump()["x_codex"]["reasoning_efforts"]
    with pytest.raises(openai.NotFoundError, match=MODEL):
        client.models.retrieve("gpt-4o")


def test_effort_verbosity_and_tier_reach_the_model(client: openai.OpenAI, rules: ChatModel) -> None:
    client.chat.completions.create(
        model=MODEL, messages=[user("say a")], reasoning_effort="high", verbosity="low", service_tier="priority"
    )
    body = rules.seen[0]
    assert body["reasoning"]["effort"] == "high"
    assert body["text"]["verbosity"] == "low"
    assert body["service_tier"] == "priority"


def test_json_object_is_asked_for_in_words(client: openai.OpenAI, rules: ChatModel) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=[user('json {"a": 1}')], response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content or "") == {"a": 1}
    assert [role for role, _ in conversation_of(rules.seen[0])] == ["user", "developer"]
    assert tools_of(rules.seen[0]) == [] or {space for space, _ in tools_of(rules.seen[0])} <= {"functions", ""}
