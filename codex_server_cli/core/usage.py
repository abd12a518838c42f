"""Tokens of one turn and the account's limits, from the wire's own numbers. Never estimates."""

from __future__ import annotations

import re
from typing import Any

Usage = dict[str, int]
"""`input_tokens`, `cached_input_tokens`, `output_tokens`, `reasoning_output_tokens`, `total_tokens`."""

_KEYS = {
    "inputTokens": "input_tokens",
    "cachedInputTokens": "cached_input_tokens",
    "outputTokens": "output_tokens",
    "reasoningOutputTokens": "reasoning_output_tokens",
    "totalTokens": "total_tokens",
}

_YEAR_3000_S = 32_503_680_000


_LABELS = {"limitId", "limitName"}


def add_usage(so_far: Usage | None, token_usage: Any) -> Usage | None:
    """Add one `thread/tokenUsage/updated` to the turn's sum.

    `total` on the wire counts the whole thread and survives a resume, so the turn's own share is the sum of
    `last`. A compaction's `last` is synthetic (tokens in context, none spent): it has neither input nor output.
    """
    last = token_usage.get("last") if isinstance(token_usage, dict) else None
    if not isinstance(last, dict):
        return so_far
    if not (_number(last.get("inputTokens")) or _number(last.get("outputTokens"))):
        return so_far
    sums = so_far or dict.fromkeys(_KEYS.values(), 0)
    return {ours: sums[ours] + _number(last.get(wire)) for wire, ours in _KEYS.items()}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def merge_limits(so_far: dict[str, Any] | None, snapshot: Any) -> dict[str, Any] | None:
    """Merge one `account/rateLimits/updated`, which is sparse: a null does not clear what is known."""
    if not isinstance(snapshot, dict):
        return so_far
    known = {key: value for key, value in snapshot.items() if value is not None}
    merged = {**(so_far or {}), **known}
    return merged if merged.keys() - _LABELS else so_far  # a label without a number tells nothing


def reset_time_s(limits: dict[str, Any] | None) -> int | None:
    """When the fullest window of a snapshot resets, in Unix seconds; None where no window says so.

    Of two that are used up the later one counts: until then the limit holds.
    """
    windows = [limits.get(name) for name in ("primary", "secondary")] if limits else []
    known = [w for w in windows if isinstance(w, dict) and 0 < _number(w.get("resetsAt")) < _YEAR_3000_S]
    if not known:
        return None
    return _number(max(known, key=lambda w: (_used_percent(w), w["resetsAt"]))["resetsAt"])


def _used_percent(window: dict[str, Any]) -> float:
    percent = window.get("usedPercent")
    return percent if isinstance(percent, (int, float)) else 0.0


_TOLD = re.compile(
    r"try again at (?:([A-Z][a-z]{2}) (\d{1,2})[a-z]{2}, (\d{4}) )?(\d{1,2}):(\d\d) ([AP])M", re.IGNORECASE
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def told_reset_time_s(message: str, said_s: int | None) -> int | None:
    """When a usage limit resets by Codex's own words, in Unix seconds; None where they do not say it.

    It writes `try again at 6:27 PM` for the day on which it says so, else `Nov 21st, 2026 6:27 PM`, in local time and
    cut to minutes (capture error_USAGE): the end of that minute is meant, so that nobody comes too early.

    Args:
        message: the error's text.
        said_s: when that was said, in Unix seconds; without it a time of day tells nothing.
    """
    from datetime import datetime, timedelta  # 4 ms that only this needs

    match = _TOLD.search(message)
    if match is None:
        return None
    month, day, year, hour, minute, half = match.groups()
    hour_of_day = int(hour) % 12 + (12 if half in "Pp" else 0)
    try:
        if month is not None:
            told = datetime(int(year), _MONTHS.index(month.lower()) + 1, int(day))
        elif said_s is not None:
            told = datetime.fromtimestamp(said_s)
        else:
            return None
        told = told.replace(hour=hour_of_day, minute=int(minute), second=0, microsecond=0)
        return int((told + timedelta(minutes=1)).timestamp())
    except (ValueError, OverflowError, OSError):  # a time that is none
        return None
