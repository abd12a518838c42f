"""One scenario of each client for node, for the full run; and the recipes of the manual, as a judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.openai.conftest import running
from tests.kit.chat_gateway import ChatGateway
from tests.kit.node_clients import NodeClient, NodeClients
from tests.kit.support import codex_binaries

DEFAULT_URL = "http://127.0.0.1:8787"
MODEL = "gpt-6.1-sol"
WEATHER = 'call get_weather {"city": "Oslo"}'


@pytest.fixture(scope="module", params=[path for _, path in codex_binaries()[:1]], ids=["codex"])
def chats(
    node: NodeClients, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChatGateway]:
    """The gateway, over one codex."""
    yield from running(tmp_path_factory.mktemp("chats"), request.param)


@pytest.mark.full
def test_a_tool_is_called_and_answered_with_each_client_for_node(chats: ChatGateway, node: NodeClients) -> None:
    chats.rules.forget()
    client = NodeClient(node, chats.url, "openai_node", model=MODEL)
    assert client("runTools", WEATHER)["content"] == "results: rain in Oslo"
    responses = NodeClient(node, chats.url, "openai_responses", model=MODEL)
    assert responses("runTools", WEATHER)["output_text"] == "results: rain in Oslo"
    for provider in ("compatible", "chat", "responses"):
        sdk = NodeClient(node, chats.url, "ai_sdk", model=MODEL, provider=provider)
        assert sdk("steps", WEATHER, isStream=True)["text"] == "results: rain in Oslo"
    assert len(chats.rules.seen) == 10
    assert chats.rules.problems == []


@pytest.mark.judge
def test_the_manuals_recipes_for_node_answer_as_they_stand(chats: ChatGateway, node: NodeClients) -> None:
    manual = (Path(__file__).parents[3] / "references" / "gateway.md").read_text()
    recipes = [
        found.replace(DEFAULT_URL, chats.url) for found in re.findall(r"^```js\n(.*?)^```$", manual, re.M | re.S)
    ]
    assert len(recipes) == 3
    for recipe in recipes:
        assert node.run(recipe) == "echo: Say hello."
