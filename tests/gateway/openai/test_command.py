"""Chats of the installed command: its flags, and its end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.conftest import home, initialised, one_home
from tests.kit.chat_model import ChatModel, conversation_of
from tests.kit.home import Home
from tests.kit.serving import Serving
from tests.kit.support import DEADLINE_S, wait_until

__all__ = ["home", "initialised", "one_home"]

WEATHER: Any = {"type": "function", "function": {"name": "get_weather"}}


@pytest.fixture
def told(one_home: Home) -> Iterator[ChatModel]:
    """The model behind the command."""
    rules = ChatModel()
    one_home.model(rules)
    yield rules
    rules.gate.open()


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def client_of(serving: Serving) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{serving.address}/v1", api_key="any", max_retries=0)


def test_flags_reach_the_chats(one_home: Home, told: ChatModel) -> None:
    flags = ("--model-alias", "gpt-4o=gpt-5.5:high", "--strict-params", "--instructions", "codex")
    serving = Serving(one_home, *flags)
    with client_of(serving) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "say a"}])
        assert (answer.model, answer.choices[0].message.content) == ("gpt-4o", "a")
        with pytest.raises(openai.BadRequestError) as raised:
            client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "say a"}], temperature=0.2
            )
    assert raised.value.param == "temperature"
    [body] = told.seen
    assert (body["model"], body["reasoning"]["effort"]) == ("gpt-5.5", "high")
    assert "Codex" in (body.get("instructions") or conversation_of(body)[0][1])
    line = serving.logged(status=200, thread="forked")
    assert line["model"] == "gpt-5.5"


@pytest.mark.full
def test_the_end_of_the_gateway_ends_held_turns_and_streams(one_home: Home, told: ChatModel) -> None:
    gate = told.close_gate()
    serving = Serving(one_home, "--max-streams", "3")
    held = serving.client.post("/v1/chat/completions", json=asked("call get_weather {}", tools=[WEATHER]))
    assert held.json()["choices"][0]["finish_reason"] == "tool_calls"

    has_begun = threading.Semaphore(0)
    response: Any = {"model": "gpt-5.5", "input": "hold", "stream": True}

    def stream(path: str, body: Any) -> list[str]:
        with serving.client.stream("POST", path, json=body) as answer:
            lines: list[str] = []
            for line in answer.iter_lines():
                if not lines:
                    has_begun.release()
                lines += [line] if line else []
            return lines

    def ask() -> httpx.Response:
        return serving.client.post("/v1/chat/completions", json=asked("hold"))

    with ThreadPoolExecutor(4) as pool:
        streamed = pool.submit(stream, "/v1/chat/completions", asked("hold", stream=True))
        responded, whole = pool.submit(stream, "/v1/responses", response), pool.submit(ask)
        wait_until(lambda: serving.metric("streams") == 3, what="all three")
        waiting = pool.submit(ask)
        wait_until(lambda: serving.metric("streams_waiting") == 1, what="the one that waits for a place")
        gate.wait_until_reached()
        assert has_begun.acquire(timeout=DEADLINE_S)
        assert has_begun.acquire(timeout=DEADLINE_S)
        began = time.monotonic()
        serving.process.send_signal(signal.SIGTERM)
        for answer in (whole.result(), waiting.result()):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_stopping")
            assert answer.headers["retry-after"] == "2"
        *_, error, last = streamed.result()
        assert '"gateway_stopping"' in error
        assert last == "data: [DONE]"
        *_, failed, _, named, error = responded.result()
        assert (failed, named) == ("event: response.failed", "event: error")
        assert '"gateway_stopping"' in error
    assert serving.process.wait(60) == 0
    assert time.monotonic() - began < 30
    gate.open()
    wait_until(lambda: not one_home.processes(), what="the end of its app-server")


@pytest.mark.full
def test_a_server_stop_waits_for_no_held_turn_and_its_results_are_answered_all_the_same(
    one_home: Home, told: ChatModel
) -> None:
    serving = Serving(one_home)
    body = asked("call get_weather {}", tools=[WEATHER])
    message = serving.client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]
    first = serving.generation()
    began = time.monotonic()
    stop = one_home.run("server", "stop")
    assert (stop.code, first.is_alive()) == (0, False), stop.stderr
    assert time.monotonic() - began < 30  # of the minute that it would wait
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "rain"}
    body["messages"] += [message, result]
    answer = serving.client.post("/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == "results: rain"
    assert serving.generation().number == first.number + 1
