"""The official client for node and the stateless responses of the gateway, over the real app-server."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of, tools_of
from tests.kit.node_clients import NodeClient, NodeClients
from tests.kit.support import wait_until

pytestmark = pytest.mark.judge

MODEL = "gpt-6.1-sol"
"""Of its kind all tools are JavaScript, unless their namespace is named in the thread's config."""
CALLS = 'call get_weather {"city": "Oslo"}\ncall get_weather {"city": "Rome"}'
ADA: Any = {"name": "Ada", "age": 36, "nick": None}
_BOTH = pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])


@pytest.fixture
def client(node: NodeClients, chats: ChatGateway, rules: ChatModel) -> NodeClient:
    return NodeClient(node, chats.url, "openai_responses", model=MODEL)


def numbers_of(response: dict[str, Any]) -> tuple[int, ...]:
    """Input, of it from the cache, output, of it reasoning, and the whole."""
    usage = response["usage"]
    cached, thought = usage["input_tokens_details"]["cached_tokens"], usage["output_tokens_details"]["reasoning_tokens"]
    return usage["input_tokens"], cached, usage["output_tokens"], thought, usage["total_tokens"]


def test_a_response_is_created(client: NodeClient, rules: ChatModel) -> None:
    response = client("create", "say hello you")
    assert (response["output_text"], response["status"]) == ("hello you", "completed")
    assert numbers_of(response) == (100, 40, 20, 5, 120)
    assert conversation_of(rules.seen[0]) == [("developer", "Be terse."), ("user", "say hello you")]


def test_a_stream_has_the_events_of_a_response_in_their_order(client: NodeClient) -> None:
    events = client("stream", "say a b")["events"]
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 2,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert all(one["sequence_number"] < two["sequence_number"] for one, two in pairwise(events))
    assert numbers_of(events[-1]["response"]) == (100, 40, 20, 5, 120)


@pytest.mark.parametrize("text", ["say a b c", "think it over"])
def test_the_clients_own_reader_of_streams_puts_the_response_together(client: NodeClient, text: str) -> None:
    heard = client("streamHelper", text, more={"reasoning": {"summary": "auto"}})
    assert "".join(heard["deltas"]) == heard["output_text"] == ("a b c" if text.startswith("say") else "done")
    kinds = [item["type"] for item in heard["final"]["output"]]
    assert kinds == (["message"] if text.startswith("say") else ["reasoning", "message"])


@_BOTH
def test_a_response_is_parsed_by_a_schema_of_zod(client: NodeClient, rules: ChatModel, *, is_stream: bool) -> None:
    assert client("parse", f"json {json.dumps(ADA)}", isStream=is_stream) == ADA
    form = rules.seen[0]["text"]["format"]
    assert (form["type"], form["strict"], form["schema"]["required"]) == ("json_schema", True, ["name", "age", "nick"])


@_BOTH
@pytest.mark.parametrize("is_by_items", [True, False], ids=["items", "id"])
def test_a_conversation_with_tools_stays_on_one_thread(
    client: NodeClient, rules: ChatModel, *, is_by_items: bool, is_stream: bool
) -> None:
    asked, answered, more = client("tools", CALLS, isByItems=is_by_items, isStream=is_stream)["answers"]
    calls = [json.loads(item["arguments"]) for item in asked["output"] if item["type"] == "function_call"]
    assert calls == [{"city": "Oslo"}, {"city": "Rome"}]
    assert answered["output_text"] == "results: rain in Oslo, rain in Rome"
    assert more["output_text"] == "more"
    assert ("client", "get_weather") in tools_of(rules.seen[0])
    assert len(rules.seen) == 3
    assert len({body["prompt_cache_key"] for body in rules.seen}) == 1


@_BOTH
def test_the_clients_own_loop_of_tools_runs_to_its_end(
    client: NodeClient, rules: ChatModel, *, is_stream: bool
) -> None:
    ran = client("runTools", CALLS, isStream=is_stream)
    assert ran == {"called": [{"city": "Oslo"}, {"city": "Rome"}], "output_text": "results: rain in Oslo, rain in Rome"}
    assert len({body["prompt_cache_key"] for body in rules.seen}) == 1


def test_a_conversation_that_is_not_stored_carries_its_reasoning_itself(client: NodeClient, rules: ChatModel) -> None:
    more = {"store": False, "include": ["reasoning.encrypted_content"]}
    asked, answered, _ = client("tools", CALLS, isByItems=True, more=more)["answers"]
    assert [item["encrypted_content"] for item in asked["output"] if item["type"] == "reasoning"] == ["c2VjcmV0"]
    assert answered["output_text"] == "results: rain in Oslo, rain in Rome"
    assert len({body["prompt_cache_key"] for body in rules.seen}) == 1


@pytest.mark.parametrize("scenario", ["create", "stream"])
@pytest.mark.parametrize(
    ("failure", "name", "status", "code"),
    [
        ("usage_limit", "RateLimitError", 429, "usage_limit_reached"),
        ("context_window", "BadRequestError", 400, "context_length_exceeded"),
        ("server_error", "InternalServerError", 502, "upstream_error"),
    ],
)
def test_a_failure_of_the_service_is_the_clients_error(
    client: NodeClient, scenario: str, failure: str, name: str, status: int, code: str
) -> None:
    error = client.failure(scenario, f"fail {failure}")
    assert (error["name"], error["status"], error["code"]) == (name, status, code)


def test_a_stream_that_breaks_says_so_after_what_was_said(client: NodeClient) -> None:
    heard = client("stream", "cut half an answer")
    events = heard["events"]
    assert "".join(event.get("delta", "") for event in events) == "half an answer"
    assert "error" in heard or events[-1]["type"] == "response.failed"


def test_a_response_that_is_not_remembered_cannot_be_continued(client: NodeClient, rules: ChatModel) -> None:
    error = client.failure("create", "say a", more={"previous_response_id": "resp_gone"})
    assert (error["status"], error["code"]) == (400, "previous_response_not_found")
    assert rules.seen == []


def test_an_item_that_is_not_remembered_is_named_with_what_helps(client: NodeClient, rules: ChatModel) -> None:
    error = client.failure("create", more={"input": [{"type": "item_reference", "id": "msg_gone"}]})
    assert (error["status"], error["code"], error["param"]) == (400, "item_not_found", "input[0].id")
    assert "`store: false`" in error["message"]
    assert rules.seen == []


@_BOTH
def test_a_client_that_aborts_has_its_turn_interrupted(
    chats: ChatGateway, client: NodeClient, rules: ChatModel, *, is_stream: bool
) -> None:
    gate = rules.close_gate()
    left = client("leave", "hold", isStream=is_stream, leave_after=gate.wait_until_reached)["name"]
    assert left == "APIUserAbortError" or (is_stream and left == "end")
    wait_until(lambda: not chats.loaded_turns(), what="the end of the turn")
    wait_until(lambda: chats.model_connections() == 0, what="the end of the model's connection")
    assert len(rules.seen) == 1
    gate.open()
