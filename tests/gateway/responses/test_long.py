"""Requests that are short, and refer to what is long: their work is done beside the loop, and it has an end."""

from __future__ import annotations

import threading
from typing import Any

import openai
import pytest

from codex_server_cli.core.openai.responses.request import parse_response_request
from codex_server_cli.gateway.responses import create, memory
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel

MODEL = "gpt-5.5"


@pytest.fixture
def on_loop(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each request whether it was understood on the gateway's loop."""
    seen: list[bool] = []

    def noting(*given: Any, **more: Any) -> Any:
        seen.append(threading.current_thread().name == "gateway")
        return parse_response_request(*given, **more)

    monkeypatch.setattr(create, "parse_response_request", noting)
    return seen


@pytest.mark.full
@pytest.mark.version_free
def test_a_short_request_behind_a_long_conversation_is_understood_beside_the_loop(
    client: openai.OpenAI, chats: ChatGateway, rules: ChatModel, on_loop: list[bool]
) -> None:
    short = client.responses.create(model=MODEL, input="say one")
    client.responses.create(model=MODEL, input="say two", previous_response_id=short.id)
    long = client.responses.create(model=MODEL, input=f"{'long ' * 25_000}\nsay one")
    client.responses.create(model=MODEL, input="say two", previous_response_id=long.id)
    (given,) = client.responses.input_items.list(long.id)
    again: Any = [{"type": "item_reference", "id": given.id}]
    assert client.responses.create(model=MODEL, input=again).status == "completed"
    assert on_loop == [True, True, False, False, False]


@pytest.mark.full
@pytest.mark.version_free
def test_a_request_that_refers_to_too_much_is_refused(
    client: openai.OpenAI, chats: ChatGateway, rules: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = client.responses.create(model=MODEL, input=f"{'long ' * 25_000}\nsay one")
    (given,) = client.responses.input_items.list(made.id)
    monkeypatch.setattr(memory.ReferredItems.__init__, "__kwdefaults__", {"most_characters": 1_000_000})
    again: Any = [{"type": "item_reference", "id": given.id}] * 9
    with pytest.raises(openai.APIStatusError) as refused:
        client.responses.create(model=MODEL, input=again)
    assert (refused.value.status_code, refused.value.code, refused.value.param) == (413, "request_too_large", "input")
    assert len(rules.seen) == 1
