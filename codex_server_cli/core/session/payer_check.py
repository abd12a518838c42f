"""Before the prompt goes out: may whoever pays for this thread be billed? Owns the refusal, and what it advises.

Where Codex does not tell of this thread's provider, because it is configured with another one, another app-server is
asked that is configured with it: `provider` says so, for `opening` to begin anew.
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
    " (`codex-server doctor` says why): mend that, then: {fork}; "
)
_LOG_IN = "Log in with ChatGPT (`codex-server login`), " + _ALLOW + ", then: {again}"
_CONFIGURE = "Choose another `model_provider` in Codex's configuration, " + _ALLOW + ", then: {again}"


class PayerCheck:
    """Judges one turn, with each app-server that it is opened with.

    Attributes:
        payer: who pays, once that is known.
        provider: what the next app-server is to be configured with; None leaves it to Codex's own configuration.
        wants_another: whether it takes another app-server to tell.
    """

    def __init__(self, request: TurnRequest) -> None:
        self.payer: Payer | None = None
        self.wants_another = False
        self._request = request
        self._overrides: Message = request.open_thread()[1].get("config") or {}
        named = value_in(self._overrides, "model_provider")
        self.provider = _teller(named, self._overrides) if named else None
        self._may_fork: bool | None = None  # told by the first app-server: Codex as its user has configured it

    def problem(self, provider: str | None, config: Message, account: Message) -> TurnError | None:
        """Why the turn must not be started; None where it may, or `wants_another` says that this is still to be told.

        Args:
            provider: as the thread's opening named it.
            config: `config` of `config/read`; `{}` where it was refused.
            account: the result of `account/read`; `{}` where Codex would not tell.
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
        """What to do, for `hints` to fill in; empty where the words of the kind say it."""
        if judgement.problem == NOT_LOGGED_IN and not self._may_fork:
            return ""
        if judgement.problem in (NOT_LOGGED_IN, API_KEY):
            return _FORK + "or l" + _LOG_IN[1:] if self._may_fork else _LOG_IN
        if self._request.thread_id is None or self._request.is_fork:
            return _CONFIGURE
        return (_FORK if self._may_fork else _FORK_LATER) + _ALLOW + ", then: {again}"


def _teller(provider: str, overrides: Message) -> str | None:
    """What the first app-server is to be configured with, to tell of a provider that the turn itself chooses.

    None where the definition that comes with it says all. A second app-server would open the thread once more, and a
    fork leaves a session file each time.
    """
    definition = definition_of(provider, {}, overrides)
    if definition is None:
        return provider
    return DEFAULT_PROVIDER if definition.get("requires_openai_auth") is True else None
