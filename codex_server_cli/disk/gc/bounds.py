"""What ended turns have to keep within, to stay: an age, a number, a size. Owns which turn a bound takes.

Must never touch a file.
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.collected import Why
from codex_server_cli.disk.gc.stamp import DAY_S


class Bounds(NamedTuple):
    """What ended turns have to keep within; all of it at once.

    Attributes:
        older_than_s: those that ended longer ago go.
        named_older_than_s: the same for those with a name, which stay longer.
        keep: only so many of the newest stay; None for any number.
        max_bytes: what all of them together may take, in allocated blocks; the oldest go first. None for any size.
        includes_named: whether a name makes no difference. Otherwise a named turn goes by its age alone.
    """

    older_than_s: float
    named_older_than_s: float
    keep: int | None = None
    max_bytes: int | None = None
    includes_named: bool = False


def by_age(older_than_s: float, gc_named_days: float) -> Bounds:
    """The bounds that are always there; a name never makes a turn go sooner."""
    return Bounds(older_than_s, max(older_than_s, gc_named_days * DAY_S))


def broken(bounds: Bounds, age_s: float, n_newer: int, total_bytes: int) -> Why | None:
    """The bound that takes a turn, whether or not it has a name; None where all of them hold.

    Args:
        age_s: how long ago it ended.
        n_newer: how many of the ended turns are newer.
        total_bytes: what all that are left take together, itself included.
    """
    if age_s > bounds.older_than_s:
        return Why.AGE
    if bounds.keep is not None and n_newer >= bounds.keep:
        return Why.KEEP
    if bounds.max_bytes is not None and total_bytes > bounds.max_bytes:
        return Why.MAX_SIZE
    return None


def is_kept_by_name(bounds: Bounds, age_s: float) -> bool:
    """Whether its name keeps a turn that a bound would take."""
    return not bounds.includes_named and age_s <= bounds.named_older_than_s


def exceeded(bounds: Bounds, n_left: int, left_bytes: int) -> tuple[Why, ...]:
    """The bounds that do not hold after a collection: what is left may not be deleted."""
    found = [Why.KEEP] if bounds.keep is not None and n_left > bounds.keep else []
    return (*found, Why.MAX_SIZE) if bounds.max_bytes is not None and left_bytes > bounds.max_bytes else tuple(found)
