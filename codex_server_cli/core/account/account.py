"""What Codex says of an account and its models, read from the wire. Owns which members count, and how.

Pure, and tolerant: whatever is null, missing or of another shape than today's is unknown, never a crash. Sources: the
schemas of 0.163.0 and 0.171.0 (protocol notes, sections 7 and 10).
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.payer import mode_of
from codex_server_cli.core.protocol.rpc import Message, at, nonempty_text, objects_in


class Account(NamedTuple):
    """Who is logged in.

    Attributes:
        mode: `chatgpt`, `api_key`, `amazon_bedrock`, `gcp`, or what a later Codex calls it; None for nobody.
        plan: the wire's word: `plus`, `pro`, `business` …
        workspace: the name of the selected ChatGPT workspace; 0.163.0 does not tell it.
        requires_login: whether the provider that turns use wants OpenAI's login at all.
        unavailable: Codex's words, where it could not tell more than the mode; None where it could.
    """

    mode: str | None = None
    email: str | None = None
    plan: str | None = None
    workspace: str | None = None
    requires_login: bool = True
    unavailable: str | None = None

    @property
    def needs_login(self) -> bool:
        """Whether somebody has to log in before a turn can run."""
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


def account_without_details(status: Message, why_not: str) -> Account:
    """The account where `account/read` failed: `getAuthStatus` knows the mode without asking anybody.

    Args:
        status: its result; `{}` where that failed, too.
        why_not: the words of the first failure.
    """
    mode = mode_of(status.get("authMethod"))
    requires_login = status.get("requiresOpenaiAuth") is not False
    is_nobody = "authMethod" in status and mode is None
    return Account(mode=mode, requires_login=requires_login, unavailable=None if is_nobody else why_not)


class Model(NamedTuple):
    """One model of Codex's list; `efforts` in Codex's order, from the least."""

    name: str
    display_name: str
    description: str
    is_default: bool
    is_hidden: bool
    efforts: tuple[str, ...]
    default_effort: str | None
    modalities: tuple[str, ...]


def models_in(result: Message) -> list[Model]:
    """The models on one page of `model/list`; one without a name cannot be asked for and is left out."""
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
