"""A thread of a chat is lean, has no environment, and offers the client's tools by name; its turn has no input."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.thread_terms import LEAN, thread_fork, thread_start, turn_start
from tests.core.openai.bodies import request, tool

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PLAIN: dict[str, Any] = {
    "ephemeral": True,
    "cwd": "/empty",
    "sandbox": "read-only",
    "approvalPolicy": "never",
    "environments": [],
    "config": dict(LEAN),
    "experimentalRawEvents": True,
    "baseInstructions": "",
}


def test_a_plain_request_starts_a_thread_that_can_do_nothing() -> None:
    assert thread_start(request(), cwd="/empty", instructions="client") == PLAIN
    assert turn_start(request(), "t") == {"threadId": "t", "input": [], "environments": []}


def test_codexs_own_instructions_stay_where_that_is_asked_for() -> None:
    start = thread_start(request(), cwd="/empty", instructions="codex")
    assert {**start, "baseInstructions": ""} == PLAIN
    assert "baseInstructions" not in start


def test_the_model_and_the_verbosity_are_the_threads() -> None:
    start = thread_start(request(model="gpt-6.2-sol", verbosity="low"), cwd="/empty", instructions="client")
    assert start == {**PLAIN, "model": "gpt-6.2-sol", "config": {**LEAN, "model_verbosity": "low"}}
    assert "model_verbosity" not in LEAN


def test_a_fork_is_the_same_but_for_what_a_fork_cannot_be_told() -> None:
    asked = request(model="gpt-6.2-sol", verbosity="low")
    start = thread_start(asked, cwd="/empty", instructions="client")
    fork = thread_fork(asked, anchor="a", path="/f.jsonl", cwd="/empty", instructions="client")
    assert fork.keys() - start.keys() == {"threadId", "path", "excludeTurns"}
    assert start.keys() - fork.keys() == {"environments", "experimentalRawEvents"}
    assert {name: start[name] for name in start.keys() & fork.keys()}.items() <= fork.items()
    assert (fork["threadId"], fork["path"], fork["ephemeral"]) == ("a", "/f.jsonl", True)


def test_tools_are_functions_of_the_namespace_that_is_offered_directly() -> None:
    asked = request(tools=[tool("look", CITY, description="Look."), tool("wait")])
    (space,) = thread_start(asked, cwd="/empty", instructions="client")["dynamicTools"]
    assert (space["type"], space["name"]) == ("namespace", "client")
    assert space["tools"] == [
        {"type": "function", "name": "look", "description": "Look.", "inputSchema": CITY},
        {"type": "function", "name": "wait", "description": "", "inputSchema": {"type": "object", "properties": {}}},
    ]
    assert LEAN["features.code_mode"]["direct_only_tool_namespaces"] == ["client"]


def test_effort_summary_schema_and_tier_are_the_turns() -> None:
    format_ = {"type": "json_schema", "json_schema": {"strict": True, "schema": CITY}}
    asked = request(
        reasoning={"effort": "high", "summary": "auto"}, response_format=format_, service_tier="fast", verbosity="low"
    )
    assert turn_start(asked, "t") == {
        "threadId": "t",
        "input": [],
        "environments": [],
        "effort": "high",
        "summary": "auto",
        "outputSchema": CITY,
        "serviceTierForTurn": "priority",
    }


def test_an_empty_schema_is_sent_for_its_author_to_be_told() -> None:
    format_ = {"type": "json_schema", "json_schema": {"strict": True, "schema": {}}}
    assert turn_start(request(response_format=format_), "t")["outputSchema"] == {}
