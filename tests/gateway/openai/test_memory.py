"""The memory of the gateway does not grow with what it has answered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.gateway.conftest import home, initialised, one_home
from tests.kit.chat_model import ChatModel
from tests.kit.home import Home
from tests.kit.serving import Serving

__all__ = ["home", "initialised", "one_home"]

pytestmark = [pytest.mark.judge, pytest.mark.alone]

STREAMS = 500
WARM, WARM_AT_ONCE = 1500, 16
"""Before the first look: its threads are as many as are kept, and Python has collected its rings of garbage once, which
it lets grow for hundreds of requests."""
MOST_GROWN_BYTES = 4_000_000


def test_five_hundred_streams_in_turn_each_have_their_own_text_and_leave_nothing(one_home: Home) -> None:
    rules = ChatModel()
    one_home.model(rules)
    serving = Serving(one_home)
    with openai.OpenAI(base_url=f"{serving.address}/v1", api_key="any", max_retries=0) as client:

        def ask(number: int) -> None:
            words = " ".join(f"{number}.{word}" for word in range(60))
            message: Any = {"role": "user", "content": f"say {words}"}
            stream = client.chat.completions.create(model="gpt-5.5", messages=[message], stream=True)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == words

        with ThreadPoolExecutor(WARM_AT_ONCE) as pool:
            list(pool.map(ask, range(WARM)))
        before = serving.memory_bytes
        for number in range(WARM, WARM + STREAMS):
            ask(number)
        assert serving.memory_bytes - before < MOST_GROWN_BYTES
    assert rules.problems == []
