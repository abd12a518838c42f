"""Times relative to now, for columns and cards. Owns the wording."""

from __future__ import annotations

_MINUTE_S, _HOUR_S, _DAY_S, _YEAR_S = 60, 3600, 86_400, 365 * 86_400


def age(then_ms: int | None, now_ms: int) -> str:
    """How long ago something was, in at most four characters: `now`, `42s`, `3m`, `2h`, `5d`, `3y`; "" if unknown."""
    if then_ms is None:
        return ""
    seconds = max(now_ms - then_ms, 0) // 1000
    if seconds < 5:
        return "now"
    for unit_s, unit in ((_YEAR_S, "y"), (_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if seconds >= unit_s:
            return f"{seconds // unit_s}{unit}"
    return f"{seconds}s"


def ago(then_ms: int | None, now_ms: int) -> str:
    """The same in a sentence: `just now`, `3m ago`."""
    shown = age(then_ms, now_ms)
    return {"": "", "now": "just now"}.get(shown, f"{shown} ago")
