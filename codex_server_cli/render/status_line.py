"""The status line below a chat: the turn's state and permissions. Owns what a narrow line omits.

Never wider than allowed, and always plain text: the caller colours it as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.render.escape import one_line

_GAP = " · "
_MINUTES_OF = {"d": 1440, "h": 60, "m": 1}


class Status(NamedTuple):
    """The content of the line; None or "" is omitted.

    Attributes:
        phase: what the turn does, as text; "ready" if none runs.
        elapsed_s: since the turn's start.
        tokens: of the conversation so far.
        limits: the last rate-limit snapshot, in the wire's names.
    """

    phase: str
    elapsed_s: float | None = None
    model: str = ""
    effort: str = ""
    sandbox: str = ""
    tokens: int = 0
    limits: Mapping[str, Any] | None = None


def status_line(status: Status, width: int) -> str:
    """The line, at most `width` characters: the least informative parts are omitted first."""
    since = f" {clock(status.elapsed_s)}" if status.elapsed_s is not None else ""
    parts = [
        f"{status.phase}{since}",
        f"{status.model} {status.effort}".strip(),
        status.sandbox,
        f"{short_count(status.tokens)} tokens" if status.tokens else "",
        limits_words(status.limits),
    ]
    line = one_line(parts[0], width)
    for part in parts[1:]:
        longer = f"{line}{_GAP}{one_line(part, width)}"
        if part and len(longer) <= width:
            line = longer
    return line


def clock(seconds: float) -> str:
    """A running time in whole seconds: `12 s`, `3m 20s`, `2h 05m`."""
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes}m {rest:02d}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"


def short_count(count: int) -> str:
    """A number in at most five characters: `950`, `12.3k`, `4.5M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 999_950 else f"{count / 1_000_000:.1f}M"


def limits_words(limits: Mapping[str, Any] | None) -> str:
    """How much of each window is used: `5h 25 %, 7d 3 %`; empty if unknown."""
    windows = [limits.get(name) for name in ("primary", "secondary")] if limits else []
    words = []
    for window in windows:
        percent = window.get("usedPercent") if isinstance(window, dict) else None
        if isinstance(window, dict) and isinstance(percent, int | float):
            words.append(f"{_window_name(window.get('windowDurationMins'))} {percent:.0f} %".strip())
    return ", ".join(words)


def _window_name(minutes: object) -> str:
    if not isinstance(minutes, int) or minutes <= 0:
        return ""
    unit, size = next((unit, size) for unit, size in _MINUTES_OF.items() if minutes % size == 0)
    return f"{minutes // size}{unit}"
