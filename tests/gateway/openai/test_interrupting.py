"""The end of a turn that has no client any more, over a connection that answers as it is told."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from codex_server_cli.gateway.openai import client_thread
from codex_server_cli.gateway.openai.client_thread import ClientThread, ClientTurn
from codex_server_cli.gateway.upstream.connection import UpstreamConnection, UpstreamError
from codex_server_cli.gateway.upstream.feed import FeedOverflow, ThreadFeed
from codex_server_cli.gateway.upstream.wire import UpstreamGone

STARTED = {"method": "turn/started", "params": {"turn": {"id": "turn"}}}
OVER = {"method": "turn/completed", "params": {"turn": {"id": "turn"}}}


class Played:
    """A connection: says what comes after each call, and keeps what was called.

    Args:
        after: for each `turn/interrupt` in turn, the messages that follow, or the error.
    """

    def __init__(self, *after: list[Any] | Exception, is_open: bool = True) -> None:
        self.is_open = is_open
        self.called: list[str] = []
        self.refused: list[Any] = []
        self.feed = ThreadFeed(lambda _: None)
        self._after = list(after)

    def follow(self, _: str) -> ThreadFeed:
        return self.feed

    async def call(self, method: str, params: dict[str, Any], **_: Any) -> Any:
        self.called.append(method)
        if method == "turn/start":
            return {"turn": {"id": "turn"}}
        if method == "turn/interrupt":
            answer = self._after.pop(0)
            if isinstance(answer, Exception):
                raise answer
            for message in answer:
                self.feed.put(message, 1)
        return {}

    async def refuse(self, request_id: Any, _: str) -> None:
        self.refused.append(request_id)


def interrupted(played: Played, *before: Any) -> list[str]:
    """What was called to end a turn of which these messages had come before."""

    async def body() -> None:
        thread = ClientThread(cast(UpstreamConnection, played), "thread")
        turn = await thread.start_turn({})
        for message in before:
            if isinstance(message, Exception):
                played.feed.fail(message)
            else:
                played.feed.put(message, 1)
        await turn.interrupt()

    asyncio.run(body())
    return played.called[1:]


def test_a_turn_is_interrupted_when_it_has_started() -> None:
    assert interrupted(Played([OVER]), STARTED) == ["turn/interrupt", "thread/unsubscribe"]


def test_a_turn_that_is_over_is_released() -> None:
    assert interrupted(Played(), STARTED, OVER) == ["thread/unsubscribe"]


def test_an_interrupt_that_is_refused_is_sent_again_until_the_turn_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_thread, "_STEP_S", 0.01)
    refused = UpstreamError({"code": -32600, "message": "no active turn"})
    called = interrupted(Played(refused, [], [OVER]), STARTED)
    assert called == ["turn/interrupt"] * 3 + ["thread/unsubscribe"]


def test_a_turn_of_which_too_much_was_unread_is_interrupted_all_the_same() -> None:
    assert interrupted(Played([]), FeedOverflow("too much")) == ["turn/interrupt", "thread/unsubscribe"]


def test_nothing_is_asked_of_an_app_server_that_has_gone_but_the_last_word() -> None:
    assert interrupted(Played(), UpstreamGone("gone")) == ["thread/unsubscribe"]


def test_a_request_of_the_app_server_that_is_no_call_of_a_tool_is_refused() -> None:
    played = Played([OVER])
    asked = {"id": 7, "method": "item/commandExecution/requestApproval", "params": {}}
    interrupted(played, STARTED, asked)
    assert played.refused == [7]


def test_what_has_come_is_taken_at_once_unless_something_has_to_be_answered_before() -> None:
    async def body() -> None:
        played = Played()
        turn = await ClientThread(cast(UpstreamConnection, played), "thread").start_turn({})
        assert turn.take_message() is None
        asks = {"id": 7, "method": "item/commandExecution/requestApproval", "params": {}}
        for message in (STARTED, asks, OVER):
            played.feed.put(message, 1)
        assert [turn.take_message(), turn.take_message()] == [STARTED, asks]
        assert turn.take_message() is None
        assert (await turn.next_message(), turn.is_over, played.refused) == (OVER, True, [7])

    asyncio.run(body())


def test_a_message_without_raw_events_says_the_same_whether_it_was_waited_for_or_there_already() -> None:
    counts = {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}
    spent = {"threadId": "thread", "turnId": "turn", "tokenUsage": {"total": counts, "last": counts}}

    async def read(*, is_waited_for: bool) -> Any:
        played = Played()
        turn = ClientTurn(ClientThread(cast(UpstreamConnection, played), "thread", has_raw_events=False), "turn")
        played.feed.put({"method": "thread/tokenUsage/updated", "params": spent}, 1)
        return await turn.next_message() if is_waited_for else turn.take_message()

    async def body() -> None:
        waited, there = await read(is_waited_for=True), await read(is_waited_for=False)
        assert waited["method"] == "rawResponse/completed"
        assert waited == there

    asyncio.run(body())
