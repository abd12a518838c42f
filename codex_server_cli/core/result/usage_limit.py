"""Until when the account's usage limit holds, according to Codex. Owns parsing that; must never read a clock.

Sources: protocol notes, sections 5, 7 and 10; capture error_USAGE; experiments with 0.163.0 and 0.171.0: if a refusal
has the second of the reset, Codex reports only the minute, and it drops `resets_in_seconds`.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.core.record.rate_limits import Limits, limits_in
from codex_server_cli.errors import ErrorKind

_FULL_PERCENT = 100
_MINUTE_S = 60
_TRY_AGAIN_AT = re.compile(
    r"try again at (?:([A-Z][a-z]{2}) (\d{1,2})[a-z]{2}, (\d{4}) )?(\d{1,2}):(\d\d) ([AP])M", re.IGNORECASE
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


# --- the end of a turn that hit the limit


def reset_time_s(snapshot: dict[str, Any] | None, message: str, said_s: int | None) -> int | None:
    """When a limit that was hit resets, in Unix seconds, by the best source in Codex's report; None without any.

    If windows are used up, the one that ends last counts. If none is, the text counts, and a window that ends in the
    minute of the text provides the second; without a text, the fullest window counts.

    Args:
        snapshot: the last rate-limit snapshot, in wire names.
        message: the error's text.
        said_s: when Codex sent it, in Unix seconds.
    """
    ends = _ends(_limits(snapshot))
    used_up = [end_s for used_percent, end_s in ends if used_percent >= _FULL_PERCENT and end_s >= (said_s or 0)]
    if used_up:
        return max(used_up)
    text_s = told_reset_time_s(message, said_s)
    if text_s is not None:
        return max((end_s for _, end_s in ends if text_s - _MINUTE_S <= end_s < text_s), default=text_s)
    return max(ends)[1] if ends else None


def _limits(snapshot: dict[str, Any] | None) -> Limits | None:
    found = limits_in({"rateLimits": snapshot})
    return found[0] if found else None


def _ends(limits: Limits | None) -> list[tuple[float, int]]:
    """The used percentage and the end of each window with a known end."""
    windows = limits.windows if limits is not None else ()
    return [(window.used_percent, window.resets_at_s) for window in windows if window.resets_at_s is not None]


def told_reset_time_s(message: str, said_s: int | None) -> int | None:
    """When a usage limit resets according to the text of Codex's error, in Unix seconds; None if it has no time.

    It writes `try again at 6:27 PM` for the current day, else `Nov 21st, 2026 6:27 PM`, in local time and truncated to
    minutes (capture error_USAGE): returns the end of that minute, so that no retry comes too early.

    Args:
        message: the error's text.
        said_s: when Codex sent it, in Unix seconds; without it a time of day is ignored.
    """
    from datetime import datetime, timedelta  # 4 ms that only this needs

    match = _TRY_AGAIN_AT.search(message)
    if match is None:
        return None
    month, day, year, hour, minute, half = match.groups()
    hour_of_day = int(hour) % 12 + (12 if half in "Pp" else 0)
    try:
        if month is not None:
            reset = datetime(int(year), _MONTHS.index(month.lower()) + 1, int(day))
        elif said_s is not None:
            reset = datetime.fromtimestamp(said_s)
        else:
            return None
        reset = reset.replace(hour=hour_of_day, minute=int(minute), second=0, microsecond=0)
        return int((reset + timedelta(seconds=_MINUTE_S)).timestamp())
    except (ValueError, OverflowError, OSError):  # an invalid time
        return None


# --- before a turn that must not hit it


def held_until_s(limits: Limits | None) -> int | None:
    """Until when the account's limit holds, in Unix seconds; None if none is known to hold.

    A window that is used up does not limit an account with credits.
    """
    if limits is None or limits.credits is not None:
        return None
    return max((end_s for used_percent, end_s in _ends(limits) if used_percent >= _FULL_PERCENT), default=None)


class Evidence(NamedTuple):
    """What the end of a turn shows about the limit.

    Attributes:
        until_s: Unix seconds until which it holds, None if it does not, or the time is unknown.
        is_met: whether the turn hit it.
    """

    until_s: float | None
    is_met: bool = False


def evidence_of(result: dict[str, Any]) -> Evidence | None:
    """What a `result.json` shows about the limit; None for nothing, as with a provider without limits."""
    error, limits = result.get("error") or {}, _limits(result.get("limits"))
    if error.get("kind") == ErrorKind.USAGE_LIMIT:
        resets_ms = parse_time_ms(error.get("resets_at"))
        return Evidence(resets_ms / 1000 if resets_ms is not None else None, is_met=True)
    return Evidence(held_until_s(limits)) if _ends(limits) else None
