"""What a client of the Responses API gets where both real codex versions sent what was recorded: whole, and cut off."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from codex_server_cli.core.openai.answer.outputs import Failed, Finish
from codex_server_cli.core.openai.answer.spent import SpentTokens
from codex_server_cli.core.openai.wire_errors import codex_unavailable
from tests.kit.cases import for_each
from tests.kit.chat import CAPTURES, NOW_S, VERSIONS, chat_request, each_version, end_of, recorded
from tests.kit.responses import ResponseDialogue, put_together, shape_of

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
NAMES = sorted(path.stem for path in CAPTURES.glob("*.jsonl"))
CALLS = [("get_weather", "call_1", '{"city": "Oslo"}'), ("get_time", "call_2", '{"city": "Rome"}')]
REFUSED = ("refusal", "")
OUTPUTS: dict[str, list[Any]] = {  # of the stream; what is not here has none
    "text": [("final_answer", "Hello wörld 🙂")],
    "no_delta": [("final_answer", "whole")],
    "two_messages": [("final_answer", "One."), ("final_answer", "Two.")],
    "reasoning": [("reasoning", "one", "two"), ("final_answer", "Done.")],
    "commentary": [("commentary", "I look."), ("final_answer", "Done.")],
    "annotations": [("final_answer", "See x.")],
    "usage_null": [("final_answer", "Hello")],
    "schema": [("final_answer", '{"city":"Oslo"}')],
    "two_calls": [("reasoning", "look"), ("commentary", "Let me see."), *CALLS],
    "call_after_history": [("reasoning", "look"), ("commentary", "Let me see."), *CALLS],
    "foreign_call": [("final_answer", "sorry")],
    "bad_arguments": [("final_answer", "sorry")],
    "max_output": [("final_answer", "Long text")],
    "content_filter": [("final_answer", "Bad text")],
    "cyber_mid": [("final_answer", "Hello")],
    "interrupted": [("final_answer", "Hel", "incomplete")],
    "refusal": [REFUSED],
    "cut_behind_answer": [("final_answer", "Hello")],
}
every_case = for_each("name", NAMES)


def dialogue_of(name: str, **terms: Any) -> ResponseDialogue:
    return ResponseDialogue(chat_request(**terms, output_schema=SCHEMA if name == "schema" else None))


def fed(name: str, version: str, *, until: int | None = None, **terms: Any) -> ResponseDialogue:
    dialogue = dialogue_of(name, **terms)
    for each in recorded(name, version)[:until]:
        dialogue.receive(each.message, at_s=each.at_s)
    return dialogue


@each_version
@every_case
def test_the_stream_is_what_the_official_client_can_read(name: str, version: str) -> None:
    dialogue = fed(name, version)
    types = dialogue.types
    assert types[:2] == ["created", "in_progress"]
    finish = next((each for each in dialogue.outputs if isinstance(each, Finish)), None)
    if finish is None:
        assert types[-2:] == ["failed", "error"]
    else:
        assert types[-1] == ("incomplete" if finish.reason in ("length", "content_filter") else "completed")
    if name in OUTPUTS:
        assert shape_of(dialogue.ended) == OUTPUTS[name]


@each_version
@every_case
def test_the_deltas_of_a_stream_add_up_to_what_its_end_says(name: str, version: str) -> None:
    dialogue = fed(name, version)
    ended = dialogue.ended
    added = put_together(dialogue.events)
    assert [_said(item) for item in added.output] == [_said(item) for item in dialogue.end.output]
    done = [each.item.to_dict() for each in dialogue.events if each.type == "response.output_item.done"]
    assert sorted(done, key=lambda item: ended["output"].index(item)) == ended["output"]


def _said(item: Any) -> Any:
    """Of reasoning the helper adds nothing up."""
    parts = getattr(item, "content", None) or []
    return item.type, item.id, [getattr(part, "text", None) for part in parts], getattr(item, "arguments", None)


@each_version
@every_case
def test_an_answer_that_is_not_streamed_is_the_same(name: str, version: str) -> None:
    streamed, plain = fed(name, version), fed(name, version, is_stream=False)
    assert plain.outputs == [each for each in plain.outputs if not hasattr(each, "fields")]
    if end_of(streamed.outputs) != end_of(plain.outputs):
        assert name.startswith(("cut", "content_filter", "cyber", "server", "rate", "unauthorized"))
        return
    if plain.run.finish is not None:
        assert shape_of(plain.whole) == shape_of(streamed.ended)
        assert plain.whole["usage"] == streamed.ended["usage"]


@pytest.mark.parametrize("name", ["two_calls", "reasoning", "commentary", "annotations", "cut_behind_message"])
@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_stream_that_is_cut_off_anywhere_ends_as_one_that_has_failed(name: str, version: str) -> None:
    for until in range(len(recorded(name, version))):
        dialogue = fed(name, version, until=until)
        if not dialogue.run.is_over:
            dialogue.take(dialogue.run.give_up(codex_unavailable("it was killed")))
            assert isinstance(dialogue.outputs[-1], Failed)
            assert dialogue.types[-2:] == ["failed", "error"]
            shape_of(dialogue.ended)


@pytest.mark.parametrize("name", ["two_calls", "reasoning", "annotations", "refusal"])
@pytest.mark.parametrize("version", VERSIONS[1:])
def test_what_is_no_text_where_text_should_be_breaks_nothing(name: str, version: str) -> None:
    members = (
        "item",
        "id",
        "itemId",
        "delta",
        "text",
        "summary",
        "phase",
        "content",
        "encrypted_content",
        "annotations",
    )
    for key, junk in product(members, (None, 7, [], {"a": 1}, [3])):
        dialogue = dialogue_of(name)
        for each in recorded(name, version):
            dialogue.receive(_with(each.message, key, junk), at_s=each.at_s)
        dialogue.run.tick(NOW_S + 1000)
        dialogue.take(dialogue.run.give_up(codex_unavailable("it was killed")))
        assert dialogue.content.output() is not None


def _with(message: Any, key: str, junk: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {name: junk if name == key else _with(value, key, junk) for name, value in message.items()}


def fed_by_a_fork(name: str, version: str) -> ResponseDialogue:
    """The same as a thread without raw events tells it."""
    dialogue, spent = dialogue_of(name, tools=(), needs_raw_items=False), SpentTokens()
    for each in recorded(name, version):
        if not each.message["method"].startswith("raw"):
            dialogue.receive(spent.as_raw(each.message), at_s=each.at_s)
    return dialogue


@each_version
@for_each("name", [name for name in NAMES if "call" not in name])
def test_without_tools_an_answer_needs_no_raw_events(name: str, version: str) -> None:
    raw, forked = fed(name, version, tools=()), fed_by_a_fork(name, version)
    assert end_of(forked.outputs) == end_of(raw.outputs)
    assert shape_of(forked.ended) == shape_of(raw.ended)
    assert forked.ended["usage"] == raw.ended["usage"]
    assert sorted(forked.types) == sorted(each for each in raw.types if "annotation" not in each)
    items = [each.output_index for each in forked.events if each.type.startswith("response.output_item")]
    assert items == sorted(items)  # each has ended before the next one begins


@pytest.mark.parametrize("version", VERSIONS)
def test_annotations_come_before_the_end_of_their_message(version: str) -> None:
    dialogue = fed("annotations", version)
    added = next(each for each in dialogue.events if each.type == "response.output_text.annotation.added")
    assert (added.annotation_index, added.annotation.url) == (0, "https://example.com")
    (item,) = dialogue.ended["output"]
    assert item["content"][0]["annotations"] == [added.annotation.to_dict()]


@pytest.mark.parametrize("version", VERSIONS)
def test_encrypted_reasoning_is_there_for_who_asks_for_it_and_for_the_memory(version: str) -> None:
    for wants in (True, False):
        dialogue = ResponseDialogue(chat_request(), has_encrypted=wants)
        for each in recorded("reasoning", version):
            dialogue.receive(each.message, at_s=each.at_s)
        shown = {**dialogue.ended["output"][0]}
        assert shown.get("encrypted_content") == ("c2VjcmV0" if wants else None)
        assert dialogue.content.output(has_encrypted=True)[0]["encrypted_content"] == "c2VjcmV0"
