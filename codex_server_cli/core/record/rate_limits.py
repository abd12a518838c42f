"""Rate limits as the wire reports them, during a turn or on request. Owns which members are read, and how.

Tolerant: a value that is null, missing or of another shape is unknown, never a crash. Sources: the schemas of
0.163.0 and 0.171.0 (protocol notes, sections 7 and 10).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.protocol.rpc import Message, finite_number, nonempty_text, object_at, objects_in

_YEAR_3000_S = 32_503_680_000


class Window(NamedTuple):
    """One usage window of a limit.

    Attributes:
        name: `primary`, `secondary`, or `individual` for a workspace's limit for one member.
        used_percent: 0 to 100, or more.
        minutes: the length of the window; None if Codex does not report it.
        resets_at_s: Unix seconds.
    """

    name: str
    used_percent: float
    minutes: int | None = None
    resets_at_s: int | None = None


class Credits(NamedTuple):
    """Credit beyond the plan; `balance` is the backend's own text."""

    is_unlimited: bool
    balance: str | None


class Limits(NamedTuple):
    """One limit with its windows. An account has one for Codex, and may have more for single models.

    Attributes:
        reached: the wire's name of the limit that is reached right now, None for none.
    """

    limit_id: str | None
    name: str | None
    plan: str | None
    windows: tuple[Window, ...]
    credits: Credits | None
    reached: str | None


def limits_in(result: Message) -> list[Limits]:
    """The limits in the result of `account/rateLimits/read`: Codex's own first, then those by id."""
    snapshots = [result.get("rateLimits"), *object_at(result, "rateLimitsByLimitId").values()]
    found: dict[str | None, Limits] = {}
    for snapshot in objects_in(snapshots):
        limits = _limits(snapshot)
        found.setdefault(limits.limit_id, limits)
    return list(found.values())


def _limits(snapshot: Message) -> Limits:
    windows = [_window(name, object_at(snapshot, name)) for name in ("primary", "secondary")]
    windows.append(_individual(object_at(snapshot, "individualLimit")))
    return Limits(
        limit_id=nonempty_text(snapshot.get("limitId")),
        name=nonempty_text(snapshot.get("limitName")),
        plan=nonempty_text(snapshot.get("planType")),
        windows=tuple(window for window in windows if window is not None),
        credits=_credits(object_at(snapshot, "credits")),
        reached=nonempty_text(snapshot.get("rateLimitReachedType")),
    )


def _window(name: str, value: Message) -> Window | None:
    percent = finite_number(value.get("usedPercent"))
    if percent is None:
        return None
    minutes = finite_number(value.get("windowDurationMins"))
    return Window(name, percent, int(minutes) if minutes and minutes > 0 else None, _time_s(value.get("resetsAt")))


def _individual(value: Message) -> Window | None:
    left = finite_number(value.get("remainingPercent"))
    return None if left is None else Window("individual", 100 - left, None, _time_s(value.get("resetsAt")))


def _credits(value: Message) -> Credits | None:
    if value.get("hasCredits") is not True:
        return None
    return Credits(value.get("unlimited") is True, nonempty_text(value.get("balance")))


def _time_s(value: Any) -> int | None:
    seconds = finite_number(value)
    return int(seconds) if seconds is not None and 0 < seconds < _YEAR_3000_S else None
