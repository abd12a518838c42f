"""The JSON of `usage`: a versioned contract (README, "JSON"). Owns its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.result.usage_report import UseGroup


def usage_document(
    groups: Sequence[UseGroup], total: UseGroup, *, by: str, since: str, n_unreadable: int
) -> dict[str, Any]:
    """What turns have used.

    Args:
        groups: each under the value that it is grouped by, null where that is unknown.
        by: `day`, `model`, `cwd` or `state`.
        since: RFC 3339 in UTC: only turns started then, or later.
        n_unreadable: how many turns are omitted because their record cannot be read.
    """
    return {
        "version": VERSION,
        "since": since,
        "by": by,
        "groups": [{by: group.group or None, **_figures(group)} for group in groups],
        "total": _figures(total),
        "unreadable": n_unreadable,
    }


def _figures(group: UseGroup) -> dict[str, Any]:
    return {
        "turns": group.n_turns,
        "running": group.n_running,
        "cancelled": group.n_cancelled,
        "failures": group.failures,
        **group.tokens,
        "median_s": group.median_s,
        "p95_s": group.p95_s,
    }
