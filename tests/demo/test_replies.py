"""The builders and their wire form, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_server_cli.demo import sse
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import Answer, Cut, Hold, Pause
from codex_server_cli.demo.replies import (
    Usage,
    apply_patch,
    as_reply,
    call,
    context_window,
    cut_after,
    hold,
    incomplete,
    pause,
    rate_limited,
    reason,
    reply,
    run_command,
    say,
    update_plan,
    usage_limit,
    web_search,
)

Json = dict[str, Any]


def events_of(data: bytes) -> list[Json]:
    """Parse server-sent events, checking that each `event:` line repeats its data's type."""
    events: list[Json] = []
    for block in data.decode().removesuffix("\n\n").split("\n\n"):
        name, _, payload = block.partition("\ndata: ")
        event = json.loads(payload)
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def stream_of(answer: Answer, number: int = 1) -> list[Json]:
    """Every event of an answer that has no waits."""
    (data,) = sse.blocks(answer, number)
    assert isinstance(data, bytes)
    return events_of(data)


def types_of(events: list[Json]) -> list[str]:
    """The event types, without their common prefix."""
    return [event["type"].removeprefix("response.") for event in events]


def done_items(answer: Answer, number: int = 1) -> list[Json]:
    """The finished output items of an answer."""
    return [event["item"] for event in stream_of(answer, number) if event["type"].endswith("item.done")]


def test_a_message_streams_one_delta_per_string_and_repeats_its_whole_text_at_the_end() -> None:
    events = stream_of(reply(say("Hel", "lo")))
    assert types_of(events) == [
        "created",
        "output_item.added",
        "output_text.delta",
        "output_text.delta",
        "output_item.done",
        "completed",
    ]
    assert [event["delta"] for event in events if "delta" in event] == ["Hel", "lo"]
    assert events[-2]["item"]["content"][0]["text"] == "Hello"
    assert events[-2]["item"]["phase"] == "final_answer"


def test_a_chunk_count_splits_the_text_without_losing_a_character() -> None:
    message = say("abcdefghij", chunks=3)
    assert message.pieces == ("abc", "def", "ghij")
    assert message.text == "abcdefghij"


@pytest.mark.parametrize("text", ['"quoted" \\ back', "line\nbreak\u2028", "emoji 😀", "\x00 control", ""])
def test_any_text_survives_the_wire(text: str) -> None:
    deltas = [event["delta"] for event in stream_of(reply(say(text))) if "delta" in event]
    assert deltas == [text]


def test_a_message_can_leave_its_phase_unsaid() -> None:
    assert "phase" not in done_items(reply(say("x", phase=None)))[0]
    assert done_items(reply(say("x", phase="commentary")))[0]["phase"] == "commentary"


def test_ids_differ_between_items_and_between_responses_unless_they_are_fixed() -> None:
    answer = reply(say("a"), say("b"), say("c", item_id="mine"))
    assert [item["id"] for item in done_items(answer, 1)] == ["msg_1_0", "msg_1_1", "mine"]
    assert [item["id"] for item in done_items(answer, 2)] == ["msg_2_0", "msg_2_1", "mine"]


def test_a_command_is_a_function_call_that_carries_only_what_was_asked() -> None:
    (plain,) = done_items(reply(run_command("ls")))
    assert plain["name"] == "exec_command"
    assert json.loads(plain["arguments"]) == {"cmd": "ls"}
    (escalated,) = done_items(
        reply(run_command("ls", escalated=True, justification="why", workdir="sub", yield_time_ms=250))
    )
    assert json.loads(escalated["arguments"]) == {
        "cmd": "ls",
        "workdir": "sub",
        "justification": "why",
        "yield_time_ms": 250,
        "sandbox_permissions": "require_escalated",
    }


def test_a_mapping_makes_a_function_call_and_a_string_a_custom_tool_call() -> None:
    function, custom = done_items(reply(call("a", {"x": 1}, call_id="c1"), call("b", "text")))
    assert (function["type"], function["call_id"]) == ("function_call", "c1")
    assert (custom["type"], custom["input"]) == ("custom_tool_call", "text")
    (foreign,) = done_items(reply(call("greet", {}, namespace="mcp__fake")))
    assert (foreign["namespace"], foreign["name"], "namespace" in function) == ("mcp__fake", "greet", False)


def test_a_patch_is_a_shell_line_that_codex_recognises() -> None:
    (item,) = done_items(reply(apply_patch("*** Begin Patch\n*** End Patch")))
    assert json.loads(item["arguments"])["cmd"].startswith("apply_patch <<'EOF'\n*** Begin Patch")


def test_a_plan_names_its_steps_and_their_status() -> None:
    (item,) = done_items(reply(update_plan(("look", "in_progress"), explanation="first")))
    assert json.loads(item["arguments"]) == {
        "explanation": "first",
        "plan": [{"step": "look", "status": "in_progress"}],
    }


def test_reasoning_and_web_search_are_whole_items() -> None:
    thought, search = done_items(reply(reason("hm"), web_search("cats")))
    assert thought["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert "encrypted_content" not in thought
    [secret] = done_items(reply(reason("hm", encrypted="c2VjcmV0")))
    assert secret["encrypted_content"] == "c2VjcmV0"
    assert search["action"] == {"type": "search", "query": "cats"}


def test_usage_adds_up() -> None:
    usage = stream_of(reply(say("x"), usage=Usage(input=7, cached=3, output=2, reasoning=1)))[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (7, 2, 9)
    assert usage["input_tokens_details"] == {"cached_tokens": 3}
    assert usage["output_tokens_details"] == {"reasoning_tokens": 1}


def test_a_stream_is_cut_into_blocks_at_every_wait() -> None:
    gate = Gate()
    blocks = list(sse.blocks(reply(say("a", hold(gate), "b", pause(0.5), "c")), 1))
    assert [type(block) for block in blocks] == [bytes, Hold, bytes, Pause, bytes]
    assert blocks[1] == Hold(gate)


def test_a_cut_ends_the_stream_in_the_middle_of_the_message() -> None:
    blocks = list(sse.blocks(reply(cut_after("Hel"), say("never")), 1))
    assert isinstance(blocks[0], bytes)
    assert types_of(events_of(blocks[0])) == ["created", "output_item.added", "output_text.delta"]
    assert blocks[1:] == [Cut()]


def test_an_early_end_replaces_completion() -> None:
    assert stream_of(reply(say("x"), incomplete("max_output_tokens")))[-1]["response"]["incomplete_details"] == {
        "reason": "max_output_tokens"
    }
    assert stream_of(reply(context_window()))[-1]["response"]["error"]["code"] == "context_length_exceeded"


def test_failures_carry_when_to_come_back() -> None:
    limit = usage_limit(resets_at=1_900_000_000)
    assert not isinstance(limit.body, str)
    assert limit.body["error"]["resets_at"] == 1_900_000_000
    assert rate_limited(retry_after_s=3).headers == {"Retry-After": "3"}
    assert rate_limited().headers == {}


def test_a_bare_part_or_a_list_of_parts_is_a_reply() -> None:
    part = say("x")
    assert as_reply(part) == as_reply([part]) == reply(part)
    failure = usage_limit()
    assert as_reply(failure) is failure
