"""The official client for node against the gateway, over the real app-server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from codex_server_cli.demo.codex_home import write_chatgpt_login
from codex_server_cli.gateway import http_answers
from tests.gateway.openai.conftest import running
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of, tools_of
from tests.kit.node_clients import NodeClient, NodeClients
from tests.kit.support import codex_binaries, wait_until

pytestmark = pytest.mark.judge

MODEL, LITE = "gpt-5.5", "gpt-6.1-sol"
"""Of the second one all tools are JavaScript, unless their namespace is named in the thread's config."""
WEATHER = 'call get_weather {"city": "Oslo"}'
ADA: Any = {"name": "Ada", "age": 36, "nick": None}


@pytest.fixture(params=[MODEL, LITE])
def client(request: pytest.FixtureRequest, node: NodeClients, chats: ChatGateway, rules: ChatModel) -> NodeClient:
    return NodeClient(node, chats.url, "openai_node", model=request.param)


def numbers_of(usage: dict[str, Any]) -> tuple[int, ...]:
    """Input, of it from the cache, output, of it reasoning, and the whole."""
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    thought = usage["completion_tokens_details"]["reasoning_tokens"]
    return usage["prompt_tokens"], cached, usage["completion_tokens"], thought, usage["total_tokens"]


def keys_of(rules: ChatModel) -> set[str]:
    """The keys of the prompt cache that the model was asked with."""
    return {body["prompt_cache_key"] for body in rules.seen}


def wait_until_nothing_runs(chats: ChatGateway) -> None:
    wait_until(lambda: not chats.loaded_turns(), what="the end of the turn")
    wait_until(lambda: chats.model_connections() == 0, what="the end of the model's connection")


def test_a_chat_is_answered(client: NodeClient, rules: ChatModel) -> None:
    answer = client("chat", "say hello you")
    assert answer["choices"][0]["message"]["content"] == "hello you"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert numbers_of(answer["usage"]) == (100, 40, 20, 5, 120)
    assert conversation_of(rules.seen[0]) == [("developer", "Be terse."), ("user", "say hello you")]


def test_a_stream_brings_the_answer_in_pieces_and_its_usage_where_it_is_wished(client: NodeClient) -> None:
    more = {"stream_options": {"include_usage": True}}
    chunks = client("stream", "say a b c", more=more)["chunks"]
    deltas = [each["choices"][0]["delta"].get("content") for each in chunks if each["choices"]]
    assert deltas == ["", "a", " b", " c", None]
    used = [numbers_of(each["usage"]) for each in chunks if each.get("usage")]
    assert used == [(100, 40, 20, 5, 120)]
    assert all(each["choices"] for each in client("stream", "say a b c")["chunks"])


def test_the_clients_own_reader_of_streams_puts_the_answer_together(client: NodeClient) -> None:
    heard = client("streamHelper", "say a b c")
    assert heard["deltas"] == ["a", " b", " c"]
    assert heard["final"]["choices"][0]["message"]["content"] == "a b c"
    assert numbers_of(heard["usage"]) == (100, 40, 20, 5, 120)


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_a_conversation_with_tools_stays_on_one_thread(
    client: NodeClient, rules: ChatModel, *, is_stream: bool
) -> None:
    text = f'{WEATHER}\ncall get_weather {{"city": "Rome"}}'
    asked, answered, more = (each["choices"][0] for each in client("tools", text, isStream=is_stream)["answers"])
    assert asked["finish_reason"] == "tool_calls"
    calls = [json.loads(call["function"]["arguments"]) for call in asked["message"]["tool_calls"]]
    assert calls == [{"city": "Oslo"}, {"city": "Rome"}]
    assert answered["message"]["content"] == "results: rain in Oslo, rain in Rome"
    assert more["message"]["content"] == "more"
    assert len(rules.seen) == 3
    assert len(keys_of(rules)) == 1
    assert ("client", "get_weather") in tools_of(rules.seen[0])


def test_the_clients_own_loop_of_tools_runs_to_its_end(client: NodeClient, rules: ChatModel) -> None:
    ran = client("runTools", WEATHER)
    assert ran["content"] == "results: rain in Oslo"
    assert ran["called"] == [{"city": "Oslo"}]
    assert ran["roles"] == ["user", "assistant", "tool", "assistant"]
    assert len(keys_of(rules)) == 1


def test_a_tool_that_must_be_called_is_called(client: NodeClient) -> None:
    [choice] = client("namedTool", 'json {"city": "Oslo"}')["choices"]
    [call] = choice["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", {"city": "Oslo"})


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_an_answer_is_parsed_by_a_schema_of_zod(client: NodeClient, rules: ChatModel, *, is_stream: bool) -> None:
    assert client("parse", f"json {json.dumps(ADA)}", isStream=is_stream) == ADA
    form = rules.seen[0]["text"]["format"]
    assert (form["type"], form["strict"]) == ("json_schema", True)
    assert form["schema"]["required"] == ["name", "age", "nick"]


@pytest.mark.parametrize("scenario", ["chat", "stream"])
@pytest.mark.parametrize(
    ("failure", "name", "status", "code"),
    [
        ("usage_limit", "RateLimitError", 429, "usage_limit_reached"),
        ("rate_limited", "RateLimitError", 429, "rate_limit_exceeded"),
        ("unauthorized", "AuthenticationError", 401, "codex_login_required"),
        ("context_window", "BadRequestError", 400, "context_length_exceeded"),
        ("server_error", "InternalServerError", 502, "upstream_error"),
    ],
)
def test_a_failure_of_the_service_is_the_clients_error(
    client: NodeClient, scenario: str, failure: str, name: str, status: int, code: str
) -> None:
    error = client.failure(scenario, f"fail {failure}")
    assert (error["name"], error["status"], error["code"]) == (name, status, code)
    assert error["headers"].get("retry-after") == ("5" if failure == "rate_limited" else None)


def test_a_wrong_request_is_an_error_that_names_the_parameter(client: NodeClient, rules: ChatModel) -> None:
    error = client.failure("chat", "say a", more={"n": 2})
    assert (error["name"], error["status"], error["param"]) == ("BadRequestError", 400, "n")
    assert rules.seen == []


def test_the_client_repeats_nothing_that_is_no_use(client: NodeClient, rules: ChatModel) -> None:
    client.failure("chat", "fail usage_limit", maxRetries=2)
    client.failure("chat", "fail server_error", maxRetries=2)
    assert len(rules.seen) == 2


def test_a_stream_that_breaks_is_an_error_after_what_was_said(client: NodeClient) -> None:
    heard = client("stream", "cut half an answer")
    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in heard["chunks"])
    assert said == "half an answer"
    assert (heard["error"]["name"], heard["error"]["code"]) == ("APIError", "upstream_disconnected")


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_aborts_has_its_turn_interrupted(
    chats: ChatGateway, client: NodeClient, rules: ChatModel, *, is_stream: bool
) -> None:
    gate = rules.close_gate()
    left = client("leave", "hold", isStream=is_stream, leave_after=gate.wait_until_reached)["name"]
    assert left == "APIUserAbortError" or (is_stream and left == "end")
    wait_until_nothing_runs(chats)
    assert len(rules.seen) == 1
    gate.open()


def test_a_loop_over_a_stream_that_is_left_ends_the_model(
    chats: ChatGateway, client: NodeClient, rules: ChatModel
) -> None:
    gate = rules.close_gate()
    client("breakOff", "hold")
    wait_until_nothing_runs(chats)
    gate.open()


def test_a_stream_that_is_kept_alive_is_read_on(
    client: NodeClient, rules: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, sent = rules.close_gate(), http_answers._body

    def counted(data: bytes) -> Any:
        kept_alive.append(data)
        if kept_alive.count(http_answers._KEEP_ALIVE) == 5:
            gate.open()
        return sent(data)

    kept_alive: list[bytes] = []
    monkeypatch.setattr(http_answers, "KEEP_ALIVE_S", 0.01)
    monkeypatch.setattr(http_answers, "_body", counted)
    chunks = client("stream", "hold")["chunks"]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "begin end"


def test_there_are_models_and_each_can_be_asked_for(client: NodeClient) -> None:
    found = client("models")
    assert found["one"]["id"] in found["names"]
    assert "low" in found["one"]["x_codex"]["reasoning_efforts"]


@pytest.fixture(scope="module")
def accounts(node: NodeClients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatGateway]:
    """A gateway whose Codex is in ChatGPT mode."""

    def write_home(home: Any, model: Any) -> None:
        write_chatgpt_login(home, model.origin, features={"plugins": False, "shell_snapshot": False})

    codex = codex_binaries()[0][1]
    yield from running(tmp_path_factory.mktemp("accounts"), codex, write_home=write_home)


def test_an_unknown_model_is_not_found_and_the_error_names_those_that_are(
    accounts: ChatGateway, node: NodeClients
) -> None:
    accounts.rules.forget()
    error = NodeClient(node, accounts.url, "openai_node", model="gpt-4o").failure("chat", "say hello")
    assert (error["name"], error["status"], error["code"]) == ("NotFoundError", 404, "model_not_found")
    assert MODEL in error["message"]
    assert accounts.rules.seen == []
