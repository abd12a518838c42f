"""The account's usage limit as the most recently ended turns met it. Owns the search; `core` interprets an end.

Reads only, and no more turns than needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from codex_server_cli.core.model.server.record import is_foreign
from codex_server_cli.core.result.usage_limit import evidence_of
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import ended_at_ms, finished_result, meta_of
from codex_server_cli.disk.turn.layout import TurnDir

_NEWEST = 64
"""The number of turns checked, most recently started first: an older one has most likely ended earlier."""


class KnownLimit(NamedTuple):
    """The latest known state of the limit.

    Attributes:
        until_s: until when it holds, in Unix seconds; None where it does not hold, or the time is unknown.
        told_s: when the turn reported it, in Unix seconds.
        is_met: whether the turn that reports it has met the limit.
    """

    until_s: float | None
    told_s: float
    is_met: bool = False


def last_known_limit(turns_path: Path) -> KnownLimit | None:
    """The limit as reported by the turn that ended last, among those whose provider has limits at all.

    Raises:
        HomeError: the turns cannot be read.
    """
    newest = (TurnDir(turns_path / turn_id) for turn_id in lookup.turn_ids(turns_path)[:_NEWEST])
    ended = [(end_ms / 1000, turn) for turn in newest if (end_ms := ended_at_ms(turn)) is not None]
    for end_s, turn in sorted(ended, key=lambda each: each[0], reverse=True):
        evidence = evidence_of(finished_result(turn) or {})
        if evidence is not None and not is_foreign(meta_of(turn).get("server")):  # a foreign server has another account
            return KnownLimit(evidence.until_s, end_s, evidence.is_met)
    return None


def login_s(codex_home: Path) -> float:
    """When Codex's login was last written, in Unix seconds: older data may be of another account; 0 without a login."""
    try:
        return (codex_home / "auth.json").stat().st_mtime
    except OSError:
        return 0.0
