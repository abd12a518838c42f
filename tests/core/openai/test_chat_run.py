"""The machine of one chat completion, by hand: what no recording shows."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.answer.outputs import Calls, Cited, Failed, Finish, Interrupt, Text
from codex_server_cli.core.openai.chat_run import BEGIN_S, SILENCE_S
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.tools import ClientCall, ForcedTool
from codex_server_cli.core.openai.wire_errors import AccountLimits, interrupted
from tests.core.openai.bodies import request
from tests.kit.chat import (
    USAGE,
    ChatDialogue,
    chat_run,
    content_in,
    failed_turn,
    raw_call,
    raw_item,
    response_completed,
    tool_call,
)
from tests.kit.dialogue import (
    COMPLETED,
    INTERRUPTED,
    RETRY,
    STARTED,
    TURN,
    delta,
    error_notification,
    item_notification,
    message_completed,
    message_started,
    notification,
    said,
)

CALL = ClientCall("call_1", "get_weather", "{}")
REASONING = item_notification("item/started", "reasoning", "rs-1", summary=[])
LOGIN_RETRY = error_notification("Reconnecting... 1/5", will_retry=True, info={"x": {"httpStatusCode": 401}})
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def thought(text: str, id_: str = "rs-1") -> Any:
    """A piece of a reasoning summary."""
    return notification("item/reasoning/summaryTextDelta", itemId=id_, delta=text, summaryIndex=0)


def part_added(id_: str = "rs-1") -> Any:
    """A part of a reasoning summary begins."""
    return notification("item/reasoning/summaryPartAdded", itemId=id_, summaryIndex=0)


def started(**terms: Any) -> ChatDialogue:
    """A run whose turn has begun."""
    return ChatDialogue(**terms).receive(STARTED)


# --- which messages count


def test_the_turn_is_the_first_that_begins_or_the_one_that_was_held() -> None:
    dialogue = ChatDialogue().receive(delta("before"), STARTED, delta("a"))
    assert (dialogue.texts, dialogue.run.turn_id) == (["a"], TURN)
    held = ChatDialogue(turn_id=TURN).receive({**STARTED, "params": {"turn": {"id": "other"}}}, delta("a"))
    assert (held.texts, held.run.turn_id) == (["a"], TURN)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"id": 3, "result": {}},
        {"method": "thread/status/changed", "params": {"threadId": "t"}},
        {"method": "turn/completed", "params": None},
        notification("item/started", item="odd"),
        notification("rawResponseItem/completed", item=None),
        notification("item/tool/call"),
        notification("a/new/method"),
        raw_item("message", role="developer", content=[{"text": "guidance"}]),
        raw_item("message", role="assistant", content="odd"),
    ],
)
def test_a_message_of_no_meaning_is_passed_over(message: Any) -> None:
    assert ChatDialogue().receive(message).outputs == []
    assert started().receive(message).outputs == []


def test_after_the_end_nothing_counts() -> None:
    dialogue = started().receive(COMPLETED, delta("late"), failed_turn("late"))
    assert dialogue.outputs == [Finish("stop", None)]
    assert dialogue.tick(1000).run.give_up(interrupted()) == []
    assert len(dialogue.outputs) == 1


def test_limits_that_were_fed_are_noted() -> None:
    report = {"method": "account/rateLimits/updated", "params": {"rateLimits": {"primary": {"usedPercent": 100}}}}
    assert started().receive(report).limits.used_up(0) is None  # its end is not known


# --- content


def test_deltas_of_a_message_that_was_not_announced_are_content() -> None:
    assert started().receive(delta("a"), delta("b"), message_completed("abc")).texts == ["a", "b", "c"]


def test_a_text_that_differs_in_the_end_stays_as_it_was_sent() -> None:
    assert started().receive(*said("one two")[:-1], message_completed("other")).texts == ["one ", "two"]


def test_an_id_may_come_again_for_another_message() -> None:
    dialogue = started().receive(*said("one"), *said("two"), message_completed("alone", "msg-2"), COMPLETED)
    assert "".join(dialogue.texts) == "one\n\ntwo\n\nalone"


def test_a_refusal_leaves_no_text_and_is_a_content_filter() -> None:
    assert started().receive(message_started(), response_completed(), COMPLETED).end == "content_filter"
    assert started().receive(*said("a"), message_started("msg-2"), COMPLETED).end == "content_filter"
    assert started().receive(*said("a")[:-1], COMPLETED).end == "stop"


def test_citations_are_counted_from_the_beginning_of_the_content() -> None:
    annotation = {"type": "url_citation", "url": "u", "start_index": 1, "end_index": None}
    message = raw_item("message", role="assistant", id="msg-2", content=[{"annotations": [annotation]}])
    dialogue = started().receive(*said("one"), *said("two", "msg-2"), message, message, COMPLETED)
    cited = {"type": "url_citation", "url_citation": {"url": "u", "start_index": 6, "end_index": None}}
    assert [each for each in dialogue.outputs if isinstance(each, Cited)] == [Cited((cited,))]
    unknown = {**message, "params": {**message["params"], "item": {**message["params"]["item"], "id": "msg-9"}}}
    assert content_in(started().receive(unknown).run).annotations[0]["url_citation"]["start_index"] == 1


# --- commentary


COMMENTARY = said("I look.", "msg-0", "commentary")


def test_commentary_beside_calls_is_content() -> None:
    dialogue = started(tools=({"name": "get_weather"},)).receive(*COMMENTARY, raw_call("call_1"), response_completed())
    assert (dialogue.texts, dialogue.thoughts, dialogue.end) == (["I look."], [], "tool_calls")


def test_commentary_before_an_answer_is_a_thought_where_thoughts_were_asked_for() -> None:
    asked = started().receive(thought("hm"), *COMMENTARY, *said("Done."), COMPLETED)
    assert (asked.thoughts, asked.texts) == (["hm", "\n\nI look."], ["Done."])
    silent = started(summary=None).receive(*COMMENTARY, *said("Done."), COMPLETED)
    assert (silent.thoughts, silent.texts) == ([], ["Done."])


def test_commentary_behind_an_answer_and_a_message_of_no_turn_are_treated_alike() -> None:
    later = item_notification("item/completed", "agentMessage", "msg-9", text="By the way.", delivery="async")
    dialogue = started().receive(*said("Done."), later, COMPLETED)
    assert (dialogue.thoughts, dialogue.texts) == (["By the way."], ["Done."])


def test_commentary_alone_is_the_answer() -> None:
    assert started().receive(*COMMENTARY, COMPLETED).texts == ["I look."]


@pytest.mark.parametrize("terms", [{"output_schema": SCHEMA}, {"is_json_object": True}])
def test_commentary_is_never_part_of_json(terms: Any) -> None:
    assert started(**terms).receive(*COMMENTARY, COMPLETED).texts == []
    assert started(**terms).receive(*COMMENTARY, *said("{}"), COMPLETED).texts == ["{}"]
    calls = started(**terms).receive(*COMMENTARY, raw_call("call_1"), response_completed())
    assert (calls.texts, calls.thoughts, calls.end) == ([], ["I look."], "tool_calls")


# --- thoughts


def test_parts_and_items_of_reasoning_are_set_apart() -> None:
    dialogue = started().receive(
        REASONING,
        part_added(),
        thought("one"),
        thought("!"),
        part_added(),
        thought(""),
        thought("two"),
        part_added("rs-2"),
    )
    assert dialogue.receive(thought("three", "rs-2")).thoughts == ["one", "!", "\n\ntwo", "\n\nthree"]
    assert content_in(dialogue.run).thoughts.text == "one!\n\ntwo\n\nthree"


def test_a_summary_that_was_not_streamed_comes_with_its_item() -> None:
    whole = item_notification("item/completed", "reasoning", "rs-1", summary=["one", "two"])
    odd = item_notification("item/completed", "reasoning", "rs-2", summary=None)
    assert started().receive(whole, whole, odd).thoughts == ["one", "\n\ntwo"]
    assert started().receive(thought("one\n\ntwo"), whole).thoughts == ["one\n\ntwo"]


# --- JSON and stop sequences


def test_a_code_fence_around_a_json_object_is_taken_off() -> None:
    dialogue = started(is_json_object=True).receive(*said('```json\n{"a": 1}\n```'), COMPLETED)
    assert "".join(dialogue.texts) == dialogue.run.text == '{"a": 1}'
    assert content_in(dialogue.run).texts == [dialogue.run.text]


def test_a_stop_sequence_ends_the_answer_and_interrupts_the_turn() -> None:
    dialogue = started(stop=("END",)).receive(delta("one E"), delta("ND two"), COMPLETED)
    assert dialogue.outputs == [Text("one "), Interrupt(), Finish("stop", None)]
    plain = started(stop=("END",), is_stream=False).receive(delta("one E"), delta("ND two"))
    assert (plain.outputs, plain.run.text) == ([Interrupt(), Finish("stop", None)], "one ")


def test_what_was_held_back_comes_at_the_end_of_whatever_kind() -> None:
    ends: list[Any] = [COMPLETED, error_notification("broken", will_retry=False), response_completed()]
    for end in ends:
        dialogue = started(stop=("END",)).receive(delta("one E"), raw_call("call_1"), end)
        assert "".join(dialogue.texts) == "one E"


def test_a_stop_sequence_does_not_end_thoughts() -> None:
    assert started(stop=("a",)).receive(thought("banana"), COMPLETED).thoughts == ["banana"]


# --- calls


@pytest.mark.parametrize(
    "call",
    [
        raw_call("call_1", namespace=None),
        raw_call("call_1", namespace="functions"),
        raw_call("call_1", "unknown"),
        *(raw_call("call_1", arguments=text) for text in ("", '{"a": ', "NaN", "1e999", '"\\ud800"', "[" * 100_000)),
    ],
)
def test_a_call_that_codex_answers_itself_is_not_the_clients(call: Any) -> None:
    dialogue = started().receive(call, response_completed())
    assert dialogue.outputs == []
    dialogue.receive(*said("sorry"), response_completed("resp-2"), COMPLETED)
    assert (dialogue.end, dialogue.run.calls) == ("stop", ())
    assert dialogue.outputs[-1] != Finish("stop", USAGE)  # the tokens of both responses count


def test_a_call_that_codex_has_answered_is_not_the_clients() -> None:
    answered = raw_item("function_call_output", call_id="call_1", output="unsupported call")
    assert started().receive(raw_call("call_1"), answered, response_completed()).outputs == []


@pytest.mark.parametrize("is_late", [False, True])
def test_a_call_that_codex_asks_for_is_the_clients_whatever_it_looks_like(is_late: bool) -> None:
    messages = [tool_call("call_1"), response_completed()]
    dialogue = started().receive(raw_call("call_1", "odd name"), *(messages[::-1] if is_late else messages))
    assert dialogue.outputs == [Calls((ClientCall("call_1", "odd name", "{}"),)), Finish("tool_calls", USAGE)]


def test_what_is_left_of_the_response_before_is_nothing_to_a_held_turns_next_run() -> None:
    late = item_notification("item/started", "dynamicToolCall", "call_2")
    result = raw_item("function_call_output", call_id="call_1", output="rain")
    dialogue = ChatDialogue(turn_id=TURN).receive(tool_call("call_2"), late, result)
    assert (dialogue.outputs, dialogue.run.has_begun, dialogue.due_s) == ([], False, BEGIN_S)


def test_a_legacy_client_is_told_of_one_call_and_the_turn_cannot_be_held_for_more() -> None:
    one = started(uses_functions=True).receive(raw_call("call_1"), response_completed())
    assert one.outputs == [Calls((CALL,)), Finish("function_call", USAGE)]
    two = started(uses_functions=True).receive(raw_call("call_1"), raw_call("call_2"), response_completed())
    assert two.outputs == [Interrupt(), Calls((CALL,)), Finish("function_call", USAGE)]
    assert two.run.calls == (CALL,)


def test_reasoning_belongs_to_the_call_behind_it() -> None:
    secret = raw_item("reasoning", id="rs-1", encrypted_content="x", internal_chat_message_metadata_passthrough={})
    plain = raw_item("reasoning", id="rs-2", encrypted_content=None)
    dialogue = started().receive(secret, plain, raw_call("call_1"), raw_call("call_2"), response_completed())
    assert dialogue.run.reasoning_items == {"call_1": ({"type": "reasoning", "id": "rs-1", "encrypted_content": "x"},)}


# --- a forced call, emulated by a schema


FORCED = ForcedTool({"get_weather": SCHEMA}, is_single=True)


def test_the_answer_to_a_forced_choice_is_a_call() -> None:
    dialogue = started(forced=FORCED, output_schema=SCHEMA).receive(*COMMENTARY, *said('{"city": "Oslo"}'), COMPLETED)
    (calls,) = (each.calls for each in dialogue.outputs if isinstance(each, Calls))
    assert [(call.name, call.arguments) for call in calls] == [("get_weather", '{"city": "Oslo"}')]
    assert calls[0].id.startswith("call_")
    assert (dialogue.texts, dialogue.run.text, dialogue.end) == ([], "", "tool_calls")


def test_an_answer_that_is_no_call_is_text() -> None:
    dialogue = started(forced=FORCED, output_schema=SCHEMA, stop=("!",)).receive(*said("I will not! No"), COMPLETED)
    assert (dialogue.texts, dialogue.end) == (["I will not"], "stop")


def test_a_forced_call_that_was_cut_is_text_too() -> None:
    end = error_notification("Incomplete response returned, reason: max_output_tokens", will_retry=False)
    dialogue = started(forced=FORCED).receive(*said('{"city":'), end)
    assert (dialogue.texts, dialogue.end) == (['{"city":'], "length")


def test_a_model_that_calls_the_forced_tool_itself_is_taken_at_its_word() -> None:
    dialogue = started(forced=FORCED).receive(*said("{}"), raw_call("call_1"), response_completed())
    assert dialogue.outputs == [Calls((CALL,)), Finish("tool_calls", USAGE)]


# --- when the status line may be sent


def test_a_stream_begins_with_the_first_sign_of_an_answer() -> None:
    assert not started().run.has_begun
    assert not started().receive(item_notification("item/started", "userMessage")).run.has_begun
    assert not started().receive(RETRY).run.has_begun
    assert started().receive(REASONING).run.has_begun
    assert started().receive(raw_call("call_1")).run.has_begun
    assert started().receive(COMPLETED).run.has_begun
    assert not started().receive(failed_turn("broken")).run.has_begun


def test_a_stream_begins_after_ten_seconds_without_one() -> None:
    dialogue = started()
    assert (dialogue.due_s, started(is_stream=False).due_s) == (BEGIN_S, None)
    assert [dialogue.tick(at_s).run.has_begun for at_s in (9.9, BEGIN_S)] == [False, True]
    assert dialogue.due_s is None


# --- retries


def test_a_stream_that_has_begun_cannot_take_its_text_back() -> None:
    dialogue = started().receive(delta("Hel"), RETRY)
    assert (dialogue.end, dialogue.is_interrupted) == ((502, "upstream_error"), True)


def test_before_the_first_text_one_retry_is_let_through() -> None:
    dialogue = started().receive(REASONING, RETRY, *said("Hello"), response_completed(), COMPLETED)
    assert (dialogue.texts, dialogue.end) == (["Hello"], "stop")


def test_a_message_that_was_complete_stays_where_the_next_response_is_cut() -> None:
    first = [*said("one", phase=None), raw_call("call_1", "unknown"), response_completed()]
    for is_stream in (True, False):
        dialogue = started(is_stream=is_stream).receive(*first, RETRY, *said("two"), COMPLETED)
        assert (dialogue.run.text, dialogue.end) == ("one\n\ntwo", "stop")


def test_an_open_message_that_was_read_cannot_be_taken_back_but_one_that_was_not_can() -> None:
    opened = [*said("one", phase=None), message_started("msg-2"), delta("tw", "msg-2"), RETRY]
    assert started().receive(*opened).end == (502, "upstream_error")
    plain = started(is_stream=False).receive(*opened, *said("two", "msg-2"), COMPLETED)
    assert (plain.run.text, plain.end) == ("one\n\ntwo", "stop")
    commented = started(is_stream=False).receive(*COMMENTARY, *opened, *said("two", "msg-2"), COMPLETED)
    assert (commented.run.text, content_in(commented.run).thoughts.text) == ("one\n\ntwo", "I look.")
    unread = started().receive(*said("one", phase=None), message_started("msg-2"), RETRY, *said("two"), COMPLETED)
    assert ("".join(unread.texts), unread.end) == ("one\n\ntwo", "stop")


def test_a_final_answer_that_is_complete_is_the_end_whatever_is_cut_behind_it() -> None:
    dialogue = started().receive(*said("Hello"), RETRY)
    assert dialogue.outputs[1:] == [Interrupt(), Finish("stop", None)]
    earlier = started().receive(*said("one"), raw_call("call_1", "unknown"), response_completed(), RETRY)
    assert earlier.end is None


def test_the_second_retry_of_a_response_ends_the_answer() -> None:
    dialogue = started().receive(RETRY, REASONING, RETRY)
    assert dialogue.outputs[0] == Interrupt()
    assert dialogue.end == (502, "upstream_error")
    again = started().receive(REASONING, RETRY, *said("one", phase=None), response_completed(), RETRY, COMPLETED)
    assert again.end == "stop"  # another response


def test_a_retry_may_take_fifteen_seconds() -> None:
    dialogue = started().receive(RETRY, at_s=1)
    assert dialogue.due_s == 16  # nor is the status line sent meanwhile
    assert dialogue.tick(15.9).end is None
    assert not dialogue.run.has_begun
    assert dialogue.tick(16).outputs[0] == Interrupt()
    assert dialogue.end == (502, "upstream_error")
    assert dict(_error(dialogue).headers) == {"x-should-retry": "false"}


def test_time_is_not_lost_while_the_model_answers() -> None:
    dialogue = started().receive(RETRY, at_s=1).receive(REASONING, at_s=2)
    assert dialogue.due_s is None
    assert dialogue.tick(100).end is None


def test_a_login_that_is_refused_is_told_at_once() -> None:
    dialogue = started().receive(LOGIN_RETRY)
    assert (dialogue.end, dialogue.is_interrupted) == ((401, "codex_login_required"), True)


def test_thoughts_stay_and_the_new_ones_are_set_apart() -> None:
    dialogue = started().receive(thought("hm"), RETRY, thought("hm"), delta("a"), COMPLETED)
    assert (dialogue.thoughts, dialogue.end) == (["hm", "\n\nhm"], "stop")


def test_calls_of_a_response_that_comes_again_are_forgotten() -> None:
    again = [raw_call("call_2"), response_completed()]
    dialogue = started().receive(raw_call("call_1"), RETRY, *again)
    assert dialogue.run.calls == (ClientCall("call_2", "get_weather", "{}"),)


def test_text_that_was_held_back_may_still_be_taken_back() -> None:
    dialogue = started(stop=("Hello!",)).receive(delta("Hel"), RETRY, delta("Hey"), COMPLETED)
    assert ("".join(dialogue.texts), dialogue.end) == ("Hey", "stop")


# --- ends


def test_a_turn_that_failed_without_a_word_before_it_is_told() -> None:
    assert started().receive(failed_turn("spent", "usageLimitExceeded")).end == (429, "usage_limit_reached")


def test_a_turn_that_somebody_interrupted_is_never_a_silent_stop() -> None:
    assert started().receive(delta("Hel"), INTERRUPTED).end == (503, "interrupted")


def test_a_policy_ends_an_answer_that_has_begun_as_a_content_filter() -> None:
    policy = error_notification("no", will_retry=False, info="cyberPolicy")
    assert started().receive(policy).end == (400, "content_policy_violation")
    assert started().receive(REASONING, policy).end == "content_filter"
    assert started(is_stream=False).receive(REASONING, policy).end == (400, "content_policy_violation")
    assert started(is_stream=False).receive(delta("a"), policy).end == "content_filter"


def test_the_caller_may_end_a_run() -> None:
    dialogue = started(stop=("END",)).receive(delta("one E"))
    error = interrupted()
    outputs = dialogue.run.give_up(error)
    assert outputs == [Text("E"), Failed(error)]
    assert dialogue.run.is_over
    assert started().run.give_up(error) == [Failed(error)]


def test_a_response_that_is_cut_behind_a_call_is_waited_for_no_longer_than_its_silence() -> None:
    dialogue = started().receive(raw_call("call_1"), at_s=1).receive(tool_call("call_1"), at_s=2)
    assert dialogue.due_s == 2 + SILENCE_S
    dialogue.receive(raw_call("call_2"), at_s=3)
    assert dialogue.tick(2 + SILENCE_S).end is None
    assert dialogue.tick(3 + SILENCE_S).outputs == [
        Calls((CALL, ClientCall("call_2", "get_weather", "{}"))),
        Finish("tool_calls", None),
    ]


def _error(dialogue: ChatDialogue) -> ApiError:
    (failed,) = (each for each in dialogue.outputs if isinstance(each, Failed))
    return failed.error


def test_when_a_limit_ends_is_told_in_unix_time_and_nothing_else_depends_on_it() -> None:
    report = {"rateLimits": {"primary": {"usedPercent": 100, "windowDurationMins": 60, "resetsAt": 1_000_030}}}
    limits = AccountLimits()
    limits.note(report)
    run = chat_run(request(), now_s=5.0, unix_s=1_000_000.0, turn_id=TURN, limits=limits)
    (failed,) = run.feed(failed_turn("spent", "usageLimitExceeded"), 10.0)
    assert isinstance(failed, Failed)
    assert dict(failed.error.headers)["Retry-After"] == "20"


def test_a_conversation_is_not_answered_from_a_summary() -> None:
    dialogue = started().receive(item_notification("item/started", "contextCompaction", "c"))
    assert isinstance(dialogue.outputs[0], Interrupt)
    assert dialogue.end == (400, "context_length_exceeded")
