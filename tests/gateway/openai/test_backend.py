"""What is asked of the app-server about the account, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.openai import models
from codex_server_cli.gateway.openai.models import Backend
from codex_server_cli.gateway.upstream.connection import UpstreamConnection

PAGES = (
    {"data": [{"model": "big", "supportedReasoningEfforts": [{"reasoningEffort": "low"}]}], "nextCursor": "2"},
    {"data": [{"model": "small", "hidden": True}], "nextCursor": None},
)


class FakeAccount:
    """A connection: answers as an account, and counts what is asked."""

    def __init__(self, account: dict[str, Any] | None, *, needs_login: bool = True) -> None:
        self.account, self.needs_login = account, needs_login
        self.called: list[str] = []
        self.broadcasts: Callable[[dict[str, Any]], None] = lambda _: None

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        self.called.append(method)
        if method == "account/read":
            return {"account": self.account, "requiresOpenaiAuth": self.needs_login}
        return PAGES[params["cursor"] is not None]


def backend_of(account: FakeAccount) -> Backend:
    return Backend(cast(UpstreamConnection, account))


def asked(model: str | None, effort: str | None = None) -> ChatRequest:
    return ChatRequest(model, effort, ({"type": "message"},), needs_raw_items=False)


def test_models_are_asked_for_once_a_minute_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    account = FakeAccount({"type": "chatgpt"})
    backend = backend_of(account)

    async def body() -> None:
        for _ in range(3):
            assert list(await backend.models()) == ["big", "small"]
        assert account.called == ["model/list"] * 2
        monkeypatch.setattr(models, "_FRESH_S", -1.0)  # it is over
        await backend.models()
        assert account.called == ["model/list"] * 4

    asyncio.run(body())


def test_a_model_and_an_effort_that_are_not_there_are_refused() -> None:
    backend = backend_of(FakeAccount({"type": "chatgpt"}))

    def status_of(request: ChatRequest) -> int:
        try:
            asyncio.run(backend.check(request))
        except ApiError as error:
            return error.status
        return 200

    assert status_of(asked("big", "low")) == 200
    assert status_of(asked("small", "any")) == 200  # it names no efforts
    assert status_of(asked(None, "low")) == 200  # the user's own default
    assert status_of(asked("big", "high")) == 400
    assert status_of(asked("gone")) == 404


def test_a_provider_of_the_users_own_may_have_any_model_and_needs_no_login() -> None:
    account = FakeAccount(None, needs_login=False)
    asyncio.run(backend_of(account).check(asked("anything", "any")))
    assert account.called == ["account/read"]


def test_a_login_is_looked_for_until_there_is_one_and_again_when_it_changes() -> None:
    account = FakeAccount(None)
    backend = backend_of(account)
    for _ in range(2):
        with pytest.raises(ApiError) as raised:
            asyncio.run(backend.check_login())
        assert (raised.value.status, raised.value.code) == (401, "codex_login_required")
    account.account = {"type": "chatgpt"}
    for _ in range(2):
        assert asyncio.run(backend.check_login())
    assert len(account.called) == 3
    account.broadcasts({"method": "account/updated", "params": {}})
    asyncio.run(backend.check_login())
    assert len(account.called) == 4
    account.broadcasts({"method": "account/rateLimits/updated", "params": {"rateLimits": {}}})
    account.broadcasts({"method": "skills/changed", "params": {}})
