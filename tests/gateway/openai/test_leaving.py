"""A client that leaves: its turn is interrupted, in both modes and at every moment, and nothing else happens."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

import openai
import pytest

from codex_server_cli.gateway.upstream.connection import UpstreamConnection
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel
from tests.kit.support import DEADLINE_S, wait_until

MODEL = "gpt-5.5"


def wait_until_nothing_runs(chats: ChatGateway) -> None:
    wait_until(lambda: not chats.loaded_turns(), what="the end of the turn")
    wait_until(lambda: chats.model_connections() == 0, what="the end of the model's connection")


def leave(chats: ChatGateway, body: dict[str, Any]) -> socket.socket:
    """Send a request over a bare socket, which the caller closes."""
    sock = socket.create_connection(("127.0.0.1", int(chats.url.rpartition(":")[2])))
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    sock.sendall(head.encode() + data)
    return sock


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_the_turn_of_a_client_that_leaves_is_interrupted(
    chats: ChatGateway, rules: ChatModel, *, is_stream: bool
) -> None:
    gate = rules.close_gate()
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "hold"}], "stream": is_stream}
    with leave(chats, asked):
        gate.wait_until_reached()
        wait_until(lambda: chats.model_connections() == 1, what="the model's connection")
    wait_until_nothing_runs(chats)
    assert len(rules.seen) == 1
    assert len(chats.state.threads) == 0
    gate.open()


def test_closing_a_stream_ends_the_model(chats: ChatGateway, client: openai.OpenAI, rules: ChatModel) -> None:
    gate = rules.close_gate()
    stream = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hold"}], stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    assert chats.model_connections() == 1
    stream.close()
    wait_until_nothing_runs(chats)
    gate.open()


STAGES = ("config/read", "thread/fork", "thread/start", "thread/inject_items", "turn/start")


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("is_answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.full
@pytest.mark.version_free
def test_leaving_at_any_stage_leaves_nothing_running(
    chats: ChatGateway,
    rules: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    *,
    is_answered: bool,
    is_stream: bool,
) -> None:
    chats.call(chats.state.threads.clear)
    is_there = threading.Event()
    call = UpstreamConnection.call

    async def until_it_has_left() -> None:
        is_there.set()
        await asyncio.to_thread(wait_until, lambda: chats.n_streams() == (0, 0), what="that its place is free")

    async def watched(self: UpstreamConnection, method: str, params: dict[str, Any], **more: Any) -> Any:
        if method == stage and not is_answered:
            await until_it_has_left()
        reply = await call(self, method, params, **more)
        if method == stage and is_answered:
            await until_it_has_left()
        return reply

    monkeypatch.setattr(UpstreamConnection, "call", watched)
    gate = rules.close_gate()
    tools = [{"type": "function", "function": {"name": "f"}}] if stage == "thread/start" else []
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "hold"}], "tools": tools, "stream": is_stream}
    with leave(chats, asked):
        assert is_there.wait(DEADLINE_S)
    wait_until(lambda: chats.loaded_threads() == [], what="the end of the thread")
    assert chats.model_connections() == 0
    gate.open()


def test_a_client_that_waits_for_a_place_may_leave(chats: ChatGateway, rules: ChatModel) -> None:
    gate = rules.close_gate()
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "hold"}]}
    running = [leave(chats, asked) for _ in range(64)]
    wait_until(lambda: chats.n_streams() == (64, 0), what="all places taken")
    with leave(chats, asked):
        wait_until(lambda: chats.n_streams() == (64, 1), what="one that waits")
    wait_until(lambda: chats.n_streams() == (64, 0), what="that it is gone")
    for sock in running:
        sock.close()
    wait_until_nothing_runs(chats)
    gate.open()


@pytest.mark.full
def test_others_are_not_disturbed(chats: ChatGateway, client: openai.OpenAI, rules: ChatModel) -> None:
    gate = rules.close_gate()
    answers: list[str | None] = []

    def ask() -> None:
        answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hold"}])
        answers.append(answer.choices[0].message.content)

    thread = threading.Thread(target=ask)
    thread.start()
    gate.wait_until_reached()
    with leave(chats, {"model": MODEL, "messages": [{"role": "user", "content": "hold"}]}):
        wait_until(lambda: chats.model_connections() == 2, what="the second connection")
    wait_until(lambda: chats.model_connections() == 1, what="the end of the second connection")
    gate.open()
    thread.join()
    assert answers == ["begin end"]
