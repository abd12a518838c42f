"""Bodies of `POST /v1/responses` of all shapes: understood, or refused with an error for their client."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hypothesis import given

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.document import ResponseHead, response_document
from codex_server_cli.core.openai.responses.items import shown_input
from codex_server_cli.core.openai.responses.request import Remembered, ResponsesRequest, parse_response_request
from tests.core.openai.bodies import PNG, call_item, message
from tests.core.openai.test_chat_request import ROOT, VALUES, check_everything_made_of, variants
from tests.kit.cases import examples, for_each
from tests.kit.official import official_item, official_response

TEXT: Any = {"type": "input_text", "text": "q"}
RICH: Any = {
    "model": "a:high",
    "instructions": "i",
    "input": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [TEXT, {"type": "input_image", "image_url": PNG, "detail": "auto"}]},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "e"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "a"}],
            "phase": "commentary",
        },
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": [TEXT]},
        {"type": "item_reference", "id": "msg_1"},
    ],
    "tools": [
        {"type": "function", "name": "look", "parameters": ROOT, "strict": True},
        {"type": "function", "name": "wait"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": ROOT, "strict": False}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto", "generate_summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"a": "b"},
    "stream": True,
    "stream_options": {"include_obfuscation": True},
    "service_tier": "flex",
    "store": False,
    "user": "eve",
    "previous_response_id": "resp_0",
}
NAMED: Any = {**RICH, "tool_choice": {"type": "function", "name": "look"}, "text": {"format": {"type": "json_object"}}}
BEFORE = Remembered(
    (message("user", "before"), call_item("c0")), {"msg_1": {"type": "message", **message("user", "x")}}.get
)


def check(body: Any, *, is_strict: bool = False, is_shown: bool = True) -> ResponsesRequest | ApiError:
    """Parse a body; whatever is made of one that is understood must be sound, too.

    Args:
        is_shown: whether what is shown of it is looked at, which takes longer.
    """
    try:
        asked = parse_response_request(body, aliases={"a": "b:high"}, is_strict=is_strict, remembered=BEFORE)
    except ApiError as error:
        return error
    check_everything_made_of(asked.chat)
    if not is_shown:
        return asked
    whole = response_document(ResponseHead("r", 1, "m", asked.echoed), status="completed", output=[], usage=None)
    official_response(whole)
    for item in shown_input(asked.items, "x"):
        official_item(item)
    return asked


@for_each("body", [RICH, NAMED])
def test_no_value_in_any_place_raises_anything_but_an_error_for_its_client(body: Any) -> None:
    assert isinstance(check(body), ResponsesRequest)
    asked = [
        check(changed, is_shown=number % 5 == 0) for number, changed in enumerate(islice(variants(body), 0, None, 5))
    ]
    assert {type(each) for each in asked} == {ApiError, ResponsesRequest}
    assert {each.status for each in asked if isinstance(each, ApiError)} == {400}


@examples(100)
@given(body=VALUES, other=VALUES)
def test_no_body_raises_anything_but_an_error_for_its_client(body: Any, other: Any) -> None:
    for each in (body, {"input": body}, {"input": [other]}, {**RICH, "text": other, "tools": [body]}):
        check(each)
        check(each, is_strict=True)
