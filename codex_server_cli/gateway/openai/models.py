"""The account behind the gateway: whether there is a login, and which models it may use.

Owns: asking the app-server, how long an answer is cached, and checking a request against it.
Never here: the parameters of a request (`core.openai`), routes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.core.account.account import Model, models_in
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.wire_errors import AccountLimits, login_required
from codex_server_cli.core.protocol.rpc import Message, at, objects_in, params_of, text_in, text_or_none
from codex_server_cli.gateway.upstream.connection import UpstreamConnection

_FRESH_S = 60.0
_PAGE = 100
_MOST_PAGES = 50


class CodexModel(NamedTuple):
    """One model of the catalogue, with its service tiers."""

    model: Model
    service_tiers: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The model as `/v1/models` shows it."""
        return {
            "id": self.model.name,
            "object": "model",
            "created": 0,
            "owned_by": "openai",
            "x_codex": {
                "reasoning_efforts": list(self.model.efforts),
                "default_effort": self.model.default_effort,
                "input_modalities": list(self.model.modalities),
                "service_tiers": list(self.service_tiers),
                "is_default": self.model.is_default,
            },
        }


class Backend:
    """The account and models of one connection's app-server.

    A running app-server never learns of a new login, it is replaced: so what is cached is valid per connection.

    Attributes:
        connection: as given.
        account: the result of `account/read`; empty before `check_login`.
        limits: the account's limits, as last reported.
        can_fork: set to false if a fork was refused and a fresh thread with the same parameters then started.
    """

    def __init__(self, connection: UpstreamConnection) -> None:
        self.connection = connection
        self.account: dict[str, Any] = {}
        self.limits = AccountLimits()
        self.can_fork = True
        self._models: tuple[float, dict[str, CodexModel]] | None = None
        self._needs_login: bool | None = None
        self._lock = asyncio.Lock()
        connection.broadcasts = self._hear

    def _hear(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "account/rateLimits/updated":
                self.limits.note(params_of(message))
            case "account/updated":
                self._needs_login = None
            case _:
                pass

    async def check_login(self) -> bool:
        """Check that there is a login, if the provider requires one.

        Returns:
            Whether it is OpenAI's own provider, so that the catalogue has the available models.

        Raises:
            ApiError: 401, there is none.
            UpstreamError, UpstreamGone: the app-server does not answer.
        """
        if self._needs_login is None:
            reply = await self.connection.call("account/read", {})
            account = reply if isinstance(reply, dict) else {}
            if account.get("requiresOpenaiAuth") and not account.get("account"):
                raise login_required()
            self.account, self._needs_login = account, bool(account.get("requiresOpenaiAuth"))
        return self._needs_login

    async def models(self) -> dict[str, CodexModel]:
        """The models by id, including hidden ones; cached for a minute.

        Raises:
            UpstreamError, UpstreamGone: the app-server does not answer.
        """
        async with self._lock:
            if self._models is None or time.monotonic() - self._models[0] > _FRESH_S:
                self._models = time.monotonic(), await self._list_models()
            return self._models[1]

    async def _list_models(self) -> dict[str, CodexModel]:
        found: dict[str, CodexModel] = {}
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self.connection.call("model/list", {"limit": _PAGE, "includeHidden": True, "cursor": cursor})
            entries = objects_in(at(page, "data", list))
            tiers = {text_in(entry.get("model")): _tiers_in(entry) for entry in entries}
            found |= {model.name: CodexModel(model, tiers[model.name]) for model in models_in({"data": entries})}
            cursor = at(page, "nextCursor", str)
            if not cursor:
                break
        return found

    async def check(self, request: ChatRequest) -> None:
        """Check that a request can be served: the login, the model, the effort.

        Raises:
            ApiError: 401, 404 `model_not_found` with the available names, or 400.
            UpstreamError, UpstreamGone: the app-server does not answer.
        """
        if not await self.check_login() or request.model is None:
            return
        model = find(await self.models(), request.model).model
        efforts = ", ".join(model.efforts)
        if request.effort is not None and model.efforts and request.effort not in model.efforts:
            raise ApiError(
                400,
                f"The model {model.name} has no reasoning effort {request.effort!r}. It has: {efforts}.",
                code="unsupported_value",
                param="reasoning_effort",
            )


def find(models: Mapping[str, CodexModel], name: str) -> CodexModel:
    """The model of this name; raises `ApiError` (404) with the available names."""
    if name in models:
        return models[name]
    shown = ", ".join(each.model.name for each in models.values() if not each.model.is_hidden)
    raise ApiError(
        404,
        f"The model {name!r} does not exist here. There are: {shown}. Another name can be mapped to one of them with"
        " `serve --model-alias NAME=MODEL`.",
        code="model_not_found",
        param="model",
    )


def _tiers_in(entry: Message) -> tuple[str, ...]:
    tiers = (text_or_none(tier.get("id")) for tier in objects_in(entry.get("serviceTiers")))
    return tuple(filter(None, tiers))
