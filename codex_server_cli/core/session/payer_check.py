"""Checks, before the prompt is sent, whether this thread's payer may be billed. Owns the refusal, and its hint.

If Codex does not report on this thread's provider, because another one is configured, another app-server is configured
with it: `provider` names it, and `handshake` restarts.
"""

from __future__ import annotations

from codex_server_cli.core.model.codex_config import value_in
from codex_server_cli.core.model.payer import (
    API_KEY,
    DEFAULT_PROVIDER,
    NOT_LOGGED_IN,
    Judgement,
    Payer,
    definition_of,
    judge,
    provider_of_new_thread,
)
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.errors import ErrorKind

_ALLOW = 'or allow every payer with "auth": "any" in codex-server\'s config.json'
_FORK = "A fork takes the provider that Codex is configured with: {fork}; "
_FORK_LATER = (
    "Only a fork can have another provider, and the one that Codex is configured with may not run either"
    " (`codex-server doctor` says why): fix that, then: {fork}; "
)
_LOG_IN = "Log in with ChatGPT (`codex-server login`), " + _ALLOW + ", then: {again}"
_CONFIGURE = "Choose another `model_provider` in Codex's configuration, " + _ALLOW + ", then: {again}"


class PayerCheck:
    """Checks one turn against each app-server that it is opened with.

    Attributes:
        payer: who pays, once known.
        provider: the provider to configure the next app-server with; None leaves it to Codex's own configuration.
        wants_another: whether the check needs another app-server.
    """

    def __init__(self, request: TurnRequest) -> None:
        self.payer: Payer | None = None
        self.wants_another = False
        self._request = request
        self._overrides: Message = request.open_thread()[1].get("config") or {}
        named = value_in(self._overrides, "model_provider")
        self.provider = _first_provider(named, self._overrides) if named else None
        self._may_fork: bool | None = None  # from the first app-server: Codex as the user has configured it

    def problem(self, provider: str | None, config: Message, account: Message) -> TurnError | None:
        """Why the turn must not be started; None if it may, or if `wants_another` is set: still unknown.

        Args:
            provider: as named by the reply that opened the thread.
            config: `config` of `config/read`; `{}` if it was refused.
            account: the result of `account/read`; `{}` if it was refused.
        """
        judgement = judge(provider, config, self._overrides, account)
        self.payer, self.wants_another = judgement.payer, False
        if self._request.may_bill_api_key or not judgement.problem:
            return None
        if self._may_fork is None:
            self._may_fork = self._is_fork_allowed(config, account)
        if judgement.tells is not None and judgement.tells != self.provider:
            self.provider, self.wants_another = judgement.tells, True
            return None
        return make_error(ErrorKind.AUTH, judgement.problem, hint=self._hint(judgement))

    def _is_fork_allowed(self, config: Message, account: Message) -> bool:
        if self._request.thread_id is None or self._request.is_fork:
            return False
        provider = provider_of_new_thread(config, self._overrides)
        return not judge(provider, config, self._overrides, account).problem

    def _hint(self, judgement: Judgement) -> str:
        """The hint, for `hints` to fill in; empty if the kind's own suffices."""
        if judgement.problem == NOT_LOGGED_IN and not self._may_fork:
            return ""
        if judgement.problem in (NOT_LOGGED_IN, API_KEY):
            return _FORK + "or l" + _LOG_IN[1:] if self._may_fork else _LOG_IN
        if self._request.thread_id is None or self._request.is_fork:
            return _CONFIGURE
        return (_FORK if self._may_fork else _FORK_LATER) + _ALLOW + ", then: {again}"


def _first_provider(provider: str, overrides: Message) -> str | None:
    """The provider for the first app-server, so that it reports on the one that the turn itself selects.

    None if the definition passed with the thread suffices. A second app-server would open the thread again, and a fork
    leaves a session file each time.
    """
    definition = definition_of(provider, {}, overrides)
    if definition is None:
        return provider
    return DEFAULT_PROVIDER if definition.get("requires_openai_auth") is True else None
