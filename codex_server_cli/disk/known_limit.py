"""What the turns that ended last have met of the account's usage limit. Owns the search; what an end means is `core`'s.

Reads only, and no more turns than it takes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from codex_server_cli.core.result.usage_limit import evidence_of
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import ended_at_ms, finished_result
from codex_server_cli.disk.turn.layout import TurnDir

_NEWEST = 64
"""Turns that are looked at, by the order in which they were started: one that is older has most likely ended before."""


class KnownLimit(NamedTuple):
    """The last word on the limit.

    Attributes:
        until_s: until when it holds, in Unix seconds; None where it does not, or nothing tells the time.
        told_s: when that was found out, in Unix seconds.
        is_met: whether the turn that tells it has met the limit.
    """

    until_s: float | None
    told_s: float
    is_met: bool = False


def last_known_limit(turns_path: Path) -> KnownLimit | None:
    """What the turn that ended last tells of the limit, of those that have met a provider with limits at all.

    Raises:
        HomeError: the turns cannot be read.
    """
    newest = (TurnDir(turns_path / turn_id) for turn_id in lookup.turn_ids(turns_path)[:_NEWEST])
    ended = [(end_ms / 1000, turn) for turn in newest if (end_ms := ended_at_ms(turn)) is not None]
    for end_s, turn in sorted(ended, key=lambda each: each[0], reverse=True):
        evidence = evidence_of(finished_result(turn) or {})
        if evidence is not None:
            return KnownLimit(evidence.until_s, end_s, evidence.is_met)
    return None


def login_s(codex_home: Path) -> float:
    """When Codex's login was written last, in Unix seconds: what is older may be of another account; 0 without one."""
    try:
        return (codex_home / "auth.json").stat().st_mtime
    except OSError:
        return 0.0
