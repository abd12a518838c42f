"""The official client against the gateway, over the real app-server: what it is for."""

from __future__ import annotations

import openai

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of

MODEL = "gpt-5.5"


def test_a_chat_is_answered(client: openai.OpenAI, rules: ChatModel) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "system", "content": "Be terse."}, {"role": "user", "content": "say hello you"}]
    )
    assert answer.choices[0].message.content == "hello you"
    assert answer.choices[0].finish_reason == "stop"
    assert conversation_of(rules.seen[0]) == [("developer", "Be terse."), ("user", "say hello you")]
