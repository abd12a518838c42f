"""The bounds within which ended turns are kept: age, number, size. Owns which turn exceeds a bound.

Must never touch a file.
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.collected import Why
from codex_server_cli.disk.gc.stamp import DAY_S


class Bounds(NamedTuple):
    """The bounds for ended turns; a turn is kept only within all of them.

    Attributes:
        older_than_s: turns that ended longer ago are deleted.
        named_older_than_s: the same for named turns, which are kept longer.
        keep: how many of the newest are kept; None for any number.
        max_bytes: the size of all of them together, in allocated blocks; the oldest are deleted first. None for any.
        includes_named: treat named turns as any other. Otherwise only their age counts.
    """

    older_than_s: float
    named_older_than_s: float
    keep: int | None = None
    max_bytes: int | None = None
    includes_named: bool = False


def by_age(older_than_s: float, gc_named_days: float) -> Bounds:
    """The bounds that always apply; a name never makes a turn's age limit shorter."""
    return Bounds(older_than_s, max(older_than_s, gc_named_days * DAY_S))


def broken(bounds: Bounds, age_s: float, n_newer: int, total_bytes: int) -> Why | None:
    """The bound that a turn exceeds, whether or not it has a name; None where it is within all.

    Args:
        age_s: how long ago it ended.
        n_newer: how many of the ended turns are newer.
        total_bytes: the size of all remaining turns, including this one.
    """
    if age_s > bounds.older_than_s:
        return Why.AGE
    if bounds.keep is not None and n_newer >= bounds.keep:
        return Why.KEEP
    if bounds.max_bytes is not None and total_bytes > bounds.max_bytes:
        return Why.MAX_SIZE
    return None


def is_kept_by_name(bounds: Bounds, age_s: float) -> bool:
    """Whether its name keeps a turn that exceeds a bound."""
    return not bounds.includes_named and age_s <= bounds.named_older_than_s


def exceeded(bounds: Bounds, n_left: int, left_bytes: int) -> tuple[Why, ...]:
    """The bounds that are still exceeded after a collection, because the remaining turns may not be deleted."""
    found = [Why.KEEP] if bounds.keep is not None and n_left > bounds.keep else []
    return (*found, Why.MAX_SIZE) if bounds.max_bytes is not None and left_bytes > bounds.max_bytes else tuple(found)
