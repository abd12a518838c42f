"""What a garbage collection of old turns has deleted, or would delete, and what it kept."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from codex_server_cli.core.model.turn import State


class Why(StrEnum):
    """Which bound a turn exceeded."""

    AGE = "age"
    KEEP = "keep"
    MAX_SIZE = "max_size"


class Gone(NamedTuple):
    """A turn that was deleted, or would be.

    Attributes:
        age_s: how long ago it ended.
        n_bytes: the size of its directory, in allocated blocks.
        why: the bound that it exceeded.
    """

    turn_id: str
    name: str | None
    state: State | None
    age_s: float
    n_bytes: int
    why: Why


class Collected(NamedTuple):
    """What was deleted, or would be, and what was kept.

    Attributes:
        turns: oldest first; in a dry run those that could be deleted at that moment.
        orphans: how many directories were left by workers or collectors that died while creating or deleting them.
        freed_bytes: freed on the disk by both.
        leftovers: how many small files of dead turns lay beside the turns (locks, tickets, journal segments); not
            counted in a dry run.
        unreadable: the turns that are kept because we may not read them: another user's.
        kept: how many turns are kept although they exceed a bound, by the reason.
        n_left: how many ended turns are left.
        left_bytes: their size; None if no size bound was given.
        exceeded: the bounds that are still exceeded, because of the turns that are kept.
    """

    turns: tuple[Gone, ...] = ()
    orphans: int = 0
    freed_bytes: int = 0
    leftovers: int = 0
    unreadable: tuple[str, ...] = ()
    kept: Mapping[str, int] = MappingProxyType({})
    n_left: int = 0
    left_bytes: int | None = None
    exceeded: tuple[Why, ...] = ()

    @property
    def turn_ids(self) -> tuple[str, ...]:
        """The ids of the turns that were deleted, or would be."""
        return tuple(turn.turn_id for turn in self.turns)
