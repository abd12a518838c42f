"""The documents of a Response: each fits the official client's model, strictly."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses import document
from codex_server_cli.core.openai.responses.document import ResponseHead, response_document
from tests.kit.official import official_response

HEAD = ResponseHead("resp_1", 1_796_024_000, "gpt-6.2-sol")
USAGE = document.usage_document(
    input_tokens=100, output_tokens=20, total_tokens=120, cached=40, cache_write=3, reasoning=5
)
CITED = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://example.com", "title": "x"}
OUTPUT = [
    document.reasoning_item("rs_1", ["one", "two"], encrypted_content="c2VjcmV0"),
    document.reasoning_item("rs_2", [], status="in_progress"),
    document.message_item("msg_1", "I look.", phase="commentary"),
    document.message_item("msg_2", "Hi", annotations=[CITED]),
    document.message_of_parts("msg_3", [document.refusal_part("No.")], status="incomplete", phase="final_answer"),
    document.call_item("fc_1", "call_1", "get_weather", '{"city":"Oslo"}'),
]


def test_a_response_of_every_kind_of_item_fits_the_official_model() -> None:
    whole = response_document(HEAD, status="completed", output=OUTPUT, usage=USAGE, completed_at=1_796_024_001)
    response = official_response(whole)
    assert response.status == "completed"
    assert response.output_text == "I look.Hi"
    assert [item.type for item in response.output] == [item["type"] for item in OUTPUT]
    assert [item.to_dict() for item in response.output] == OUTPUT
    assert response.usage is not None
    assert response.usage.to_dict() == USAGE
    assert response.completed_at == 1_796_024_001


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"])
def test_a_response_of_every_status_fits_it(status: Any) -> None:
    response = official_response(response_document(HEAD, status=status, output=[], usage=None, background=True))
    assert response.status == status
    assert response.background is True


def test_what_a_response_repeats_goes_before_the_defaults() -> None:
    head = HEAD._replace(echoed={"metadata": {"a": "b"}, "tool_choice": "required", "store": False})
    whole = response_document(head, status="completed", output=[], usage=None, previous_response_id="resp_0")
    response = official_response(whole)
    assert response.metadata == {"a": "b"}
    assert response.tool_choice == "required"
    assert response.previous_response_id == "resp_0"
    assert response.tools == []
    assert whole["store"] is False


def test_a_response_that_ended_early_says_why() -> None:
    details = document.incomplete("max_output_tokens")
    whole = response_document(HEAD, status="incomplete", output=[], usage=None, incomplete_details=details)
    response = official_response(whole)
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("usage_limit_reached", "rate_limit_exceeded"),
        ("content_policy_violation", "invalid_prompt"),
        ("upstream_error", "server_error"),
        (None, "server_error"),
    ],
)
def test_an_error_has_one_of_the_codes_that_the_official_model_knows(code: str | None, shown: str) -> None:
    error = document.response_error(ApiError(500, "It broke.", type="server_error", code=code))
    response = official_response(response_document(HEAD, status="failed", output=[], usage=None, error=error))
    assert response.error is not None
    assert (response.error.code, response.error.message) == (shown, "It broke.")
