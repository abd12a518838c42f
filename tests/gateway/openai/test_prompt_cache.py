"""Requests that begin alike share a prompt-cache key, also where no thread is continued; and nothing stays of it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from codex_server_cli.demo import replies
from codex_server_cli.gateway.openai import anchors
from tests.gateway.openai.test_conversations import MODEL, ask, keys_of, threads_of, user
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of
from tests.kit.support import wait_until

TOOL = {"type": "function", "function": {"name": "f"}}


def ways_of(chats: ChatGateway, n: int) -> list[str]:
    """How the last requests came to their threads, once their ends are in the log."""
    return [line["thread"] for line in chats.log.requests[-n:]]


def sessions_of(chats: ChatGateway) -> list[str]:
    """The names of a model request's session, as its headers have them."""
    return [each.headers["session-id"] for each in chats.model.requests if each.is_model_request]


def traces_of(chats: ChatGateway) -> list[Path]:
    """Everything that a thread might have left on disk."""
    home, ours = chats.server.codex_home, chats.server.home / "gateway" / "anchors"
    names = ("*.jsonl", "*.jsonl.lock", "thread-writer-locks/*")
    return [path for name in names for path in home.rglob(name)] + list(ours.iterdir())


def listed_threads(chats: ChatGateway) -> list[Any]:
    """What any list of Codex's shows."""

    async def listed() -> list[Any]:
        connection = await chats.gateway.app_server.kept("test")
        kinds = ["cli", "vscode", "exec", "appServer", "subAgent", "unknown"]
        asked: list[dict[str, Any]] = [{"sourceKinds": kinds, "archived": archived} for archived in (False, True)]
        return [each for params in asked for each in (await connection.call("thread/list", params))["data"]]

    return chats.run(listed())


def test_an_answer_that_is_asked_for_again_meets_the_cache(
    client: openai.OpenAI, rules: ChatModel, chats: ChatGateway
) -> None:
    messages = [{"role": "system", "content": "Be terse."}, user("say one")]
    for number in range(3):
        answer = client.chat.completions.create(model=MODEL, messages=messages, temperature=number)
        assert answer.choices[0].message.content == "one"
    assert len(set(threads_of(rules))) == 3
    assert set(keys_of(rules)) == set(sessions_of(chats)[-3:])
    assert len(set(keys_of(rules))) == 1
    assert [conversation_of(body) for body in rules.seen] == [[("developer", "Be terse."), ("user", "say one")]] * 3


def test_a_conversation_keeps_its_key_where_its_thread_is_gone(
    client: openai.OpenAI, rules: ChatModel, chats: ChatGateway
) -> None:
    messages = [*ask(client, [user("say one")]), user("say two")]
    chats.call(chats.state.threads.clear)
    edited = [*ask(client, messages)[:3], {"role": "assistant", "content": "2"}, user("say three")]
    ask(client, edited)
    assert len(set(threads_of(rules))) == 3
    assert len(set(keys_of(rules))) == 1
    assert [text for _, text in conversation_of(rules.seen[2])] == ["say one", "one", "say two", "2", "say three"]


def test_clients_at_once_share_the_cache_that_they_name(client: openai.OpenAI, rules: ChatModel) -> None:
    gate = rules.close_gate()

    def one(number: int) -> Any:
        messages = [{"role": "system", "content": f"You are {number}."}, user("hold")]
        return client.chat.completions.create(model=MODEL, messages=messages, prompt_cache_key="ours")

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(one, number) for number in range(8)]
        wait_until(lambda: len(rules.seen) == 8, what="all requests")
        gate.open()
        assert {each.result().usage.total_tokens for each in answers} == {120}
    assert len(set(threads_of(rules))) == 8
    assert len(set(keys_of(rules))) == 1
    ask(client, [user("say one")], prompt_cache_key="theirs")
    assert len(set(keys_of(rules))) == 2


def test_responses_share_the_cache_as_chats_do_and_with_them(
    client: openai.OpenAI, rules: ChatModel, chats: ChatGateway
) -> None:
    first = client.responses.create(model=MODEL, input="think it over", reasoning={"summary": "auto"})
    again = client.responses.create(model=MODEL, input="think it over", reasoning={"summary": "auto"}, store=False)
    for response in (first, again):
        assert [item.type for item in response.output] == ["reasoning", "message"]
        assert response.usage is not None
        assert response.usage.total_tokens == 120
    client.responses.create(model=MODEL, input="say one", previous_response_id=first.id, reasoning={"summary": "auto"})
    ask(client, [user("think it over")])
    assert len(set(keys_of(rules))) == 1
    wait_until(lambda: ways_of(chats, 4) == ["forked", "forked", "kept", "forked"], what="their lines in the log")
    client.responses.create(model=MODEL, input="think it over", include=["reasoning.encrypted_content"])
    assert len(set(keys_of(rules))) == 2


def test_usage_is_that_of_the_answer_alone(client: openai.OpenAI, rules: ChatModel) -> None:
    rules.attempts = [replies.call("exec_command", {"cmd": "ls"})]  # which Codex answers itself
    first = client.chat.completions.create(model=MODEL, messages=[user("try")])
    messages: Any = [user("try"), first.choices[0].message, user("say two")]
    second = client.chat.completions.create(model=MODEL, messages=messages)
    assert len(set(threads_of(rules))) == 1
    assert [answer.usage.total_tokens for answer in (first, second) if answer.usage] == [240, 120]
    assert second.usage is not None
    assert second.usage.prompt_tokens_details is not None
    assert second.usage.prompt_tokens_details.cached_tokens == 40


def test_nothing_of_it_stays_in_codexs_home_or_in_ours(client: openai.OpenAI, chats: ChatGateway) -> None:
    ask(client, [user("say one")])
    ask(client, [user("say one")], prompt_cache_key="k")
    assert traces_of(chats) == []
    assert listed_threads(chats) == []


@pytest.mark.parametrize("trouble", ["no place", "refused"])
def test_where_no_thread_can_be_forked_a_fresh_one_answers(
    client: openai.OpenAI, rules: ChatModel, chats: ChatGateway, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(chats.run(chats.state.backend()), "can_fork", True)  # it is put back, too
    if trouble == "refused":
        monkeypatch.setattr(anchors, "anchor_line", lambda *_, **__: "{}\n")
    else:
        monkeypatch.setattr(chats.state.anchors, "_directory", chats.server.home / "config.json")
    stem = ask(client, [user(f"say {trouble}")])
    ask(client, [*stem, user("say two")])
    ask(client, [user(f"say {trouble}")])
    assert len(set(threads_of(rules))) == len(set(keys_of(rules))) == 2
    wait_until(lambda: ways_of(chats, 3) == ["fresh", "kept", "fresh"], what="their lines in the log")
    assert list((chats.server.home / "gateway" / "anchors").glob("*")) == []


def test_calls_of_tools_need_a_thread_with_raw_events(
    client: openai.OpenAI, rules: ChatModel, chats: ChatGateway
) -> None:
    ask(client, [user("say one")], tools=[TOOL])
    ask(client, [user("say one")], tools=[TOOL], tool_choice="none")
    assert len(set(keys_of(rules))) == 2
    wait_until(lambda: ways_of(chats, 2) == ["fresh", "forked"], what="their lines in the log")


def test_what_a_killed_gateway_left_is_deleted_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young, other = (tmp_path / name for name in ("old.jsonl", "young.jsonl", "other.txt"))
    for path in (old, young, other):
        path.write_text("")
    for path in (old, other):
        os.utime(path, (0, 0))
    made = anchors.Anchors(tmp_path)
    path = made._write("id", "/empty")
    assert set(tmp_path.iterdir()) == {young, other, path}
    assert path.stat().st_mode & 0o777 == 0o600
    os.utime(young, (0, 0))
    path.unlink()
    assert made._write("id", "/empty") in tmp_path.iterdir()
    assert young.exists()  # until it is time again
    monkeypatch.setattr(anchors, "_ABANDONED_S", 0.0)
    made._write("id", "/empty")
    assert not young.exists()
