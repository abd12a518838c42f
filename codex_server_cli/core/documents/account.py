"""The JSON of an account, its limits and its models: a versioned contract (README, "JSON"). Owns their keys."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.account.account import Account, Model
from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.core.record.rate_limits import Limits, Window

LIMITS_KEYS = ("version", "limit_id", "name", "plan", "reached", "windows", "credits")
MODEL_KEYS = (
    *("version", "model", "display_name", "description", "default", "hidden"),
    *("efforts", "default_effort", "modalities"),
)


def account_document(account: Account, problem: str | None, *, has_refreshed: bool | None = None) -> dict[str, Any]:
    """An account; `problem` is why a turn cannot start with it, null if it can."""
    return {
        "version": VERSION,
        "mode": account.mode,
        "email": account.email,
        "plan": account.plan,
        "workspace": account.workspace,
        "requires_login": account.requires_login,
        "login_needed": account.needs_login,
        "details": account.unavailable,
        "refreshed": has_refreshed,
        "problem": problem,
    }


def limits_document(limits: Limits) -> dict[str, Any]:
    """One limit with its windows; times are RFC 3339 in UTC."""
    credits = limits.credits
    return {
        "version": VERSION,
        "limit_id": limits.limit_id,
        "name": limits.name,
        "plan": limits.plan,
        "reached": limits.reached,
        "windows": [_window(window) for window in limits.windows],
        "credits": {"unlimited": credits.is_unlimited, "balance": credits.balance} if credits else None,
    }


def _window(window: Window) -> dict[str, Any]:
    return {
        "name": window.name,
        "used_percent": window.used_percent,
        "window_minutes": window.minutes,
        "resets_at": format_time_ms(window.resets_at_s * 1000) if window.resets_at_s is not None else None,
    }


def model_document(model: Model) -> dict[str, Any]:
    """One model."""
    return {
        "version": VERSION,
        "model": model.name,
        "display_name": model.display_name,
        "description": model.description,
        "default": model.is_default,
        "hidden": model.is_hidden,
        "efforts": list(model.efforts),
        "default_effort": model.default_effort,
        "modalities": list(model.modalities),
    }
