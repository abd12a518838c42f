"""A request finds the thread of its history, and no other: by what the client sends back, however it writes it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.conversation import (
    Trailing,
    answer_items,
    history_of,
    is_keepable,
    terms_key,
    tool_result,
    trailing_results,
    turn_key,
)
from codex_server_cli.core.openai.tools import ClientCall
from tests.core.openai.bodies import ASKED, PNG, call_item, message, output_item, request, tool
from tests.kit.cases import examples, for_each

NEXT = {"role": "user", "content": "and?"}
LOOK = ClientCall("c1", "look", '{"city": "Oslo", "n": [1, 2]}')
WAIT = ClientCall("c2", "wait", "{}")


def sent_back(*calls: ClientCall, **others: Any) -> dict[str, Any]:
    """An assistant message with calls, as a faithful client sends it back."""
    listed = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    return {"role": "assistant", "tool_calls": listed, **others}


def result(call_id: str, content: Any = "rain") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def filed(asked: ChatRequest, text: str = "", *calls: ClientCall) -> str:
    """The key under which the thread or turn of an answered request is filed."""
    return history_of(asked).prefix_keys(answer_items([text], calls))[-1]


def prefix_keys(asked: ChatRequest) -> list[str]:
    return history_of(asked).prefix_keys()


@for_each(
    "answer",
    [
        {"role": "assistant", "content": "the answer"},
        {"role": "assistant", "content": "the answer", "tool_calls": None, "function_call": None, "refusal": None},
        {"role": "assistant", "content": "the answer", "tool_calls": []},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "the answer"}],
            "name": "bot",
            "reasoning_content": "x",
        },
        {"role": "assistant", "content": ["the ", "answer"]},
        {"role": "assistant", "content": " the answer\n"},
    ],
)
def test_a_request_that_goes_on_from_an_answer_finds_its_thread(answer: Any) -> None:
    keys = prefix_keys(request(ASKED, answer, NEXT))
    assert keys.index(filed(request(), "the answer\n")) == 1


@for_each(
    "answer",
    [
        sent_back(LOOK, WAIT),
        sent_back(LOOK, WAIT, content=None),
        sent_back(LOOK, WAIT, content=""),
        sent_back(LOOK, WAIT, content="Let me see."),
        sent_back(LOOK, WAIT, content=[{"type": "text", "text": "Let me see."}]),
        sent_back(LOOK._replace(arguments='{"n":[1,2],"city":"Oslo"}'), WAIT._replace(arguments="")),
    ],
)
@for_each("text", ["", "Let me see."])
def test_results_of_calls_find_the_turn_that_waits_for_them(answer: Any, text: str) -> None:
    asked = request(ASKED, answer, result("c2"), result("c1"))
    trailing = trailing_results(asked)
    assert trailing is not None
    assert prefix_keys(asked)[trailing.n_before - 1] == filed(request(), text, LOOK, WAIT)


def test_text_before_calls_may_come_as_a_message_of_its_own() -> None:
    asked = request(ASKED, {"role": "assistant", "content": "Let me"}, sent_back(LOOK, content="see."), result("c1"))
    assert prefix_keys(asked)[3] == filed(request(), "Let me see.", LOOK)


def test_reasoning_does_not_decide_which_thread_goes_on() -> None:
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
    q, a, see, call = message("user", "q"), message("assistant", "a"), message("assistant", "I see."), call_item("c1")
    plain = request()._replace(items=(q, a, q, call, output_item("c1", "rain")))
    rich = request()._replace(items=(q, thought, a, q, see, thought, call, output_item("c1", "rain"), thought))
    assert [prefix_keys(rich)[index] for index in (0, 2, 3, 6, 7)] == prefix_keys(plain)
    assert trailing_results(rich) is None
    assert trailing_results(rich._replace(items=rich.items[:-1])) is not None


@for_each(
    "answer",
    [
        {"role": "assistant", "content": "another answer"},
        {"role": "user", "content": "the answer"},
        {"role": "system", "content": "the answer"},
        {"role": "assistant", "content": "the answer"} | sent_back(LOOK),
    ],
)
def test_another_answer_is_another_conversation(answer: Any) -> None:
    assert filed(request(), "the answer") not in prefix_keys(request(ASKED, answer, NEXT))


@for_each(
    "answer",
    [
        sent_back(LOOK),
        sent_back(WAIT, LOOK),
        sent_back(LOOK._replace(id="c9"), WAIT),
        sent_back(LOOK._replace(name="see"), WAIT),
        sent_back(LOOK._replace(arguments='{"city": "Rome", "n": [1, 2]}'), WAIT),
        sent_back(LOOK._replace(arguments='{"city": "Oslo", "n": [2, 1]}'), WAIT),
        sent_back(LOOK._replace(arguments='{"city": "Oslo"'), WAIT),
    ],
)
def test_other_calls_are_another_conversation(answer: Any) -> None:
    assert filed(request(), "", LOOK, WAIT) not in prefix_keys(request(ASKED, answer, result("c1")))


@for_each("arguments", ["not json", "[" * 100_000, '{"n": 1' + "0" * 5000 + "}", '"\\ud800"', "NaN"])
def test_arguments_that_cannot_be_compared_as_values_are_compared_as_text(arguments: str) -> None:
    odd = LOOK._replace(arguments=arguments)
    assert prefix_keys(request(ASKED, sent_back(odd), result("c1")))[1] == filed(request(), "", odd)
    assert filed(request(), "", odd) != filed(request(), "", LOOK)


@for_each(
    "messages",
    [
        [{"role": "user", "content": "p"}],
        [{"role": "user", "content": ["q", "q"]}],
        [{"role": "system", "content": "q"}],
        [{"role": "system", "content": "brief"}, ASKED],
        [{"role": "user", "content": ["q", {"type": "image_url", "image_url": PNG}]}],
    ],
)
def test_another_question_is_another_conversation(messages: Any) -> None:
    asked = request(*messages, {"role": "assistant", "content": "a"}, NEXT)
    assert filed(request(), "a") not in prefix_keys(asked)


def test_other_results_are_another_conversation() -> None:
    history = (ASKED, sent_back(LOOK))
    keys = {filed(request(*history, result("c1", content)), "a") for content in ("rain", "snow", ["rain", "rain"])}
    assert len(keys) == 3


def test_an_empty_answer_leaves_the_history_as_it_was() -> None:
    asked = request(ASKED, {"role": "assistant", "content": ""}, NEXT)
    assert prefix_keys(asked)[0] == filed(request(), " ")


def test_the_key_of_text_beside_calls_is_that_of_no_thread() -> None:
    keys = prefix_keys(request(ASKED, sent_back(LOOK, content="Let me see."), result("c1")))
    assert len(set(keys)) == 4
    assert filed(request(), "Let me see.") not in keys


def test_the_longest_prefix_is_the_last_key() -> None:
    asked = request(ASKED, {"role": "assistant", "content": "a"}, NEXT)
    assert prefix_keys(asked)[:1] == prefix_keys(request())
    assert len(set(prefix_keys(asked))) == 3


@for_each(
    "body",
    [
        {"model": "gpt-5.5"},
        {"reasoning_effort": "high"},
        {"reasoning": {"summary": "auto"}},
        {"verbosity": "low"},
        {"prompt_cache_key": "k"},
        {"tools": [tool("look")]},
        {"tools": [tool("look", {"type": "object", "properties": {"a": {"type": "string"}}})]},
        {"tools": [tool("look"), tool("wait")]},
        {"functions": [{"name": "look"}]},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_other_terms_are_another_thread(body: Any) -> None:
    assert terms_key(request(**body)) != terms_key(request())
    assert turn_key(request(**body)) != turn_key(request())
    assert not set(prefix_keys(request(**body))) & set(prefix_keys(request()))
    assert terms_key(request(**body)) == terms_key(request(NEXT, **body))


SYSTEM = {"role": "system", "content": "Be terse."}


@for_each(
    "messages",
    [
        [SYSTEM, ASKED],
        [SYSTEM, ASKED, {"role": "assistant", "content": "an answer"}, NEXT],
        [SYSTEM, ASKED, {"role": "assistant", "content": "edited"}, SYSTEM],
    ],
)
def test_conversations_that_begin_alike_share_a_prompt_cache(messages: Any) -> None:
    assert history_of(request(*messages)).anchor == history_of(request(SYSTEM, ASKED, SYSTEM)).anchor
    assert history_of(request(*messages, verbosity="low", reasoning_effort="high")).anchor == (
        history_of(request(*messages)).anchor
    )


@for_each(
    "other",
    [
        request(SYSTEM, NEXT),
        request(ASKED),
        request(SYSTEM),
        request(SYSTEM, SYSTEM, ASKED),
        request(SYSTEM, ASKED, model="gpt-5.5"),
        request(SYSTEM, ASKED, prompt_cache_key="k"),
    ],
)
def test_conversations_that_begin_otherwise_do_not(other: ChatRequest) -> None:
    assert history_of(other).anchor != history_of(request(SYSTEM, ASKED)).anchor


def test_a_key_of_the_clients_names_the_prompt_cache() -> None:
    with_key = history_of(request(SYSTEM, ASKED, prompt_cache_key="k")).anchor
    assert history_of(request(NEXT, prompt_cache_key="k")).anchor == with_key
    assert history_of(request(NEXT, user="k")).anchor == with_key
    assert history_of(request(NEXT, prompt_cache_key="l")).anchor != with_key
    assert history_of(request(NEXT, prompt_cache_key="k", model="gpt-5.5")).anchor != with_key


def test_a_request_that_needs_raw_items_continues_no_thread_without() -> None:
    assert terms_key(request()._replace(needs_raw_items=True)) != terms_key(request())


def test_the_order_of_tools_is_no_term() -> None:
    assert terms_key(request(tools=[tool("look"), tool("wait")])) == terms_key(
        request(tools=[tool("wait"), tool("look")])
    )


@for_each(
    "body",
    [
        {"service_tier": "flex"},
        {"response_format": {"type": "json_schema", "json_schema": {"strict": True, "schema": {"type": "object"}}}},
    ],
)
def test_what_each_turn_names_anew_is_a_term_of_the_turn_alone(body: Any) -> None:
    assert terms_key(request(**body)) == terms_key(request())
    assert turn_key(request(**body)) != turn_key(request())


@for_each("body", [{"stop": "x"}, {"stream": True}, {"temperature": 0}, {"max_tokens": 5}, {"num_ctx": 1}])
def test_what_never_reaches_codex_is_no_term(body: Any) -> None:
    assert turn_key(request(**body)) == turn_key(request())


@for_each(("choice", "keepable"), [("auto", True), ("none", True), ("required", False), ({"name": "look"}, False)])
def test_a_thread_with_a_forced_call_is_not_kept(choice: Any, keepable: bool) -> None:
    assert is_keepable(request(tools=[tool("look")], tool_choice=choice)) is keepable


def test_legacy_calls_are_compared_without_the_ids_that_they_do_not_have() -> None:
    legacy: dict[str, Any] = {"functions": [{"name": "look"}]}
    answer = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": LOOK.arguments}}
    asked = request(ASKED, answer, {"role": "function", "name": "look", "content": "rain"}, **legacy)
    trailing = trailing_results(asked)
    assert trailing is not None
    assert list(trailing.outputs.values()) == ["rain"]
    key = prefix_keys(asked)[trailing.n_before - 1]
    assert key == filed(request(**legacy), "", LOOK)
    assert key != filed(request(**legacy), "Let me see.", LOOK)


@for_each(
    ("messages", "trailing"),
    [
        ([ASKED], None),
        ([ASKED, sent_back(LOOK)], None),
        ([ASKED, sent_back(LOOK), NEXT], None),
        ([ASKED, sent_back(LOOK), result("c1"), {"role": "assistant", "content": "a"}, NEXT], None),
        ([ASKED, sent_back(LOOK), result("c1")], Trailing(2, {"c1": "rain"}, ())),
        ([ASKED, sent_back(LOOK), result("c1"), NEXT], Trailing(2, {"c1": "rain"}, (message("user", "and?"),))),
        (
            [ASKED, sent_back(LOOK, WAIT), result("c2", ""), NEXT, result("c1")],
            Trailing(3, {"c2": "", "c1": "rain"}, (message("user", "and?"),)),
        ),
        (
            [sent_back(LOOK), result("c1"), sent_back(WAIT, content="then"), result("c2")],
            Trailing(4, {"c2": "rain"}, ()),
        ),
    ],
)
def test_the_results_at_the_end_are_found(messages: Any, trailing: Any) -> None:
    assert trailing_results(request(*messages)) == trailing


def test_a_result_is_the_reply_to_its_call() -> None:
    assert tool_result("rain") == {"contentItems": [{"type": "inputText", "text": "rain"}], "success": True}
    shown = request(sent_back(LOOK), result("c1", ["rain", {"type": "image_url", "image_url": PNG}]))
    assert tool_result(shown.items[-1]["output"])["contentItems"] == [
        {"type": "inputText", "text": "rain"},
        {"type": "inputImage", "imageUrl": PNG},
    ]


TEXTS = st.sampled_from(["a", "b", "", None])
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), TEXTS), min_size=1, max_size=5)


@examples(100)
@given(first=TURNS, second=TURNS)
def test_the_same_key_means_the_same_history(first: Any, second: Any) -> None:
    start = {"role": "user", "content": "start"}
    one, other = (
        request(start, *({"role": role, "content": text} for role, text in turns)) for turns in (first, second)
    )
    is_same = json.dumps(one.items) == json.dumps(other.items)
    assert (prefix_keys(one)[-1] == prefix_keys(other)[-1]) is is_same


def test_reasoning_is_remembered_by_the_whole_history_and_the_model_and_by_no_id_alone() -> None:
    asked = request(ASKED)
    kept = history_of(asked).reasoning_keys(answer_items([""], [LOOK]))[-1]
    again = [ASKED, sent_back(LOOK), result("c1")]
    assert history_of(request(*again)).reasoning_keys()[1] == kept
    assert history_of(request(*again, tools=[tool("other")], reasoning_effort="high")).reasoning_keys()[1] == kept
    assert kept not in history_of(request(*again, model="another")).reasoning_keys()
    assert kept not in history_of(request(NEXT, *again[1:])).reasoning_keys()
    other = LOOK._replace(arguments="{}")
    assert kept not in history_of(request(ASKED, sent_back(other), result("c1"))).reasoning_keys()
