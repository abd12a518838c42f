"""The replies of ChatGPT's backend about an account, as far as Codex requests them: usage windows and workspaces.

Owns: the shape of those answers, found by experiment with 0.163.0 and 0.171.0. Pure.
Never here: HTTP, tokens or files.
"""

from __future__ import annotations

from codex_server_cli.demo.parts import Json

ACCOUNT_ID = "acc-scripted"
FIVE_HOURS_S = 5 * 3600
ONE_WEEK_S = 7 * 24 * 3600


def usage_windows(
    *,
    plan: str = "pro",
    primary_percent: int = 25,
    secondary_percent: int = 10,
    reset_at: int = 2_000_000_000,
    credits: str | None = None,
) -> Json:
    """The body of `wham/usage`: the five-hour and the weekly window, and the balance of credits, if there are any.

    `reset_at` is Unix seconds (32 bits).
    """
    return {
        "plan_type": plan,
        "rate_limit": {
            "allowed": primary_percent < 100 and secondary_percent < 100,
            "limit_reached": primary_percent >= 100 or secondary_percent >= 100,
            "primary_window": _window(primary_percent, FIVE_HOURS_S, reset_at),
            "secondary_window": _window(secondary_percent, ONE_WEEK_S, reset_at),
        },
        "credits": {"has_credits": True, "unlimited": False, "balance": credits} if credits is not None else None,
    }


def _window(used_percent: int, seconds: int, reset_at: int) -> Json:
    return {
        "used_percent": used_percent,
        "limit_window_seconds": seconds,
        "reset_after_seconds": 100,
        "reset_at": reset_at,
    }


def usage_headers(
    *, primary_percent: int = 25, secondary_percent: int = 10, reset_at: int = 2_000_000_000
) -> dict[str, str]:
    """Headers of a model response with the same windows: Codex turns them into `account/rateLimits/updated`."""
    return {
        "x-codex-primary-used-percent": str(primary_percent),
        "x-codex-primary-window-minutes": str(FIVE_HOURS_S // 60),
        "x-codex-primary-reset-at": str(reset_at),
        "x-codex-secondary-used-percent": str(secondary_percent),
        "x-codex-secondary-window-minutes": str(ONE_WEEK_S // 60),
        "x-codex-secondary-reset-at": str(reset_at),
    }


def accounts_check(origin: str, *, plan: str = "pro") -> Json:
    """The body of `wham/accounts/check`: one personal workspace.

    `account/read` fails (-32603) unless the workspace has an HTTPS backend and a known routing override, so
    `origin` is named with that scheme; neither version sends a turn's requests there.
    """
    workspace = {
        "id": ACCOUNT_ID,
        "name": "Scripted",
        "structure": "personal",
        "plan_type": plan,
        "workspace_backend_origin": origin.replace("http:", "https:", 1),
        "account_routing_override": "us",
    }
    return {"accounts": [workspace], "default_account_id": ACCOUNT_ID, "account_ordering": [ACCOUNT_ID]}
