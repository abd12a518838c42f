"""Usage limits for people: a bar for each window, and when it resets. Owns their text, for 80 columns or fewer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from codex_server_cli.core.record.rate_limits import Credits, Limits, Window
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.style.ink import PLAIN, Ink, Style

_BAR, _LEAST_BAR = 20, 5
_NEARLY_FULL, _FULL = 75, 90
_CODEX = "codex"
"""The id of the limit that every account has: it needs no name."""


def limits_text(
    limits: Sequence[Limits], now_s: float, zone: tzinfo | None = None, *, width: int = 80, ink: Ink = PLAIN
) -> str:
    """The limits of an account, each with its windows.

    Args:
        now_s: Unix seconds, for `in 2 h 10 min`.
        zone: of the reset times; None is the system's.
        width: of the terminal, in cells: a reset that does not fit beside its bar is below it.
        ink: colours the bars by usage.
    """
    if not any(limit.windows or limit.credits or limit.reached for limit in limits):
        return "Codex names no limits for this account.\n"
    plan = next((limit.plan for limit in limits if limit.plan), None)
    lines = [f"plan {one_line(plan, 40)}"] if plan else []
    for limit in limits:
        lines += _limit_lines(limit, now_s, zone, width, ink)
    return "\n".join(lines) + "\n"


def _limit_lines(limit: Limits, now_s: float, zone: tzinfo | None, width: int, ink: Ink) -> list[str]:
    name = limit.name or limit.limit_id
    lines = [ink(one_line(name, min(width, 76)), Style.BOLD)] if name and name != _CODEX else []
    labels = [window_label(window) for window in limit.windows]
    pad = max(map(len, labels), default=0)
    for label, window in zip(labels, limit.windows, strict=True):
        lines += _window_lines(f"  {label.ljust(pad)}  ", window, _reset(window, now_s, zone), width, ink)
    if limit.reached:
        words = f"the limit is reached: {one_line(limit.reached.replace('_', ' '), 60)}"
        lines.append(f"  {ink(words, Style.RED)}")
    if limit.credits:
        lines.append(f"  credits: {_credits(limit.credits)}")
    return lines


def _window_lines(head: str, window: Window, reset: str, width: int, ink: Ink) -> list[str]:
    shown = bar(window.used_percent, max(min(_BAR, width - len(head) - len(" 100 %")), _LEAST_BAR))
    is_beside = len(f"{head}{shown} {reset}") <= width
    line = f"{head}{ink(shown, fullness(window.used_percent))}"
    if not reset or is_beside:
        return [f"{line} {reset}".rstrip()]
    return [line, f"    {ink(reset.strip(), Style.DIM)}"]


def fullness(used_percent: float) -> Style:
    """The colour of a window by its usage: green, yellow from 75 %, red from 90 %."""
    return Style.RED if used_percent >= _FULL else Style.YELLOW if used_percent >= _NEARLY_FULL else Style.GREEN


def bar(used_percent: float, width: int = _BAR) -> str:
    """The usage of a window: a bar and the number. Only a fully used window fills the bar."""
    share = min(max(used_percent / 100, 0.0), 1.0)
    filled = width if share == 1.0 else min(round(share * width), width - 1)
    return f"{'█' * filled}{'░' * (width - filled)} {used_percent:3.0f} %"


def window_label(window: Window) -> str:
    """A window by its length, like `5 hours`; by its name if that is unknown."""
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
    """A moment in local time: only the time for today, else with the day."""
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
