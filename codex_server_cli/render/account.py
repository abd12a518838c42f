"""An account and its models, for people. Owns their text; plain."""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.core.account.account import Account, Model
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.tables import table

_MODES = {"chatgpt": "ChatGPT", "api_key": "an API key", "amazon_bedrock": "Amazon Bedrock", "gcp": "Google Cloud"}


def mode_words(account: Account) -> str:
    """How this account is logged in."""
    if account.mode is not None:
        return _MODES.get(account.mode, account.mode)
    if account.unavailable is not None:
        return "unknown"
    return "no" if account.requires_login else "no; the configured provider needs no login"


def account_text(account: Account, *, has_refreshed: bool | None = None) -> str:
    """An account, one fact a line; what is not known is left out.

    Args:
        has_refreshed: whether the token was renewed; None where that was not asked for.
    """
    refreshed = {None: None, True: "renewed", False: "could not be renewed"}[has_refreshed]
    facts = [
        ("logged in", mode_words(account)),
        ("email", account.email),
        ("plan", account.plan),
        ("workspace", account.workspace),
        ("details", f"unavailable: {account.unavailable}" if account.unavailable else None),
        ("token", refreshed),
    ]
    return "".join(f"{label.ljust(9)}  {one_line(value, 200)}\n" for label, value in facts if value)


def models_table(models: Sequence[Model], width: int) -> str:
    """Models, with the default one and the hidden ones marked; a model's default effort has a star."""
    if not models:
        return "No models.\n"
    rows = [(model.name, _mark(model), _efforts(model), ", ".join(model.modalities)) for model in models]
    return table(("MODEL", "", "EFFORTS (* DEFAULT)", "INPUT"), rows, width)


def _mark(model: Model) -> str:
    return "default" if model.is_default else "hidden" if model.is_hidden else ""


def _efforts(model: Model) -> str:
    return " ".join(f"{effort}*" if effort == model.default_effort else effort for effort in model.efforts)
