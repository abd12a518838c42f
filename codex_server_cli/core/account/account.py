"""An account and its models, as Codex reports them on the wire. Owns which members are read, and how.

Pure, and tolerant: a value that is null, missing or of another shape is unknown, never a crash. Sources: the
schemas of 0.163.0 and 0.171.0 (protocol notes, sections 7 and 10).
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.payer import mode_of
from codex_server_cli.core.protocol.rpc import Message, at, nonempty_text, objects_in


class Account(NamedTuple):
    """Who is logged in.

    Attributes:
        mode: `chatgpt`, `api_key`, `amazon_bedrock`, `gcp`, or a later Codex's value; None where not logged in.
        plan: the wire's value: `plus`, `pro`, `business` …
        workspace: the name of the selected ChatGPT workspace; 0.163.0 does not report it.
        requires_login: whether the provider that turns use needs a login with OpenAI.
        unavailable: Codex's error text if at most the mode could be read; else None.
    """

    mode: str | None = None
    email: str | None = None
    plan: str | None = None
    workspace: str | None = None
    requires_login: bool = True
    unavailable: str | None = None

    @property
    def needs_login(self) -> bool:
        """Whether a login is needed before a turn can run."""
        return self.requires_login and self.mode is None and self.unavailable is None


def account_in(result: Message) -> Account:
    """The account in the result of `account/read`."""
    account = at(result, "account", dict)
    requires_login = result.get("requiresOpenaiAuth") is not False
    if account is None:
        return Account(requires_login=requires_login)
    return Account(
        mode=mode_of(account.get("type")) or "unknown",
        email=nonempty_text(account.get("email")),
        plan=nonempty_text(account.get("planType")),
        workspace=nonempty_text(account.get("workspaceName")),
        requires_login=requires_login,
    )


def account_without_details(status: Message, reason: str) -> Account:
    """The account where `account/read` failed: `getAuthStatus` knows the mode without the network.

    Args:
        status: its result; `{}` where that failed, too.
        reason: the error text of the first failure.
    """
    mode = mode_of(status.get("authMethod"))
    requires_login = status.get("requiresOpenaiAuth") is not False
    is_logged_out = "authMethod" in status and mode is None
    return Account(mode=mode, requires_login=requires_login, unavailable=None if is_logged_out else reason)


class Model(NamedTuple):
    """One model of Codex's list; `efforts` in Codex's order, lowest first."""

    name: str
    display_name: str
    description: str
    is_default: bool
    is_hidden: bool
    efforts: tuple[str, ...]
    default_effort: str | None
    modalities: tuple[str, ...]


def models_in(result: Message) -> list[Model]:
    """The models on one page of `model/list`; one without a name cannot be requested and is left out."""
    return [
        _model(name, entry) for entry in objects_in(result.get("data")) if (name := nonempty_text(entry.get("model")))
    ]


def _model(name: str, entry: Message) -> Model:
    efforts = (
        nonempty_text(option.get("reasoningEffort")) for option in objects_in(entry.get("supportedReasoningEfforts"))
    )
    modalities = at(entry, "inputModalities", list) or []
    return Model(
        name=name,
        display_name=nonempty_text(entry.get("displayName")) or name,
        description=nonempty_text(entry.get("description")) or "",
        is_default=entry.get("isDefault") is True,
        is_hidden=entry.get("hidden") is True,
        efforts=tuple(effort for effort in efforts if effort),
        default_effort=nonempty_text(entry.get("defaultReasoningEffort")),
        modalities=tuple(filter(None, map(nonempty_text, modalities))),
    )
