"""What a client gets where both real codex versions sent what was recorded: whole, cut off anywhere, and sent twice."""

from __future__ import annotations

import json
from itertools import product
from typing import Any, NamedTuple

import pytest

from codex_server_cli.core.openai.answer.outputs import Calls, Failed, Interrupt, Output
from codex_server_cli.core.openai.answer.spent import SpentTokens
from codex_server_cli.core.openai.chat_chunks import ChatHead, ChunkWriter, completion
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.core.openai.tools import ClientCall
from codex_server_cli.core.openai.wire_errors import codex_unavailable
from tests.kit.cases import for_each
from tests.kit.chat import (
    CAPTURES,
    NOW_S,
    USAGE,
    Recorded,
    chat_request,
    chat_run,
    citations_of,
    comparable,
    content_in,
    content_of,
    each_version,
    end_of,
    recorded,
    replay,
)

HEAD = ChatHead("chatcmpl-1", 1_796_024_000, "gpt-6.2-sol")
TWO_CALLS = (
    ClientCall("call_1", "get_weather", '{"city": "Oslo"}'),
    ClientCall("call_2", "get_time", '{"city": "Rome"}'),
)
NOT_TO_BE_REPEATED = ("item/agentMessage/delta", "item/reasoning/summaryTextDelta")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
READ_FROM_RAW_ITEMS = {"two_calls", "call_after_history", "call_then_cut", "call_then_max", "annotations"}


def is_raw(each: Recorded) -> bool:
    return str(each.message.get("method")).startswith("raw")


class Case(NamedTuple):
    """What is expected of a recording.

    Attributes:
        end: the finish reason, or status and code of the error.
        text: the content.
        thoughts: the `reasoning_content`.
        plain: end and text of an answer that is not streamed, where they differ.
        is_interrupted: whether the turn has to be interrupted, in a stream.
    """

    end: Any
    text: str = ""
    thoughts: str = ""
    plain: tuple[Any, str] | None = None
    is_interrupted: bool = False


CASES = {
    "text": Case("stop", "Hello wörld 🙂"),
    "no_delta": Case("stop", "whole"),
    "two_messages": Case("stop", "One.\n\nTwo."),
    "reasoning": Case("stop", "Done.", "one\n\ntwo"),
    "commentary": Case("stop", "Done.", "I look."),
    "annotations": Case("stop", "See x."),
    "usage_null": Case("stop", "Hello"),
    "schema": Case("stop", '{"city":"Oslo"}', "I think."),
    "two_calls": Case("tool_calls", "Let me see.", "look"),
    "call_after_history": Case("tool_calls", "Let me see.", "look"),
    "foreign_call": Case("stop", "sorry"),
    "bad_arguments": Case("stop", "sorry"),
    "call_then_cut": Case("tool_calls", "Let me see.", "look"),  # its result came, which no run is fed with
    "call_then_max": Case("length"),
    "refusal": Case("content_filter"),
    "max_output": Case("length", "Long text"),
    "content_filter": Case("content_filter", "Bad text", is_interrupted=True),
    "cyber": Case((400, "content_policy_violation")),
    "cyber_mid": Case("content_filter", "Hello"),
    "invalid_prompt": Case((400, "content_policy_violation")),
    "interrupted": Case((503, "interrupted"), "Hel"),
    "usage_limit": Case((429, "usage_limit_reached")),
    "insufficient_quota": Case((429, "insufficient_quota")),
    "rate_limited": Case((429, "rate_limit_exceeded")),
    "rate_failed": Case((429, "rate_limit_exceeded")),
    "unauthorized": Case((401, "codex_login_required"), is_interrupted=True),
    "model_404": Case((404, "model_not_found")),
    "bad_request_detail": Case((404, "model_not_found")),
    "context_window": Case((400, "context_length_exceeded")),
    "bad_schema": Case((400, "invalid_json_schema")),
    "overloaded": Case((503, "overloaded")),
    "server_error": Case((502, "upstream_error"), is_interrupted=True),
    "cut_before": Case((502, "upstream_disconnected"), is_interrupted=True),
    "cut_behind_answer": Case("stop", "Hello", is_interrupted=True),
    "cut_behind_message": Case("stop", "Hello\n\nagain"),
    "cut_mid": Case((502, "upstream_disconnected"), "Hello", plain=("stop", "Hello again"), is_interrupted=True),
}

pytestmark = each_version
every_case = for_each("name", CASES)


def run_of(name: str, **terms: Any) -> ChatRun:
    """A run for the request that was recorded."""
    return chat_run(chat_request(**terms, output_schema=SCHEMA if name == "schema" else None))


def test_every_recording_is_played(version: str) -> None:
    assert {path.stem for path in CAPTURES.glob("*.jsonl")} == CASES.keys()
    assert all(recorded(name, version) for name in CASES)


@every_case
def test_a_stream(name: str, version: str) -> None:
    case, run = CASES[name], run_of(name)
    outputs = replay(run, recorded(name, version))
    assert end_of(outputs) == case.end
    assert content_of(outputs) == run.text == case.text
    assert content_in(run).thoughts.text == case.thoughts
    assert (Interrupt() in outputs) is case.is_interrupted
    assert run.is_over
    assert run.wakeup_s is None
    assert run.has_begun or isinstance(outputs[-1], Failed)


@every_case
def test_a_plain_answer(name: str, version: str) -> None:
    case, run = CASES[name], run_of(name, is_stream=False)
    outputs = replay(run, recorded(name, version))
    end, text = case.plain or (case.end, case.text)
    assert end_of(outputs) == end
    assert isinstance(outputs[-1], Failed) or run.text == text
    assert {type(each).__name__ for each in outputs} <= {"Calls", "Finish", "Failed", "Interrupt"}


@for_each("name", sorted(CASES.keys() - READ_FROM_RAW_ITEMS))
@for_each("is_stream", [True, False])
def test_a_thread_without_raw_events_says_the_same(name: str, version: str, *, is_stream: bool) -> None:
    messages = recorded(name, version)
    spent = SpentTokens()
    forked = [each._replace(message=spent.as_raw(each.message)) for each in messages if not is_raw(each)]
    run, twin = run_of(name, is_stream=is_stream), run_of(name, is_stream=is_stream)
    assert comparable(replay(run, forked)) == comparable(replay(twin, messages))
    assert content_in(run).text == content_in(twin).text
    assert content_in(run).thoughts.text == content_in(twin).thoughts.text


@every_case
def test_a_stream_that_is_cut_off_ends_in_an_error_and_never_in_silence(name: str, version: str) -> None:
    messages = recorded(name, version)
    whole = comparable(replay(run_of(name), messages))
    for n in range(len(messages)):
        run = run_of(name)
        before = replay(run, messages[:n])
        after = run.give_up(codex_unavailable("it was killed"))
        assert comparable(before) == whole[: len(before)]
        assert end_of(before + after) == ((503, "codex_unavailable") if after else CASES[name].end)
        assert CASES[name].text.startswith(content_of(before + after))


@every_case
def test_what_comes_twice_counts_once(name: str, version: str) -> None:
    messages = recorded(name, version)
    twice = [again for each in messages for again in ([each] if _is_counted(each) else [each, each])]
    assert comparable(replay(run_of(name), twice)) == comparable(replay(run_of(name), messages))


def _is_counted(each: Recorded) -> bool:
    """Whether a second one of these says something new: a piece of text, or a retry."""
    return each.message["method"] in NOT_TO_BE_REPEATED or each.message["params"].get("willRetry") is True


JUNK: tuple[Any, ...] = (None, 3, "text", ["text"], [{}], {"text": {}}, True)


@every_case
def test_any_member_may_be_of_another_shape(name: str, version: str) -> None:
    messages = recorded(name, version)
    members = {key for each in messages for key in each.message["params"]}
    inner = {
        key for each in messages for part in ("item", "turn", "error") for key in each.message["params"].get(part) or ()
    }
    for junk, key in product(JUNK, members | inner):
        run = run_of(name)
        replay(run, [each._replace(message=_with(each.message, key, junk)) for each in messages])
        run.tick(NOW_S + 1000)
        run.give_up(codex_unavailable("it was killed"))
        assert completion(HEAD, content_in(run), run)["choices"]


def _with(message: Any, key: str, junk: Any) -> Any:
    """The message with junk at each member of that name."""
    if not isinstance(message, dict):
        return message
    return {name: junk if name == key else _with(value, key, junk) for name, value in message.items()}


@every_case
def test_another_turn_of_the_thread_says_nothing(name: str, version: str) -> None:
    run = chat_run(chat_request(), turn_id="another")
    assert replay(run, recorded(name, version)) == []
    assert not run.has_begun


@every_case
@pytest.mark.parametrize("has_usage_chunk", [False, True])
def test_the_stream_is_what_clients_can_read(name: str, version: str, has_usage_chunk: bool) -> None:
    run = run_of(name, has_usage_chunk=has_usage_chunk)
    writer = ChunkWriter(HEAD, chat_request(has_usage_chunk=has_usage_chunk))
    outputs = replay(run, recorded(name, version))
    events = b"".join(writer.write(each) for each in outputs).split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    documents = [json.loads(event.removeprefix(b"data: ")) for event in events[:-2]]
    chunks = [each for each in documents if "error" not in each]
    assert all(each.keys() >= {"id", "object", "created", "model", "choices"} for each in chunks)
    choices = [choice for each in chunks for choice in each["choices"]]
    assert "".join(each["delta"].get("content") or "" for each in choices) == run.text
    assert [each["finish_reason"] for each in choices if each["finish_reason"]] == (
        [run.finish.reason] if run.finish else []
    )
    assert [each["usage"] for each in chunks if each.get("usage")] == (
        [run.finish.usage] if has_usage_chunk and run.finish and run.finish.usage else []
    )
    assert ("error" in documents[-1]) is (run.finish is None)


# --- what single recordings are about


@pytest.mark.parametrize("name", ["two_calls", "call_after_history", "call_then_cut"])
def test_all_calls_of_the_response_are_given_at_once_and_the_turn_is_held(name: str, version: str) -> None:
    run = run_of(name)
    outputs = replay(run, recorded(name, version))
    assert outputs[-2] == Calls(TWO_CALLS)
    assert run.calls == TWO_CALLS
    assert run.finish is not None
    assert run.finish.usage == USAGE


def test_the_second_response_of_a_held_turn_is_an_answer_of_its_own(version: str) -> None:
    messages, first = recorded("two_calls", version), run_of("two_calls")
    outputs: list[Output] = []
    n = 0
    while not first.is_over:
        outputs += replay(first, messages[n : n + 1])
        n += 1
    second = chat_run(chat_request(), turn_id=first.turn_id)
    assert content_of(replay(second, messages[n:])) == "Rain in Oslo."
    assert second.finish is not None
    assert second.finish == ("stop", USAGE)


def test_calls_whose_response_was_cut_are_given_after_a_silence(version: str) -> None:
    """Codex tells of the cut only once the call has been answered: without this both sides would wait."""
    messages = recorded("call_then_cut", version)
    first_call = next(n for n, each in enumerate(messages) if each.message["method"] == "item/tool/call")
    run = run_of("call_then_cut")
    assert replay(run, messages[: first_call + 1]) == []
    assert run.wakeup_s == messages[first_call].at_s + 20
    assert run.tick(run.wakeup_s - 0.1) == []
    assert run.tick(run.wakeup_s) == [Calls(TWO_CALLS[:1]), ("tool_calls", None)]
    rest = chat_run(chat_request(), turn_id=run.turn_id)
    assert replay(rest, messages[first_call + 1 :])[-2:] == [Calls(TWO_CALLS), ("tool_calls", USAGE)]


def test_annotations_are_those_of_the_raw_item(version: str) -> None:
    citation = {"start_index": 4, "end_index": 5, "url": "https://example.com", "title": "x"}
    run = run_of("annotations")
    outputs = replay(run, recorded("annotations", version))
    assert citations_of(outputs) == content_in(run).annotations == [{"type": "url_citation", "url_citation": citation}]
    assert completion(HEAD, content_in(run), run)["choices"][0]["message"]["annotations"] == content_in(run).annotations


def test_a_usage_limit_says_which_window_and_until_when(version: str) -> None:
    outputs = replay(run_of("usage_limit"), recorded("usage_limit", version))
    assert isinstance(outputs[-1], Failed)
    error = outputs[-1].error
    assert error.message.endswith("(The 5-hour window is used up until 2026-11-30T14:46:40Z.)")
    headers = dict(error.headers)
    assert headers["x-should-retry"] == "false"
    assert abs(int(headers["Retry-After"]) - (1_796_050_000 - NOW_S)) < 2


def test_encrypted_reasoning_is_kept_for_a_history_that_is_rebuilt(version: str) -> None:
    messages = recorded("reasoning", version)
    run = run_of("reasoning")
    n = next(n for n, each in enumerate(messages) if each.message["params"].get("item", {}).get("encrypted_content"))
    replay(run, messages[: n + 1])
    turn = messages[n].message["params"]
    item = {"type": "function_call", "call_id": "call_9", "name": "get_time", "namespace": "client", "arguments": "{}"}
    call = {"method": "rawResponseItem/completed", "params": {**turn, "item": item}}
    replay(run, [Recorded(call, NOW_S)])
    (kept,) = run.reasoning_items["call_9"]
    assert kept["encrypted_content"] == "c2VjcmV0"
    assert "internal_chat_message_metadata_passthrough" not in kept
