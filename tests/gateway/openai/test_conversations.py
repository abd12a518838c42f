"""Which thread a request runs on: the prompt-cache key stays over a conversation, and no answer goes astray."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of
from tests.kit.support import wait_until

MODEL = "gpt-5.5"


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def keys_of(rules: ChatModel) -> list[Any]:
    return [body["prompt_cache_key"] for body in rules.seen]


def threads_of(rules: ChatModel) -> list[Any]:
    return [body["client_metadata"]["thread_id"] for body in rules.seen]


def ask(client: openai.OpenAI, messages: list[Any], **more: Any) -> list[Any]:
    """Ask, and return the conversation with the answer."""
    answer = client.chat.completions.create(model=MODEL, messages=messages, **more)
    return [*messages, answer.choices[0].message]


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_a_conversation_keeps_its_prompt_cache_key(client: openai.OpenAI, rules: ChatModel, *, is_stream: bool) -> None:
    messages: list[Any] = [{"role": "system", "content": "Be terse."}, user("say one")]
    for text in ("say two", "say three", "say four"):
        if is_stream:
            with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
                said = stream.get_final_completion().choices[0].message.content
            messages.append({"role": "assistant", "content": said})
        else:
            messages = ask(client, messages)
        messages.append(user(text))
    ask(client, messages)
    assert len(set(keys_of(rules))) == 1
    expected = [("user", "say one"), ("assistant", "one"), ("user", "say two"), ("assistant", "two")]
    assert conversation_of(rules.seen[2])[1:5] == expected
    assert len(conversation_of(rules.seen[3])) == 8


@pytest.mark.parametrize(
    "change",
    [
        {"verbosity": "low"},
        {"model": "gpt-6.1-sol"},
        {"prompt_cache_key": "another"},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ],
    ids=["verbosity", "model", "key", "tools"],
)
def test_other_terms_are_another_thread(client: openai.OpenAI, rules: ChatModel, change: dict[str, Any]) -> None:
    messages = [*ask(client, [user("say one")]), user("say two")]
    answer = client.chat.completions.create(**{"model": MODEL, "messages": messages, **change})
    assert answer.choices[0].message.content == "two"
    assert len(set(threads_of(rules))) == 2
    assert [text for _, text in conversation_of(rules.seen[1])] == ["say one", "one", "say two"]


def test_an_edited_history_is_another_thread(client: openai.OpenAI, rules: ChatModel) -> None:
    first, answer = ask(client, [user("say one")])
    ask(client, [first, {"role": "assistant", "content": "won"}, user("say two")])
    ask(client, [user("say once"), answer, user("say two")])
    assert len(set(threads_of(rules))) == 3
    assert [text for _, text in conversation_of(rules.seen[1])] == ["say one", "won", "say two"]


def test_two_branches_of_a_conversation_do_not_mix(client: openai.OpenAI, rules: ChatModel) -> None:
    stem = ask(client, [user("say one")])
    left = ask(client, [*stem, user("say left")])
    right = ask(client, [*stem, user("say right")])
    ask(client, [*left, user("say more")])
    ask(client, [*right, user("say more")])
    threads = threads_of(rules)
    assert threads[0] == threads[1] == threads[3]
    assert threads[2] == threads[4] != threads[0]
    assert len(set(keys_of(rules))) == 1
    assert [text for _, text in conversation_of(rules.seen[4])] == ["say one", "one", "say right", "right", "say more"]


def test_a_busy_thread_is_not_shared(client: openai.OpenAI, rules: ChatModel) -> None:
    stem = [*ask(client, [user("say one")]), user("hold")]
    gate = rules.close_gate()
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(ask, client, stem) for _ in range(2)]
        wait_until(lambda: len(rules.seen) == 3, what="both requests")
        gate.open()
        assert [each.result()[-1].content for each in answers] == ["begin end", "begin end"]
    assert len(set(threads_of(rules))) == 2


def test_the_longest_history_that_fits_is_continued(client: openai.OpenAI, rules: ChatModel) -> None:
    short = ask(client, [user("say one")])
    long = ask(client, [*short, user("say two")])
    other = ask(client, [user("say one")])  # a thread that holds the beginning alone
    ask(client, [*long, user("say three")])
    ask(client, [*other, user("say four")])
    threads = threads_of(rules)
    assert threads[3] == threads[1] == threads[0]
    assert threads[4] == threads[2] != threads[0]


def test_an_answer_that_was_cut_is_not_continued(client: openai.OpenAI, rules: ChatModel) -> None:
    messages = ask(client, [user("say one two three")], stop=["two"])
    assert messages[-1].content == "one "
    ask(client, [*messages, user("say four")], stop=["two"])
    assert len(set(threads_of(rules))) == 2
    assert [text.strip() for _, text in conversation_of(rules.seen[1])] == ["say one two three", "one", "say four"]


@pytest.mark.full
@pytest.mark.version_free
def test_fifty_streams_at_once_each_have_their_own_frames(chats: ChatGateway, rules: ChatModel) -> None:
    client = chats.client(max_retries=0)
    barrier = threading.Barrier(50)

    def one(number: int) -> tuple[str, str, set[str]]:
        words = " ".join(f"{number}.{word}" for word in range(60))
        barrier.wait()
        stream = client.chat.completions.create(model=MODEL, messages=[user(f"say {words}")], stream=True)
        chunks = list(stream)
        return words, "".join(chunk.choices[0].delta.content or "" for chunk in chunks), {each.id for each in chunks}

    ids: list[str] = []
    with client, ThreadPoolExecutor(50) as pool:
        for words, said, its_ids in pool.map(one, range(50)):
            assert said == words
            ids += its_ids
    assert len(set(ids)) == len(ids) == 50
    assert len(set(keys_of(rules))) == 50


@pytest.mark.full
@pytest.mark.version_free
def test_many_requests_in_turn_leave_no_threads_behind(client: openai.OpenAI, chats: ChatGateway) -> None:
    for number in range(150):
        ask(client, [user(f"say {number}")])
    assert len(chats.state.threads) == 64
    wait_until(lambda: len(chats.loaded_threads()) <= 64, what="the end of what fell out")
