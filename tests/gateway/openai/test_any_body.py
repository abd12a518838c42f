"""Bodies of all shapes over the real app-server: refused, or answered, and never a failure of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel

FUNCTION: Any = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
SCHEMA: Any = {"type": "object", "properties": {"x": {"type": "integer"}}}
RICH: Any = {
    "model": "gpt-5.5",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "say a"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": FUNCTION}]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "user", "content": "say hello"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
    "stop": ["zz"],
    "reasoning_effort": "low",
    "verbosity": "low",
    "service_tier": "auto",
    "prompt_cache_key": "k",
}
JUNK: list[Any] = [None, True, 0, -1, 1e300, "", "x", "\ud800", "a\0b", [], {}, [None], {"type": "x"}, [{}], "y" * 9999]
N_BODIES = 60


def places_in(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from places_in(each, (*way, key))


def changed(body: Any, way: tuple[Any, ...], junk: Any) -> Any:
    if not way:
        return junk
    copy = json.loads(json.dumps(body))
    inner = copy
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = junk
    return copy


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
@pytest.mark.version_free
def test_a_body_of_any_shape_is_answered_or_refused(chats: ChatGateway, rules: ChatModel, *, is_stream: bool) -> None:
    random = Random(12 + is_stream)
    ways = list(places_in(RICH))
    statuses = set()
    with chats.http() as http:
        for _ in range(N_BODIES):
            body = changed({**RICH, "stream": is_stream}, random.choice(ways), random.choice(JUNK))
            answer = http.post("/v1/chat/completions", content=json.dumps(body))
            assert answer.status_code in (200, 400), (answer.text, body)
            statuses.add(answer.status_code)
            if answer.headers["content-type"].startswith("application/json"):
                answer.json()
            else:
                assert answer.text.endswith("data: [DONE]\n\n")
    assert statuses == {200, 400}
