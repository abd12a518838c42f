"""The tokens of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.answer.usage import ChatUsage
from tests.kit.chat import USAGE, WIRE_USAGE


def test_usage_is_in_the_words_of_openai() -> None:
    usage = ChatUsage()
    assert usage.add("resp-1", WIRE_USAGE)
    assert usage.document == USAGE


def test_several_responses_add_up_and_each_counts_once() -> None:
    usage = ChatUsage()
    assert [usage.add(id_, WIRE_USAGE) for id_ in ("a", "b", "a")] == [True, True, False]
    assert usage.document is not None
    assert usage.document["total_tokens"] == 240


@pytest.mark.parametrize("id_", [None, "", 7])
def test_a_response_without_an_id_is_another_one(id_: Any) -> None:
    usage = ChatUsage()
    assert usage.add(id_, WIRE_USAGE)
    assert usage.add(id_, WIRE_USAGE)


@pytest.mark.parametrize("unknown", [None, "much", [1]])
def test_usage_that_is_not_known_exactly_is_not_given(unknown: Any) -> None:
    usage = ChatUsage()
    assert usage.document is None
    usage.add("a", WIRE_USAGE)
    usage.add("b", unknown)
    assert usage.document is None


def test_a_count_that_is_missing_is_none() -> None:
    usage = ChatUsage()
    usage.add("a", {"inputTokens": 3, "outputTokens": "4", "totalTokens": 7})
    assert usage.document is not None
    assert usage.document["completion_tokens"] == 0
    assert usage.document["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
