"""An account and its models, for people: plain for a pipe, wrapped and in colour for a terminal. Owns the wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codex_server_cli.core.account.account import Account, Model
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.tables import table

if TYPE_CHECKING:
    from codex_server_cli.render.style.wrap import Display

_MAX_NAME, _MAX_EFFORTS = 60, 200
_MODES = {"chatgpt": "ChatGPT", "api_key": "an API key", "amazon_bedrock": "Amazon Bedrock", "gcp": "Google Cloud"}


def mode_words(account: Account) -> str:
    """How this account is logged in."""
    if account.mode is not None:
        return _MODES.get(account.mode, account.mode)
    if account.unavailable is not None:
        return "unknown"
    return "no" if account.requires_login else "no; the configured provider needs no login"


def account_text(account: Account, *, has_refreshed: bool | None = None) -> str:
    """An account, one fact per line; unknown ones are omitted.

    Args:
        has_refreshed: whether the token was renewed; None if that was not requested.
    """
    facts = _facts(account, has_refreshed)
    return "".join(f"{label.ljust(9)}  {one_line(value, 200)}\n" for label, value in facts if value)


def account_view(account: Account, display: Display, *, has_refreshed: bool | None = None) -> str:
    """The same for a terminal, with a mark for whether turns can run."""
    from codex_server_cli.render.style.facts import Fact, facts_block  # a pipe needs none of it

    mark, style = _look(account)
    (label, words), *others = _facts(account, has_refreshed)
    style_of = {"details": Style.YELLOW, "token": Style.GREEN if has_refreshed else Style.YELLOW}
    facts = [
        Fact(label, f"{mark} {words}", style),
        *(Fact(*each, style_of.get(each[0], Style.PLAIN)) for each in others),
    ]
    return facts_block(facts, display)


def _look(account: Account) -> tuple[str, Style]:
    if account.mode is not None:
        return "✓", Style.GREEN
    if account.unavailable is not None:
        return "!", Style.YELLOW
    return ("✗", Style.RED) if account.requires_login else ("–", Style.DIM)


def _facts(account: Account, has_refreshed: bool | None) -> list[tuple[str, str | None]]:
    refreshed = {None: None, True: "renewed", False: "could not be renewed"}[has_refreshed]
    return [
        ("logged in", mode_words(account)),
        ("email", account.email),
        ("plan", account.plan),
        ("workspace", account.workspace),
        ("details", f"unavailable: {account.unavailable}" if account.unavailable else None),
        ("token", refreshed),
    ]


def models_table(models: Sequence[Model], width: int) -> str:
    """Models, with the default one and hidden ones marked; a model's default effort has a star."""
    if not models:
        return "No models.\n"
    rows = [(model.name, _mark(model), _efforts(model), ", ".join(model.modalities)) for model in models]
    return table(("MODEL", "", "EFFORTS (* DEFAULT)", "INPUT"), rows, width)


def models_view(models: Sequence[Model], display: Display) -> str:
    """The same for a terminal: a table if it fits, else each model above its efforts."""
    from codex_server_cli.render.style.grid import Column, grid, natural_width
    from codex_server_cli.render.style.wrap import wrapped

    width, ink = display.width, display.ink
    if not models:
        return "No models.\n"
    names = [one_line(model.name, _MAX_NAME) for model in models]
    marks = [_mark(model) for model in models]
    efforts = [one_line(_efforts(model), _MAX_EFFORTS) for model in models]
    styles = [Style.GREEN if model.is_default else Style.DIM for model in models]
    columns = [
        Column("MODEL", names, Style.BOLD),
        Column(" ", marks, styles),
        Column("EFFORTS (* DEFAULT)", efforts),
        Column("INPUT", [one_line(", ".join(model.modalities), _MAX_EFFORTS) for model in models], Style.DIM),
    ]
    if natural_width(columns) <= width:
        return grid(columns, width, ink)
    lines = []
    for name, mark, style, effort in zip(names, marks, styles, efforts, strict=True):
        lines.append(f"{ink(name, Style.BOLD)}{f'  {ink(mark, style)}' if mark else ''}")
        lines += wrapped(effort, width, "  ")
    return "".join(f"{line}\n" for line in lines)


def _mark(model: Model) -> str:
    return "default" if model.is_default else "hidden" if model.is_hidden else ""


def _efforts(model: Model) -> str:
    return " ".join(f"{effort}*" if effort == model.default_effort else effort for effort in model.efforts)
