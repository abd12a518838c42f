"""The AI SDK against the gateway, over the real app-server: its provider for compatible services, and OpenAI's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of, tools_of
from tests.kit.node_clients import NodeClient, NodeClients
from tests.kit.support import wait_until

pytestmark = pytest.mark.judge

LITE = "gpt-6.1-sol"
"""Of its kind all tools are JavaScript, unless their namespace is named in the thread's config."""
CALLS = 'call get_weather {"city": "Oslo"}\ncall get_weather {"city": "Rome"}'
ADA: Any = {"name": "Ada", "age": 36, "nick": None}
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(params=["compatible", "chat", "responses"])
def provider(request: pytest.FixtureRequest) -> str:
    """`@ai-sdk/openai-compatible`; of `@ai-sdk/openai` `openai.chat(…)`, and its default, which asks for responses."""
    name: str = request.param
    return name


@pytest.fixture
def sdk(provider: str, node: NodeClients, chats: ChatGateway, rules: ChatModel) -> NodeClient:
    return NodeClient(node, chats.url, "ai_sdk", provider=provider, model=LITE)


def keys_of(rules: ChatModel) -> set[str]:
    """The keys of the prompt cache that the model was asked with."""
    return {body["prompt_cache_key"] for body in rules.seen}


def numbers_of(usage: dict[str, Any]) -> tuple[int, ...]:
    """Input, of it from the cache, output, of it reasoning, and the whole."""
    cached, thought = usage["inputTokenDetails"]["cacheReadTokens"], usage["outputTokenDetails"]["reasoningTokens"]
    return usage["inputTokens"], cached, usage["outputTokens"], thought, usage["totalTokens"]


def test_a_text_is_generated(sdk: NodeClient, rules: ChatModel) -> None:
    result = sdk("generate", "say hello you")
    assert (result["text"], result["finishReason"], result["warnings"]) == ("hello you", "stop", [])
    assert numbers_of(result["usage"]) == (100, 40, 20, 5, 120)
    assert conversation_of(rules.seen[0]) == [("developer", "Be terse."), ("user", "say hello you")]


def test_a_text_is_streamed(sdk: NodeClient) -> None:
    result = sdk("stream", "say a b c")
    assert (result["text"], result["finishReason"]) == (["a", " b", " c"], "stop")
    assert numbers_of(result["usage"]) == (100, 40, 20, 5, 120)
    assert "error" not in result


def test_thoughts_are_reasoning_where_the_provider_reads_them(sdk: NodeClient, provider: str) -> None:
    whole, streamed = sdk("generate", "think it over"), sdk("stream", "think it over")
    assert (whole["text"], streamed["text"]) == ("done", ["done"])
    if provider != "chat":
        assert (whole["reasoningText"], streamed["reasoning"]) == ("it over", ["it over"])


def test_settings_reach_the_model_or_are_named_in_a_header(sdk: NodeClient, rules: ChatModel, provider: str) -> None:
    result = sdk("generate", "say a", more={"reasoning": "high", "maxOutputTokens": 100})
    assert rules.seen[0]["reasoning"]["effort"] == "high"
    ignored = {"compatible": "max_tokens", "chat": "max_completion_tokens", "responses": "max_output_tokens"}
    assert result["headers"]["x-codex-ignored"] == ignored[provider]


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_steps_with_tools_stay_on_one_thread(sdk: NodeClient, rules: ChatModel, *, is_stream: bool) -> None:
    result = sdk("steps", CALLS, isStream=is_stream)
    assert result["text"] == "results: rain in Oslo, rain in Rome"
    assert sorted(result["called"]) == ["Oslo", "Rome"]
    assert result["finishReasons"] == ["tool-calls", "stop"]
    assert numbers_of(result["usage"]) == (200, 80, 40, 10, 240)
    assert ("client", "get_weather") in tools_of(rules.seen[0])
    assert len(rules.seen) == 2
    assert len(keys_of(rules)) == 1


@pytest.mark.parametrize("first", ["say one", "think one"])
def test_a_conversation_stays_on_one_thread(sdk: NodeClient, rules: ChatModel, first: str) -> None:
    assert sdk("conversation", prompts=[first, "say two"])[1] == "two"
    assert len(rules.seen) == 2
    assert len(keys_of(rules)) == 1


def test_a_conversation_that_is_not_stored_stays_on_one_thread(
    node: NodeClients, chats: ChatGateway, rules: ChatModel
) -> None:
    sdk = NodeClient(node, chats.url, "ai_sdk", provider="responses", model=LITE)
    more = {"providerOptions": {"openai": {"store": False}}}
    assert sdk("conversation", prompts=["think one", "say two"], more=more) == ["done", "two"]
    assert sdk("steps", CALLS, more=more)["text"] == "results: rain in Oslo, rain in Rome"
    assert len(rules.seen) == 4
    assert len(keys_of(rules)) == 2


@pytest.mark.parametrize(
    ("scenario", "more"),
    [("structured", {}), ("structured", {"isStream": True}), ("object", {})],
    ids=["output", "streamed output", "generateObject"],
)
def test_an_object_is_generated_by_a_schema(sdk: NodeClient, rules: ChatModel, scenario: str, more: Any) -> None:
    assert sdk(scenario, f"json {json.dumps(ADA)}", **more) == ADA
    form = rules.seen[0]["text"]["format"]
    assert (form["type"], form["strict"]) == ("json_schema", True)
    assert form["schema"]["required"] == ["name", "age", "nick"]


def test_a_picture_reaches_the_model(sdk: NodeClient, rules: ChatModel) -> None:
    assert sdk("picture", "say dot", data=DOT) == "dot"
    parts = [part["type"] for part in rules.seen[0]["input"][-1]["content"]]
    assert parts == ["input_text", "input_image"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [("usage_limit", 429, "usage_limit_reached"), ("context_window", 400, "context_length_exceeded")],
)
def test_a_failure_of_the_service_is_an_error_with_its_status(
    sdk: NodeClient, failure: str, status: int, code: str
) -> None:
    error = sdk.failure("generate", f"fail {failure}")
    assert (error["name"], error["status"], error["code"]) == ("APICallError", status, code)
    streamed = sdk("stream", f"fail {failure}")
    assert streamed["types"] == ["start", "error"]
    assert (streamed["error"]["statusCode"], streamed["error"]["data"]["error"]["code"]) == (status, code)


def test_a_stream_that_breaks_is_an_error_after_what_was_said(sdk: NodeClient, provider: str) -> None:
    result = sdk("stream", "cut half an answer")
    assert "".join(result["text"]) == "half an answer"
    # The codes of a response that failed are a closed list of OpenAI's.
    assert result["error"]["code"] == ("server_error" if provider == "responses" else "upstream_disconnected")


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_an_abort_interrupts_the_turn(
    chats: ChatGateway, sdk: NodeClient, rules: ChatModel, *, is_stream: bool
) -> None:
    gate = rules.close_gate()
    left = sdk("leave", "hold", isStream=is_stream, leave_after=gate.wait_until_reached)
    assert left[-1] == ("abort" if is_stream else "AbortError")
    wait_until(lambda: not chats.loaded_turns(), what="the end of the turn")
    wait_until(lambda: chats.model_connections() == 0, what="the end of the model's connection")
    assert len(rules.seen) == 1
    gate.open()
