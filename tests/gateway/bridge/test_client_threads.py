"""What a WebSocket client has to do with: which messages are for it, and which turns are its own."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.gateway.bridge.threads import ClientThreads


def request(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"id": number, "method": method, "params": params}


def told(method: str, **params: Any) -> dict[str, Any]:
    return {"method": method, "params": params}


def waits(threads: ClientThreads) -> bool:
    return threads.has_unanswered


def test_messages_about_other_clients_threads_do_not_concern_it() -> None:
    threads = ClientThreads()
    threads.note_sent(request(1, "thread/start"))
    threads.note_received({"id": 1, "result": {"thread": {"id": "mine"}}})
    threads.note_received(told("thread/started", thread={"id": "child", "parentThreadId": "mine"}))
    threads.note_received(told("thread/started", thread={"id": "other", "parentThreadId": None}))
    for thread_id, is_mine in (("mine", True), ("child", True), ("other", False)):
        assert threads.concern(told("turn/started", threadId=thread_id)) is is_mine
        assert threads.concern(told("thread/started", thread={"id": thread_id})) is is_mine
        assert threads.concern({"id": 0, **told("item/tool/call", threadId=thread_id)}) is is_mine
    assert threads.concern(told("account/updated"))
    assert threads.concern({"id": 1, "error": {}})
    assert not threads.concern({"id": 0, **told("attestation/generate")}), "it would speak for the whole app-server"
    threads.note_sent(request(2, "thread/read", threadId="other"))
    assert threads.concern(told("turn/started", threadId="other")), "it has named it"


def heard(threads: ClientThreads, *messages: dict[str, Any]) -> list[Any]:
    return [json.loads(each) for message in messages for each in threads.told(message, json.dumps(message).encode())]


def started(thread_id: str) -> dict[str, Any]:
    return told("thread/started", thread={"id": thread_id, "parentThreadId": None})


def test_a_thread_that_another_client_starts_meanwhile_is_not_taken_for_its_own() -> None:
    threads = ClientThreads()
    assert heard(threads, started("before")) == []
    threads.note_sent(request(1, "thread/start"))
    others = [started("other"), told("thread/status/changed", threadId="other"), told("x", threadId="third")]
    mine = [started("mine"), told("thread/status/changed", threadId="mine")]
    account, reply = told("account/updated"), {"id": 1, "result": {"thread": {"id": "mine"}}}
    assert heard(threads, *others, *mine, account) == [account]
    assert heard(threads, reply) == [*mine, reply], "in the order in which they came"
    assert heard(threads, *others, told("turn/started", threadId="other")) == []
    assert heard(threads, *mine) == mine


def test_what_is_held_back_is_bounded_and_is_forgotten_with_the_last_reply() -> None:
    threads = ClientThreads()
    threads.note_sent(request(1, "thread/start"))
    threads.note_sent(request(2, "thread/fork", threadId="t"))
    for number in range(3000):
        message = started(f"{number}")
        assert threads.told(message, b"x" * 10_000) == []
    assert sum(len(each) for held in threads._buffered.values() for each in held) < 5 << 20
    assert heard(threads, {"id": 1, "error": {}})
    assert threads._buffered, "the other one may be among them"
    assert heard(threads, {"id": 2, "error": {}})
    assert threads._buffered == {}


def test_a_turn_is_its_own_from_its_reply_to_its_end() -> None:
    threads = ClientThreads()
    threads.note_sent(request(1, "turn/start", threadId="t"))
    assert waits(threads)
    threads.note_received({"id": "1", "result": {"turn": {"id": "not this"}}})
    assert waits(threads), 'the id "1" is not the id 1'
    threads.note_received({"id": 1, "result": {"turn": {"id": "u"}}})
    assert not waits(threads)
    assert threads.running() == [("t", "u")]
    threads.note_received(told("turn/completed", threadId="t", turn={"id": "another"}))
    assert threads.running() == [("t", "u")]
    threads.note_received(told("turn/completed", threadId="t", turn={"id": "u"}))
    assert threads.running() == []


def test_a_turn_that_its_reply_does_not_name_is_known_by_its_beginning() -> None:
    threads = ClientThreads()
    threads.note_sent(request(1, "thread/shellCommand", threadId="t", command="true"))
    threads.note_received(told("turn/started", threadId="other", turn={"id": "x"}))
    threads.note_received(told("turn/started", threadId="t", turn={"id": "u"}))
    threads.note_received(told("turn/started", threadId="t", turn={"id": "later"}))
    threads.note_received({"id": 1, "result": {}})
    assert threads.running() == [("t", "u")]


def test_a_client_that_asks_without_end_is_remembered_within_a_bound() -> None:
    threads = ClientThreads()
    for number in range(20_000):
        threads.note_sent(request(number, "turn/start", threadId=f"t{number}"))
    threads.note_sent(request(1, "thread/read", threadId="x" * 1000))
    assert len(threads._asked) <= 1024
    assert len(threads._known) <= 10_000
    threads.note_sent({"id": 0, "result": {}})
    assert not threads.concern(told("turn/started", threadId="x" * 1000))
