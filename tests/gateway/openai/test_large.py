"""Conversations that are very long or very large: they are answered or refused, and no other request notices."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import openai
import pytest

from codex_server_cli.core.openai.messages import MOST_MESSAGES
from codex_server_cli.gateway.upstream.connection import UpstreamError
from tests.core.openai.bodies import PNG
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel
from tests.kit.support import wait_until

MODEL = "gpt-5.5"


def user(text: Any) -> Any:
    return {"role": "user", "content": text}


def answer_to(client: openai.OpenAI, *messages: Any) -> str:
    return client.chat.completions.create(model=MODEL, messages=list(messages)).choices[0].message.content or ""


def large_png(size: int) -> bytes:
    """A picture with so many bytes that say nothing."""
    plain = base64.b64decode(PNG.partition(",")[2])
    chunk = b"teXt" + os.urandom(size)
    return plain[:-12] + size.to_bytes(4, "big") + chunk + crc32(chunk).to_bytes(4, "big") + plain[-12:]


class Ticker:
    """Ticks on a loop.

    Attributes:
        worst_s: the most CPU time that the loop has spent between two ticks.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.worst_s = 0.0
        self._loop, self._last_s = loop, float("inf")
        self._handle: asyncio.TimerHandle | None = None

    def tick(self) -> None:
        now_s = time.thread_time()
        self.worst_s, self._last_s = max(self.worst_s, now_s - self._last_s), now_s
        self._handle = self._loop.call_later(0.005, self.tick)

    def stop(self) -> None:
        self.tick()
        if self._handle is not None:
            self._handle.cancel()


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
@pytest.mark.full
@pytest.mark.version_free
def test_as_many_messages_as_are_taken_are_answered_beside_a_stream(
    client: openai.OpenAI, rules: ChatModel, n: int
) -> None:
    with another_stream(client, rules):
        assert answer_to(client, *[user("y" * 10)] * n, user("say many")) == "many"
        assert len(rules.seen[-1]["input"]) > n


@pytest.mark.full
@pytest.mark.version_free
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


@pytest.mark.full
def test_a_message_that_would_end_the_connection_is_refused_and_a_text_is_not_made_longer(
    chats: ChatGateway, rules: ChatModel
) -> None:
    async def body() -> None:
        connection = await chats.gateway.app_server.connect()
        started = await connection.call("thread/start", {"cwd": str(chats.server.home), "ephemeral": True})
        thread_id = started["thread"]["id"]

        async def inject(text: str) -> None:
            items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]
            await connection.call("thread/inject_items", {"threadId": thread_id, "items": items})

        await inject("\u0436" * (12 * 1024 * 1024))  # escaped it would have 72 MiB
        with pytest.raises(UpstreamError, match="too large"):
            await inject("y" * (61 * 1024 * 1024))
        await connection.call("thread/loaded/list", {})
        await connection.close()

    chats.run(body())


@pytest.mark.full
def test_the_event_loop_goes_on_while_a_large_body_is_understood_and_sent(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel
) -> None:
    ticker = Ticker(chats.loop)
    url = f"data:image/png;base64,{base64.b64encode(large_png(8 * 1024 * 1024)).decode()}"
    picture = user([{"type": "image_url", "image_url": {"url": url}}])
    chats.call(ticker.tick)
    try:
        assert answer_to(client, picture, user("say big")) == "big"
    finally:
        chats.call(ticker.stop)
    assert ticker.worst_s < 0.3


def test_what_codex_would_answer_from_a_summary_is_refused(chats: ChatGateway, rules: ChatModel) -> None:
    messages = [user(f"{n} " + "y" * 1500) for n in range(900)]  # 0.163.0 has the model read it, whose window it is
    with chats.client() as client:
        try:
            answer = answer_to(client, *messages, user("say all"))
        except openai.BadRequestError as error:
            refusal = error.code
        else:
            refusal = None
            assert answer == "all"
    assert refusal in (None, "context_length_exceeded")
    wait_until(lambda: not chats.loaded_turns(), what="the end of the turn")
    if refusal:
        rules.forget()
