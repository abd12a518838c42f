"""Usage limits for people: a bar for each window, and when it resets. Owns their text; plain, 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from codex_server_cli.core.record.rate_limits import Credits, Limits, Window
from codex_server_cli.render.escape import one_line

_BAR = 20
_CODEX = "codex"
"""The id of the limit that every account has: it needs no name."""


def limits_text(limits: Sequence[Limits], now_s: float, zone: tzinfo | None = None) -> str:
    """The limits of an account, each with its windows.

    Args:
        now_s: Unix seconds, for `in 2 h 10 min`.
        zone: of the reset times; None is the system's.
    """
    if not any(limit.windows or limit.credits or limit.reached for limit in limits):
        return "Codex names no limits for this account.\n"
    plan = next((limit.plan for limit in limits if limit.plan), None)
    lines = [f"plan {one_line(plan, 40)}"] if plan else []
    for limit in limits:
        lines += _limit_lines(limit, now_s, zone)
    return "\n".join(lines) + "\n"


def _limit_lines(limit: Limits, now_s: float, zone: tzinfo | None) -> list[str]:
    name = limit.name or limit.limit_id
    lines = [one_line(name, 76)] if name and name != _CODEX else []
    labels = [window_label(window) for window in limit.windows]
    pad = max(map(len, labels), default=0)
    for label, window in zip(labels, limit.windows, strict=True):
        lines.append(f"  {label.ljust(pad)}  {bar(window.used_percent)} {_reset(window, now_s, zone)}".rstrip())
    if limit.reached:
        lines.append(f"  the limit is reached: {one_line(limit.reached.replace('_', ' '), 60)}")
    if limit.credits:
        lines.append(f"  credits: {_credits(limit.credits)}")
    return lines


def bar(used_percent: float, width: int = _BAR) -> str:
    """How much of a window is used up: a bar and the number. Only a fully used window fills the bar."""
    share = min(max(used_percent / 100, 0.0), 1.0)
    filled = width if share == 1.0 else min(round(share * width), width - 1)
    return f"{'█' * filled}{'░' * (width - filled)} {used_percent:3.0f} %"


def window_label(window: Window) -> str:
    """A window by its length, like `5 hours`; by its name where that is not known."""
    if window.minutes is None:
        return {"individual": "your share"}.get(window.name, window.name)
    for unit, minutes in (("week", 10080), ("day", 1440), ("hour", 60)):
        if window.minutes % minutes == 0:
            return _count(window.minutes // minutes, unit)
    return _count(window.minutes, "minute")


def _count(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _reset(window: Window, now_s: float, zone: tzinfo | None) -> str:
    if window.resets_at_s is None:
        return ""
    return f" resets {local_time(window.resets_at_s, now_s, zone)} ({time_until(window.resets_at_s - now_s)})"


def local_time(at_s: float, now_s: float, zone: tzinfo | None = None) -> str:
    """A moment in local time: the time alone for today, with the day for any other."""
    at, now = datetime.fromtimestamp(at_s, zone), datetime.fromtimestamp(now_s, zone)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    day = f"{at:%a} {at.day} {at:%b}"
    return f"{day} {at:%H:%M}" if at.year == now.year else f"{day} {at.year}"


def time_until(seconds: float) -> str:
    """The time left, in its two largest units, like `in 2 h 10 min`."""
    if seconds <= 0:
        return "any moment"
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    parts = [(days, "d"), (hours, "h")] if days else [(hours, "h"), (minutes % 60, "min")]
    text = " ".join(f"{count} {unit}" for count, unit in parts if count)
    return f"in {text}" if text else "in less than a minute"


def _credits(credits: Credits) -> str:
    return "unlimited" if credits.is_unlimited else one_line(credits.balance or "some", 40)
