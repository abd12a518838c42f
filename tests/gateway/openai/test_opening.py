"""What is tried again where the app-server is lost, over connections that answer as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.openai.asked import understood
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.opening import open_turn
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.connection import UpstreamError
from codex_server_cli.gateway.upstream.feed import ThreadFeed
from codex_server_cli.gateway.upstream.wire import UpstreamGone
from codex_server_cli.settings.places import Settings
from tests.kit.home import Home

LOST = UpstreamGone("it does not answer")
OVER = {"method": "turn/completed", "params": {"turn": {"id": "turn"}}}
STARTED = {"method": "turn/started", "params": {"turn": {"id": "turn"}}}


class Upstream:
    """Connections to an app-server that says `replies`, or else what a good one says.

    Args:
        n_turns: that are opened on it.

    Attributes:
        replies: by method; an error is raised, once.
        called: what was asked for.
    """

    def __init__(self, *, n_turns: int = 1, **replies: Any) -> None:
        self.n_turns = n_turns
        self.is_open, self.broadcasts = True, None
        self.replies = {method.replace("_", "/", 1): reply for method, reply in replies.items()}
        self.called: list[str] = []
        self.feed = ThreadFeed(lambda _: None)

    def follow(self, _: str) -> ThreadFeed:
        return self.feed

    async def call(self, method: str, params: dict[str, Any], **_: Any) -> Any:
        self.called.append(method)
        if isinstance(reply := self.replies.get(method), Exception):
            del self.replies[method]
            if method == "turn/start":
                self.feed.put(STARTED, 1)
            raise reply
        if method == "turn/interrupt":
            assert params["turnId"] == "turn"
            self.feed.put(OVER, 1)
        good: dict[str, Any] = {
            "account/read": {"requiresOpenaiAuth": False},
            "config/read": {"config": {}},
            "thread/start": {"thread": {"id": "thread"}, "model": "m"},
            "turn/start": {"turn": {"id": "turn"}},
        }
        return reply if reply is not None else good.get(method, {})


Open = Callable[[Upstream], str]
CANNOT_FORK = UpstreamError({"code": -32600, "message": "no rollout found"})


@pytest.fixture
def opened(one_home: Home, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Has a turn opened, and everything done that follows from it; returns how."""

    async def allowed() -> bool:
        return False

    async def body(upstream: Upstream) -> str:
        gateway = Gateway(Settings.load(), ServeOptions())
        memory = ChatMemory(gateway)
        monkeypatch.setattr(memory.login, "check", allowed)

        async def kept(_: str) -> Any:
            return upstream

        monkeypatch.setattr(gateway.app_server, "kept", kept)
        asked = understood({"messages": [{"role": "user", "content": "x"}]}, ServeOptions())
        try:
            return " ".join([(await open_turn(memory, asked)).way for _ in range(upstream.n_turns)])
        finally:
            await gateway.close()

    return lambda upstream: asyncio.run(body(upstream))


def test_what_is_lost_before_the_turn_was_sent_is_tried_again(opened: Open) -> None:
    for method in ("thread_start", "thread_inject_items", "config_read"):
        lost: dict[str, Any] = {method: LOST}
        upstream = Upstream(**lost)
        assert opened(upstream) == "fresh"
        assert upstream.called.count("turn/start") == 1


def test_a_turn_that_was_sent_and_lost_is_interrupted_and_never_sent_twice(opened: Open) -> None:
    upstream = Upstream(turn_start=LOST)
    with pytest.raises(ApiError) as raised:
        opened(upstream)
    assert (raised.value.status, raised.value.code) == (503, "codex_unavailable")
    assert ("x-should-retry", "false") in raised.value.headers
    assert upstream.called[-3:] == ["turn/start", "turn/interrupt", "thread/unsubscribe"]
    assert upstream.called.count("turn/start") == 1


def test_a_codex_that_refuses_to_fork_is_asked_once(opened: Open) -> None:
    upstream = Upstream(n_turns=2, thread_fork=CANNOT_FORK)
    assert opened(upstream) == "fresh fresh"
    assert upstream.called.count("thread/fork") == 1


def test_a_fork_that_fails_where_a_fresh_thread_does_too_is_tried_again(opened: Open) -> None:
    upstream = Upstream(thread_fork=CANNOT_FORK, thread_start=LOST)
    assert opened(upstream) == "fresh"
    assert upstream.called.count("thread/fork") == 2


def test_a_thread_that_is_not_named_is_an_error_and_no_defect(opened: Open) -> None:
    with pytest.raises(ApiError) as raised:
        opened(Upstream(thread_start={"model": "m"}))
    assert raised.value.status == 502


def test_a_provider_that_somebody_pays_for_is_not_asked(opened: Open) -> None:
    upstream = Upstream(
        account_read={"requiresOpenaiAuth": True, "account": {"type": "apiKey"}},
        thread_start={"thread": {"id": "thread"}, "model": "m", "modelProvider": "openai"},
    )
    with pytest.raises(ApiError) as raised:
        opened(upstream)
    assert (raised.value.status, raised.value.code) == (401, "codex_login_required")
    assert '"auth": "any"' in raised.value.message
    assert "turn/start" not in upstream.called
