"""Bodies of all shapes for a Response, over the real app-server: refused, or answered, and never a failure of ours."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from tests.gateway.openai.test_any_body import FUNCTION, JUNK, N_BODIES, SCHEMA, changed, places_in
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel

RICH: Any = {
    "model": "gpt-5.5",
    "instructions": "i",
    "input": [
        {"role": "system", "content": "s"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say a"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VjcmV0"},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "r"}]},
        {"role": "user", "content": "say hello"},
    ],
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": "auto",
    "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"a": "b"},
    "previous_response_id": None,
    "service_tier": "auto",
    "store": True,
    "prompt_cache_key": "k",
}
ENDS = ("response.completed", "response.incomplete", "response.failed")


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_a_body_of_any_shape_is_answered_or_refused(chats: ChatGateway, rules: ChatModel, *, is_stream: bool) -> None:
    random = Random(13 + is_stream)
    ways = list(places_in(RICH))
    statuses = set()
    with chats.http() as http:
        for _ in range(N_BODIES):
            body = changed({**RICH, "stream": is_stream}, random.choice(ways), random.choice(JUNK))
            answer = http.post("/v1/responses", content=json.dumps(body))
            assert answer.status_code in (200, 400), (answer.text, body)
            statuses.add(answer.status_code)
            if answer.headers["content-type"].startswith("application/json"):
                answer.json()
            else:
                last = json.loads(answer.text.rstrip().rpartition("data: ")[2])
                assert last["type"] in ENDS, (last, body)
    assert statuses == {200, 400}
