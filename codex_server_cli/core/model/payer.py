"""Who pays for a turn: the ChatGPT plan, an API key, a custom provider, or no one. Owns that decision.

Decided from what Codex reports before the turn is requested: the provider in the reply to `thread/start`,
`thread/resume` or `thread/fork`, the effective configuration of `config/read` with the overrides that we sent, and
`account/read`. A resumed thread keeps the provider that it was created with, a new one or a fork uses the configured
one, and `account/read` describes only the configured one. There is no list of providers: a custom provider is judged
by its definition, a built-in one by the account that Codex reports for it. If the payer is unknown, a bill cannot be
excluded. Observed on 0.163.0 and 0.171.0.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, NamedTuple

from codex_server_cli.core.model.codex_config import layered, value_in
from codex_server_cli.core.protocol.rpc import Message, object_at

DEFAULT_PROVIDER = "openai"
"""What Codex uses if nothing sets `model_provider`; it uses Codex's login."""

NOT_LOGGED_IN = "Codex is not logged in."
API_KEY = "Codex is logged in with an API key, and this would bill it."

# Members of a definition that hold no secret, as numbers and booleans do not. A later Codex's members may hold one.
_HARMLESS = frozenset({"name", "wire_api", "env_key_instructions", "capabilities"})
_ADDRESSES = frozenset({"base_url", "model_catalog_url"})
_PAIRS = frozenset({"http_headers", "query_params"})  # the values of `env_http_headers` are not visible here
# Compiled where they are used: compiling takes longer than the rest of this module, and few turns need it.
_SECRET_NAME = r"(?i)auth|key|token|secret|cookie|passw|credential|session|signature|jwt|bearer|\bsig\b"
_SECRET_VALUE = r"(?i)^(?:bearer|basic)\s|\bsk-"
_LONG_WORD = r"[A-Za-z0-9]{24,}"
_USER_IN_URL = r"//[^/?#]*@"

_MODES = {"apiKey": "api_key", "apikey": "api_key", "amazonBedrock": "amazon_bedrock"}


class Payer(StrEnum):
    """Who pays for the model's work."""

    CHATGPT = "chatgpt"  # the plan of Codex's login
    API_KEY = "api_key"  # OpenAI's, by Codex's login
    PROVIDER = "provider"  # the owner of another provider's credentials
    NONE = "none"  # a provider without any credentials


class Judgement(NamedTuple):
    """Who pays, and whether that needs the user's consent.

    Attributes:
        payer: None if it is unknown, or Codex is not logged in.
        problem: why it is not allowed without `"auth": "any"`, in a sentence; empty if it is allowed.
        tells: the provider that must be configured for Codex to report the payer; None if the payer is known.
    """

    payer: Payer | None
    problem: str = ""
    tells: str | None = None


def provider_of_new_thread(config: Message, overrides: Message | None = None) -> str:
    """The provider that a new thread or a fork will have.

    Args:
        config: `config` of `config/read`, or Codex's own file.
        overrides: the configuration that is sent with the thread.
    """
    return value_in(overrides or {}, "model_provider") or value_in(config, "model_provider") or DEFAULT_PROVIDER


def judge(provider: str | None, config: Message, overrides: Message | None, account: Message) -> Judgement:
    """Who pays for a turn of a thread with this provider.

    Args:
        provider: as named in the reply that opened the thread; None means the configured one.
        config: `config` of `config/read`; `{}` if it was refused.
        overrides: the configuration that was sent with the thread.
        account: the result of `account/read`; `{}` if it was refused.
    """
    configured = provider_of_new_thread(config)
    name = provider or configured
    definition = definition_of(name, config, overrides)
    if definition is not None and has_credentials(definition):
        return _by_provider(name)
    if definition is not None and definition.get("requires_openai_auth") is not True:
        return Judgement(Payer.NONE)
    runs_on_login = definition is not None or provider == DEFAULT_PROVIDER
    wants_login = account.get("requiresOpenaiAuth")  # of the configured one
    if wants_login is True and (runs_on_login or name == configured):
        return _by_login(account)
    if wants_login is False and name == configured and not runs_on_login:
        # A built-in provider: Codex reports the account that pays, if any does.
        return _by_provider(name) if account.get("account") is not None else Judgement(Payer.NONE)
    problem = f"Codex does not report who pays for its model provider {name!r}."
    return Judgement(None, problem, tells=DEFAULT_PROVIDER if runs_on_login else name)


def definition_of(provider: str, config: Message, overrides: Message | None = None) -> Message | None:
    """The user's own definition of a provider; None for one that is built into Codex.

    Overrides of a built-in provider have no name: Codex allows none there, and requires one in a definition.
    """
    providers = layered({"model_providers": config.get("model_providers") or {}}, overrides).get("model_providers")
    definition = providers.get(provider) if isinstance(providers, dict) else None
    return definition if isinstance(definition, dict) and definition.get("name") else None


def has_credentials(definition: Message) -> bool:
    """Whether a provider's definition has credentials that may be billed."""
    return any(_may_be_secret(name, value) for name, value in definition.items())


def _may_be_secret(name: str, value: Any) -> bool:
    if not value or isinstance(value, bool | int | float) or name in _HARMLESS:
        return False
    if name in _ADDRESSES and isinstance(value, str):
        return _url_has_secret(value)
    if name in _PAIRS and isinstance(value, dict):
        return _has_secret(value.items())
    return True


def _url_has_secret(url: str) -> bool:
    address, _, query = url.partition("?")
    parameters = [tuple(pair.partition("=")[::2]) for pair in query.split("&")]
    return re.search(_USER_IN_URL, address) is not None or _looks_secret(address) or _has_secret(parameters)


def _has_secret(pairs: Any) -> bool:
    return any(re.search(_SECRET_NAME, str(name)) or _looks_secret(str(value)) for name, value in pairs)


def _looks_secret(text: str) -> bool:
    has_random_word = any(re.search(r"\d", word) and re.search(r"\D", word) for word in re.findall(_LONG_WORD, text))
    return has_random_word or re.search(_SECRET_VALUE, text) is not None


def _by_provider(provider: str) -> Judgement:
    return Judgement(Payer.PROVIDER, f"The model provider {provider!r} has credentials of its own, and bills them.")


def _by_login(account: Message) -> Judgement:
    if account.get("account") is None:
        return Judgement(None, NOT_LOGGED_IN)
    mode = mode_of(object_at(account, "account").get("type"))
    if mode == "chatgpt":
        return Judgement(Payer.CHATGPT)
    if mode == "api_key":
        return Judgement(Payer.API_KEY, API_KEY)
    return Judgement(
        Payer.PROVIDER, f"Codex is logged in with {mode or 'something unknown'}, which may bill an account."
    )


def account_of_status(status: Message) -> Message:
    """What `account/read` would return, as far as `getAuthStatus` reports it: the mode of a login, if one is required.

    For when `account/read`, which looks up the workspace, fails without the network.
    """
    if status.get("requiresOpenaiAuth") is not True:
        return {}  # it knows only OpenAI's logins
    mode = mode_of(status.get("authMethod"))
    if mode is not None and mode.lower().startswith("chatgpt"):
        mode = "chatgpt"
    return {"requiresOpenaiAuth": True, "account": {"type": mode} if mode is not None else None}


def mode_of(value: Any) -> str | None:
    """Our name for the wire's account type or auth mode; the wire has both `apiKey` and `apikey`."""
    return _MODES.get(value, value) if isinstance(value, str) and value else None
