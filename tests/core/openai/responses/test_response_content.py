"""What the model says as items of a Response: in which order, what is held back, and what stays of what was cut."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.answer.outputs import Calls, Finish, Interrupt
from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.openai.responses.items import output_as_items, shown_input
from codex_server_cli.core.openai.responses.writer import usage_of
from codex_server_cli.core.openai.tools import ForcedTool
from tests.core.openai.bodies import PNG, call_item, message, output_item
from tests.kit.chat import USAGE, chat_request, raw_call, raw_item, response_completed, tool_call
from tests.kit.dialogue import (
    COMPLETED,
    RETRY,
    STARTED,
    Json,
    delta,
    error_notification,
    item_notification,
    message_completed,
    message_started,
    notification,
    said,
)
from tests.kit.official import official_item
from tests.kit.responses import ResponseDialogue, put_together, shape_of

SCHEMA = {"type": "object", "properties": {}}
FORCED = ForcedTool({"look": {"type": "object", "properties": {"x": {"type": "integer"}}}}, is_single=True)
RAW_CALL = (raw_call("call_1", "get_weather"), response_completed())


def started(**terms: Any) -> ResponseDialogue:
    return ResponseDialogue(**terms).receive(STARTED)


def raw_message(text: str, id_: str = "msg-1", annotations: Any = ()) -> Json:
    part = {"type": "output_text", "text": text, "annotations": list(annotations)}
    return raw_item("message", id=id_, role="assistant", content=[part])


def thought(method: str, id_: str = "rs-1", **params: Any) -> Json:
    return notification(f"item/reasoning/{method}", itemId=id_, **params)


def commented(text: str = "I look.", id_: str = "msg-0") -> tuple[Json, Json]:
    return message_started(id_, "commentary"), message_completed(text, id_, "commentary")


def test_reasoning_without_a_summary_is_an_item_all_the_same() -> None:
    dialogue = started(has_encrypted=True)
    whole = raw_item("reasoning", id="rs-1", summary=[], encrypted_content="e")
    dialogue.receive(whole, whole, *said("Hi"), COMPLETED)
    assert shape_of(dialogue.ended) == [("reasoning",), ("final_answer", "Hi")]
    assert dialogue.ended["output"][0]["encrypted_content"] == "e"


def test_the_parts_of_a_summary_come_one_after_the_other() -> None:
    dialogue = started()
    dialogue.receive(item_notification("item/started", "reasoning", "rs-1"))
    dialogue.receive(thought("summaryPartAdded"), thought("summaryTextDelta", delta="one"))
    dialogue.receive(
        thought("summaryPartAdded"), thought("summaryTextDelta", delta=""), thought("summaryTextDelta", delta="two")
    )
    dialogue.receive(
        item_notification("item/completed", "reasoning", "rs-1", summary=["one", "two"]), *said("Hi"), COMPLETED
    )
    assert shape_of(dialogue.ended) == [("reasoning", "one", "two"), ("final_answer", "Hi")]
    done = [each for each in dialogue.events if each.type == "response.reasoning_summary_text.done"]
    assert [(each.summary_index, each.text) for each in done] == [(0, "one"), (1, "two")]


def test_an_id_that_comes_again_is_another_item() -> None:
    dialogue = started()
    for text in ("one", "two"):
        dialogue.receive(
            item_notification("item/started", "reasoning", "rs-1"), thought("summaryTextDelta", delta=text)
        )
        dialogue.receive(item_notification("item/completed", "reasoning", "rs-1"), raw_item("reasoning", id="rs-1"))
        dialogue.receive(*said(text))
    dialogue.receive(COMPLETED)
    assert shape_of(dialogue.ended) == [
        ("reasoning", "one"),
        ("final_answer", "one"),
        ("reasoning", "two"),
        ("final_answer", "two"),
    ]
    assert len({item["id"] for item in dialogue.ended["output"]}) == 4


def test_a_message_ends_with_its_raw_item_and_its_citations_once() -> None:
    cited = {"type": "url_citation", "start_index": 0, "end_index": 1, "url": "u", "title": "t"}
    dialogue = started().receive(message_started(), delta("Hi"), raw_message("Hi", annotations=[cited]))
    assert "output_item.done" not in dialogue.types
    dialogue.receive(message_completed("Hi"), raw_message("Hi", annotations=[cited, cited]))
    assert dialogue.types[-1] == "output_item.done"
    dialogue.receive(raw_message("Hi"), COMPLETED)
    assert dialogue.types.count("output_text.annotation.added") == 1
    assert dialogue.types.count("output_item.done") == 1


def test_a_message_without_a_raw_item_ends_before_the_next_one_begins() -> None:
    dialogue = started().receive(*said("One.", "msg-1"), *said("Two.", "msg-2"), COMPLETED)
    assert dialogue.types.index("output_item.done") < len(dialogue.types) - 1 - dialogue.types[::-1].index(
        "output_item.added"
    )
    assert shape_of(dialogue.ended) == [("final_answer", "One."), ("final_answer", "Two.")]


def test_an_item_whose_raw_form_is_not_needed_ends_where_it_is_complete() -> None:
    dialogue = started(tools=(), needs_raw_items=False)
    dialogue.receive(item_notification("item/started", "reasoning", id="rs-1"))
    dialogue.receive(item_notification("item/completed", "reasoning", id="rs-1", summary=["one"]))
    assert dialogue.types[-1] == "output_item.done"
    dialogue.receive(
        item_notification("item/started", "reasoning", id="rs-1"), thought("summaryTextDelta", delta="two")
    )
    dialogue.receive(item_notification("item/completed", "reasoning", id="rs-1", summary=["two"]), *said("Hi"))
    assert dialogue.types[-1] == "output_item.done"
    dialogue.receive(raw_message("Hi"), COMPLETED)  # of a thread that has raw events all the same
    assert shape_of(dialogue.ended) == [("reasoning", "one"), ("reasoning", "two"), ("final_answer", "Hi")]
    assert dialogue.types.count("output_item.done") == 3


@pytest.mark.parametrize("needs_raw_items", [True, False])
def test_what_a_fence_has_held_back_comes_before_the_end_of_its_message(*, needs_raw_items: bool) -> None:
    text = "```json\n{}\n``` and `"
    dialogue = started(is_json_object=True, needs_raw_items=needs_raw_items)
    dialogue.receive(*said(text), raw_message(text), response_completed(), COMPLETED)
    added = put_together(dialogue.events)
    assert added.output[0].content[0].text == dialogue.end.output_text == "{}\n``` and `"
    assert dialogue.types[-2:] == ["output_item.done", "completed"]


def test_a_message_of_no_phase_says_none() -> None:
    dialogue = started().receive(
        message_started(phase=None), delta("Hi"), message_completed("Hi", phase=None), COMPLETED
    )
    (item,) = dialogue.ended["output"]
    assert "phase" not in item


# --- JSON, and calls that are forced


def test_commentary_is_no_part_of_json_unless_calls_follow_or_nothing_else_is_said() -> None:
    asked: Json = {"output_schema": SCHEMA}
    json_said = started(**asked).receive(*commented(), *said("{}"), COMPLETED)
    assert shape_of(json_said.ended) == [("final_answer", "{}")]
    called = started(**asked).receive(*commented(), *RAW_CALL)
    assert shape_of(called.ended) == [("commentary", "I look."), ("get_weather", "call_1", "{}")]
    alone = started(**asked).receive(*commented(), COMPLETED)
    assert shape_of(alone.ended) == [("commentary", "I look.")]


def test_a_code_fence_around_json_is_taken_off() -> None:
    for text in ("```json\n{}\n```", "```\n{}```", "{}"):
        dialogue = started(is_json_object=True).receive(
            message_started(), *map(delta, text), message_completed(text), COMPLETED
        )
        ((_, shown),) = shape_of(dialogue.ended)
        assert shown.strip() == "{}"


def test_a_fence_that_is_none_is_shown_at_the_end() -> None:
    dialogue = started(is_json_object=True).receive(message_started(), delta("``"), COMPLETED)
    assert shape_of(dialogue.ended) == [("final_answer", "``", "incomplete")]


def test_the_text_of_a_forced_call_is_a_call() -> None:
    dialogue = started(forced=FORCED, output_schema=SCHEMA).receive(*said('{"x": 1}'), response_completed(), COMPLETED)
    ((name, call_id, arguments),) = shape_of(dialogue.ended)
    assert (name, arguments) == ("look", '{"x": 1}')
    assert call_id.startswith("call_")
    assert dialogue.ended["output"][0]["id"] == "fc_1c0"  # of the response, as a call id may come again
    assert dialogue.ended["status"] == "completed"
    assert dialogue.content.text == ""


def test_text_that_should_have_been_a_call_is_text() -> None:
    dialogue = started(forced=FORCED, output_schema=SCHEMA).receive(*said("No."), COMPLETED)
    assert shape_of(dialogue.ended) == [("final_answer", "No.")]


# --- retries, refusals, ends


def test_what_was_told_of_reasoning_ends_where_the_model_is_asked_again() -> None:
    begun = (item_notification("item/started", "reasoning", "rs-1"), thought("summaryTextDelta", delta="on"))
    whole = item_notification("item/completed", "reasoning", "rs-1", summary=["one"])
    streamed = started().receive(*begun, RETRY, begun[0], whole, *said("Hi"), COMPLETED)
    assert shape_of(streamed.ended) == [("reasoning", "on"), ("reasoning", "one"), ("final_answer", "Hi")]
    assert streamed.ended["output"][0]["status"] == "incomplete"
    plain = started(is_stream=False).receive(*begun, message_started(), delta("H"), RETRY)
    plain.receive(begun[0], whole, *said("Hi"), COMPLETED)
    assert shape_of(plain.whole) == [("reasoning", "one"), ("final_answer", "Hi")]
    assert not any(isinstance(each, StreamEvent) for each in plain.outputs)


def test_text_that_a_client_has_read_is_not_said_again() -> None:
    dialogue = started().receive(message_started(), delta("H"), RETRY)
    assert Interrupt() in dialogue.outputs
    assert dialogue.types[-2:] == ["failed", "error"]
    assert shape_of(dialogue.ended) == [("final_answer", "H", "incomplete")]


def test_an_answer_that_is_complete_is_not_asked_for_again() -> None:
    dialogue = started().receive(*said("Hi"), RETRY)
    assert Interrupt() in dialogue.outputs
    assert dialogue.types[-1] == "completed"


def test_a_refusal_is_a_message_that_says_so() -> None:
    dialogue = started().receive(message_started(), response_completed(), COMPLETED)
    assert dialogue.ended["status"] == "incomplete"
    assert dialogue.ended["incomplete_details"] == {"reason": "content_filter"}
    (item,) = dialogue.ended["output"]
    assert item["content"][0]["refusal"].startswith("The model refused to answer.")
    dialogue.writer.finish(Finish("stop", None), 1.0)
    assert dialogue.content.close() == []


def test_a_response_that_reached_its_length_is_incomplete() -> None:
    error = error_notification("Incomplete response returned, reason: max_output_tokens", will_retry=False)
    dialogue = started().receive(*said("Long"), error)
    assert (dialogue.types[-1], dialogue.ended["status"]) == ("incomplete", "incomplete")
    assert dialogue.ended["incomplete_details"] == {"reason": "max_output_tokens"}
    assert dialogue.ended["completed_at"] is None


def test_calls_end_a_response_that_is_complete() -> None:
    dialogue = started().receive(*commented(), *RAW_CALL, tool_call("call_1"))
    assert any(isinstance(each, Calls) for each in dialogue.outputs)
    assert dialogue.ended["status"] == "completed"
    assert dialogue.ended["usage"] == usage_of(USAGE)
    assert dialogue.writer.calls == dialogue.ended["output"][1:]
    plain = started(is_stream=False).receive(*commented(), *RAW_CALL)
    assert plain.whole["output"][1:] == dialogue.writer.calls


def test_usage_that_is_not_known_is_not_told() -> None:
    assert usage_of(None) is None
    assert usage_of({**USAGE, "prompt_tokens_details": {}, "completion_tokens_details": {}}) == {
        "input_tokens": 100,
        "output_tokens": 20,
        "total_tokens": 120,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def test_an_interrupt_is_nothing_to_a_client() -> None:
    dialogue = ResponseDialogue(chat_request())
    assert dialogue.writer.write(Interrupt(), 1.0) == b""
    assert dialogue.writer.begin() != b""
    assert dialogue.writer.begin() == b""


# --- what is remembered


def test_an_output_is_what_the_model_reads_again() -> None:
    dialogue = started().receive(
        raw_item("reasoning", id="rs-1", summary=[], encrypted_content="e"), *commented(), *RAW_CALL
    )
    output = [*dialogue.content.output(has_encrypted=True), *dialogue.writer.calls]
    assert output_as_items(output) == (
        {"type": "reasoning", "summary": [], "encrypted_content": "e"},
        message("assistant", "I look.") | {"phase": "commentary"},
        call_item("call_1", "get_weather"),
    )
    assert output_as_items(dialogue.content.output()) == output_as_items(output)[1:2]


def test_input_items_are_shown_with_ids() -> None:
    picture = {"type": "input_image", "image_url": PNG}
    shown = shown_input(
        [
            {"type": "message", "role": "user", "content": [picture]},
            message("user", "q"),
            message("assistant", "a"),
            {"type": "reasoning", "summary": [], "encrypted_content": "e"},
            call_item("c"),
            output_item("c", "x"),
            output_item("d", [picture]),
        ],
        "7",
    )
    for item in shown:
        assert official_item(item).to_dict() == item
    assert [item["id"] for item in shown] == ["msg_7i0", "msg_7i1", "msg_7i2", "rs_7i3", "fc_7i4", "fco_7i5", "fco_7i6"]
    assert shown[0]["content"] == [{**picture, "detail": "auto"}] == shown[6]["output"]
    assert shown[2]["content"] == [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []}]
    assert "namespace" not in shown[4]
