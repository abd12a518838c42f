"""What a collection of old turns has deleted, or would delete, and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from codex_server_cli.core.model.turn import State


class Why(StrEnum):
    """Which bound took a turn."""

    AGE = "age"
    KEEP = "keep"
    MAX_SIZE = "max_size"


class Gone(NamedTuple):
    """A turn that was deleted, or would be.

    Attributes:
        age_s: how long ago it ended.
        n_bytes: what its directory took, in allocated blocks.
        why: the bound that took it.
    """

    turn_id: str
    name: str | None
    state: State | None
    age_s: float
    n_bytes: int
    why: Why


class Collected(NamedTuple):
    """What was deleted, or would be, and what stays.

    Attributes:
        turns: oldest first; in a dry run those that could be had at that moment.
        orphans: how many directories of workers that died while making them, or of collectors while deleting them.
        freed_bytes: of the disk, by both.
        leftovers: how many small files of dead turns beside the turns (locks, tickets, journal segments); not looked
            for in a dry run.
        unreadable: the turns that stay because we may not read them: another user's.
        kept: how many stay that a bound would take, by the reason.
        n_left: how many ended turns are left.
        left_bytes: what they take; None where no bound of a size was given.
        exceeded: the bounds that do not hold all the same, because of the turns that are kept.
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
