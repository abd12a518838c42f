"""Conversations that are very long or very large: they are answered or refused, and no other request notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from codex_server_cli.core.openai.messages import MOST_MESSAGES
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel

MODEL = "gpt-5.5"


def user(text: Any) -> Any:
    return {"role": "user", "content": text}


def answer_to(client: openai.OpenAI, *messages: Any) -> str:
    return client.chat.completions.create(model=MODEL, messages=list(messages)).choices[0].message.content or ""


@contextmanager
def another_stream(client: openai.OpenAI, rules: ChatModel) -> Iterator[None]:
    """A stream that begins before, and has to come to its end afterwards."""
    gate = rules.close_gate()
    stream = client.chat.completions.create(model=MODEL, messages=[user("hold")], stream=True)
    said = [next(stream).choices[0].delta.content or "", next(stream).choices[0].delta.content or ""]
    yield
    gate.open()
    assert "".join(said + [chunk.choices[0].delta.content or "" for chunk in stream]).split() == ["begin", "end"]


@pytest.mark.parametrize("n", [400, MOST_MESSAGES - 1])
def test_as_many_messages_as_are_taken_are_answered_beside_a_stream(
    client: openai.OpenAI, rules: ChatModel, n: int
) -> None:
    with another_stream(client, rules):
        assert answer_to(client, *[user("y" * 10)] * n, user("say many")) == "many"
        assert len(rules.seen[-1]["input"]) > n


def test_more_messages_are_refused_before_codex_is_asked(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel
) -> None:
    before = chats.loaded_threads()
    with another_stream(client, rules):
        with pytest.raises(openai.BadRequestError) as raised:
            answer_to(client, *[user("y" * 10)] * (MOST_MESSAGES + 1))
        assert (raised.value.code, raised.value.param) == ("array_above_max_length", "messages")
        assert len(chats.loaded_threads()) <= len(before) + 1
    assert len(rules.seen) == 1


def test_a_text_that_is_six_times_as_long_where_it_is_escaped_arrives_whole(
    client: openai.OpenAI, rules: ChatModel
) -> None:
    text = "\u0436" * (12 * 1024 * 1024)
    with another_stream(client, rules):
        assert answer_to(client, user(text), user("say whole")) == "whole"
        assert text in str(rules.seen[-1]["input"])


def test_the_event_loop_goes_on_while_a_large_body_is_understood_and_sent(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel
) -> None:
    worst = [0.0]

    async def tick() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.005)
            worst[0] = max(worst[0], time.thread_time() - began)

    async def start() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(tick())

    messages = [user(f"{n} " + "y" * 1500) for n in range(5000)]
    ticking = chats.run(start())
    try:
        answer_to(client, *messages, user("say big"))
    finally:
        chats.call(ticking.cancel)
    assert worst[0] < 0.3
