"""Remembered responses by the official client, and what is said of those that are not."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of
from tests.kit.official import official_response

MODEL = "gpt-5.5"


def test_a_response_is_read_listed_and_forgotten(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "system", "content": "one"}, {"role": "user", "content": "say two"}]
    made = client.responses.create(model=MODEL, input=asked)
    assert official_response(client.responses.retrieve(made.id).to_dict()).to_dict() == made.to_dict()
    first, second = client.responses.input_items.list(made.id, order="asc")
    assert [each.role for each in (first, second)] == ["developer", "user"]  # type: ignore[union-attr]
    listed = [item.id for item in client.responses.input_items.list(made.id, limit=1)]
    assert listed == [second.id, first.id]
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.retrieve(made.id)
    assert gone.value.code == "response_not_found"
    with pytest.raises(openai.BadRequestError) as unknown:
        client.responses.create(model=MODEL, input="say x", previous_response_id=made.id)
    assert (unknown.value.code, unknown.value.param) == ("previous_response_not_found", "previous_response_id")


def test_an_item_may_be_referred_to_by_its_id(client: openai.OpenAI, rules: ChatModel) -> None:
    made = client.responses.create(model=MODEL, input="say one")
    reference: Any = {"type": "item_reference", "id": made.output[0].id}
    asked: Any = [{"role": "user", "content": "say one"}, reference, {"role": "user", "content": "say two"}]
    assert client.responses.create(model=MODEL, input=asked).output_text == "two"
    assert conversation_of(rules.seen[1]) == [("user", "say one"), ("assistant", "one"), ("user", "say two")]
    assert rules.seen[0]["prompt_cache_key"] == rules.seen[1]["prompt_cache_key"]


def test_instructions_do_not_go_on_with_the_conversation(client: openai.OpenAI, rules: ChatModel) -> None:
    made = client.responses.create(model=MODEL, instructions="First.", input="say one")
    client.responses.create(model=MODEL, instructions="Second.", input="say two", previous_response_id=made.id)
    expected = [("developer", "Second."), ("user", "say one"), ("assistant", "one"), ("user", "say two")]
    assert conversation_of(rules.seen[1]) == expected


def test_what_cannot_be_done_with_a_response_is_said(client: openai.OpenAI, chats: ChatGateway) -> None:
    made = client.responses.create(model=MODEL, input="say one")
    with pytest.raises(openai.BadRequestError, match="Only background responses can be cancelled"):
        client.responses.cancel(made.id)
    with pytest.raises(openai.BadRequestError, match="Only a background response"):
        client.responses.retrieve(made.id, stream=True)
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_0")
    with chats.http() as http:
        path = f"/v1/responses/{made.id}/input_items"
        for query in ("order=up", "limit=0", "limit=101", "limit=x", "after=msg_0"):
            refused = http.get(f"{path}?{query}")
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, query.partition("=")[0])
        last = http.get(path).json()["last_id"]
        empty: Any = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        assert http.get(f"{path}?after={last}").json() == empty
        assert http.delete("/responses/resp_0").status_code == 404
        assert http.post("/v1/responses/input_tokens", json={}).status_code == 405
        for method in ("PUT", "POST"):
            refused = http.request(method, f"/v1/responses/{made.id}")
            assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET, HEAD")
