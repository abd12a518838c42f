"""The events of a Response's stream: each fits the official client's model, and they come in OpenAI's order."""

from __future__ import annotations

from codex_server_cli.core.openai.responses import document, events
from codex_server_cli.core.openai.responses.document import ResponseHead, response_document
from tests.kit.official import official_events

HEAD = ResponseHead("resp_1", 1_796_024_000, "gpt-6.2-sol")
CITED = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://example.com", "title": "x"}


def types(stream: bytes) -> list[str]:
    return [each.type.removeprefix("response.") for each in official_events(stream)]


def test_an_event_is_its_name_and_one_line_of_ascii() -> None:
    sent = events.event("response.output_text.delta", 7, delta="wörld 🙂\n\ud83d")
    assert sent.isascii()
    assert sent.startswith(b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence')
    assert sent.endswith(b"}\n\n")
    assert sent.count(b"\n") == 3
    assert b"id:" not in sent


def test_the_events_of_a_message_begin_and_end_it_and_its_text() -> None:
    item = document.message_item("msg_1", "Hi", annotations=[CITED], phase="final_answer")
    said = [
        *events.message_begun(0, "msg_1", "final_answer"),
        events.text_delta(0, "msg_1", "Hi"),
        events.annotation_added(0, "msg_1", 0, CITED),
        *events.message_done(0, item),
    ]
    sent = events.numbered(said, 0)
    assert types(sent) == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ]
    last = official_events(sent)[-1]
    assert (last.output_index, last.item.to_dict()) == (0, item)


def test_the_events_of_reasoning_begin_and_end_each_part_of_its_summary() -> None:
    thought = [
        events.reasoning_begun(1, "rs_1"),
        events.summary_begun(1, "rs_1", 0),
        events.summary_delta(1, "rs_1", 0, "look"),
        *events.summary_done(1, "rs_1", 0, "look"),
        events.item_done(1, document.reasoning_item("rs_1", ["look"])),
    ]
    assert types(events.numbered(thought, 0)) == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]


def test_a_call_is_told_with_its_arguments_in_one_piece() -> None:
    sent = events.numbered(events.called(2, document.call_item("fc_1", "call_1", "get_weather", "{}")), 0)
    assert types(sent) == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    added, delta, done, item_done = official_events(sent)
    assert (added.item.arguments, added.item.status, delta.delta) == ("", "in_progress", "{}")
    assert (done.arguments, item_done.item.arguments) == ("{}", "{}")


def test_a_refusal_is_a_message_without_text() -> None:
    sent = events.numbered(events.refused(0, "msg_1", "No."), 0)
    assert types(sent) == [
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]


def test_events_about_the_whole_response_hold_it() -> None:
    whole = response_document(HEAD, status="in_progress", output=[], usage=None)
    told = [events.of_response(f"response.{name}", whole) for name in ("created", "in_progress")]
    assert [each.response.status for each in official_events(events.numbered(told, 0))] == ["in_progress"] * 2
