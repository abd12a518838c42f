"""The documents of a chat completion, exactly."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.openai.answer.outputs import Calls, Cited, Failed, Finish, Interrupt, Output, Text, Thought
from codex_server_cli.core.openai.chat_chunks import ChatHead, ChunkWriter, completion, error_document
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.openai.tools import ClientCall
from tests.kit.chat import (
    USAGE,
    ChatDialogue,
    chat_request,
    content_in,
    raw_call,
    response_completed,
)
from tests.kit.dialogue import COMPLETED, STARTED, said

HEAD = ChatHead("chatcmpl-1", 1_796_024_000, "gpt-6.2-sol")
OSLO = ClientCall("call_1", "get_weather", '{"city": "Oslo"}')
ROME = ClientCall("call_2", "get_time", '{"city": "Rome"}')
COMMON = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_796_024_000, "model": "gpt-6.2-sol"}


def stream(*outputs: Output, **terms: Any) -> list[Any]:
    """The documents of the events; `[DONE]` as text."""
    writer = ChunkWriter(HEAD, chat_request(**terms))
    events = b"".join(writer.write(output) for output in outputs).decode().split("\n\n")
    assert events.pop() == ""
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    data = [event.removeprefix("data: ") for event in events]
    return [text if text == "[DONE]" else json.loads(text) for text in data]


def with_delta(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk."""
    return {**COMMON, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


ROLE = with_delta({"role": "assistant", "content": ""})


def test_a_stream_of_text() -> None:
    assert stream(Thought("hm"), Text("Hel"), Text("lo"), Finish("stop", USAGE)) == [
        ROLE,
        with_delta({"reasoning_content": "hm"}),
        with_delta({"content": "Hel"}),
        with_delta({"content": "lo"}),
        with_delta({}, "stop"),
        "[DONE]",
    ]


def test_a_stream_of_calls_has_each_whole_and_counted() -> None:
    assert stream(Calls((OSLO, ROME)), Finish("tool_calls", None)) == [
        ROLE,
        *(
            with_delta(
                {
                    "tool_calls": [
                        {
                            "index": index,
                            "id": call.id,
                            "type": "function",
                            "function": {"name": call.name, "arguments": call.arguments},
                        }
                    ]
                }
            )
            for index, call in enumerate((OSLO, ROME))
        ),
        with_delta({}, "tool_calls"),
        "[DONE]",
    ]


def test_a_legacy_client_gets_a_function_call() -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    assert stream(Calls((OSLO,)), Finish("function_call", None), uses_functions=True) == [
        ROLE,
        with_delta({"function_call": function}),
        with_delta({}, "function_call"),
        "[DONE]",
    ]


def test_usage_is_a_chunk_of_its_own_where_it_was_asked_for_and_is_known() -> None:
    asked = stream(Text("a"), Finish("stop", USAGE), has_usage_chunk=True)
    assert asked[0] == {**ROLE, "usage": None}
    assert asked[-3:] == [with_delta({}, "stop", usage=None), {**COMMON, "choices": [], "usage": USAGE}, "[DONE]"]
    unknown = stream(Finish("length", None), has_usage_chunk=True)
    assert unknown == [{**ROLE, "usage": None}, with_delta({}, "length", usage=None), "[DONE]"]


def test_a_stream_that_fails_ends_in_an_error_without_a_finish_reason() -> None:
    error = ApiError(502, "gone", type="server_error", code="upstream_error", param="model")
    document = {"error": {"message": "gone", "type": "server_error", "param": "model", "code": "upstream_error"}}
    assert error_document(error) == document
    assert stream(Text("a"), Failed(error)) == [ROLE, with_delta({"content": "a"}), document, "[DONE]"]


def test_citations_come_with_a_delta_and_what_is_for_others_is_nothing_to_see() -> None:
    assert stream(Interrupt(), StreamEvent("response.created", {})) == []
    assert stream(Cited(({"type": "url_citation"},)))[1:] == [with_delta({"annotations": [{"type": "url_citation"}]})]


def test_the_first_chunk_may_be_sent_before_there_is_anything_to_say() -> None:
    writer = ChunkWriter(HEAD, chat_request())
    assert json.loads(writer.begin().removeprefix(b"data: ")) == ROLE
    assert writer.begin() == b""
    assert json.loads(writer.write(Text("a")).removeprefix(b"data: ")) == with_delta({"content": "a"})


def test_any_text_is_ascii_on_the_wire_even_half_a_character() -> None:
    writer = ChunkWriter(HEAD, chat_request())
    assert writer.write(Text("ö🙂\u2028\ud83d")).isascii()


# --- the whole answer


def answered(*messages: Any, **terms: Any) -> dict[str, Any]:
    """The document of a plain answer."""
    dialogue = ChatDialogue(is_stream=False, **terms).receive(STARTED, *messages)
    return completion(HEAD, content_in(dialogue.run), dialogue.run)


def test_an_answer_of_text() -> None:
    document = answered(*said("Hello there"), response_completed(), COMPLETED)
    assert document == {
        **COMMON,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


def test_an_answer_of_calls_has_no_content_and_one_of_nothing_has_empty_content() -> None:
    calls = [raw_call("call_1", "get_weather", OSLO.arguments), raw_call("call_2", "get_time", ROME.arguments)]
    document = answered(*calls, response_completed(usage=None))
    assert "usage" not in document
    choice = document["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in (OSLO, ROME)
        ],
    }
    assert answered(COMPLETED)["choices"][0]["message"]["content"] == ""


def test_a_legacy_answer_and_one_with_thoughts() -> None:
    call = raw_call("call_1", "get_weather", OSLO.arguments)
    message = answered(
        *said("I think", phase="commentary"), *said("So"), call, response_completed(), uses_functions=True
    )["choices"][0]["message"]
    assert message["function_call"] == {"name": "get_weather", "arguments": OSLO.arguments}
    assert "tool_calls" not in message
    assert (message["content"], message["reasoning_content"]) == ("So", "I think")
