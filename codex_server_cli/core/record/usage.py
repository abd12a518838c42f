"""Tokens of one turn and the account's limits, from the wire's own numbers. Never estimates.

Each report has the tokens of the `last` response and the `total` of the thread. A turn's own share is the sum of the
former; after reports were missed, the total minus the total before the turn. `usage_limit` interprets the limits.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.rpc import at, object_at

Usage = dict[str, int]
"""`input_tokens`, `cached_input_tokens`, `output_tokens`, `reasoning_output_tokens`, `total_tokens`."""

_KEYS = {
    "inputTokens": "input_tokens",
    "cachedInputTokens": "cached_input_tokens",
    "outputTokens": "output_tokens",
    "reasoningOutputTokens": "reasoning_output_tokens",
    "totalTokens": "total_tokens",
}

_LABELS = {"limitId", "limitName"}


def no_usage() -> Usage:
    """No tokens: every count is zero."""
    return dict.fromkeys(_KEYS.values(), 0)


def add_usage(so_far: Usage | None, token_usage: Any) -> Usage | None:
    """Add one `thread/tokenUsage/updated` to the turn's sum.

    `total` on the wire counts the whole thread and survives a resume, so the turn's own share is the sum of
    `last`. A compaction's `last` is synthetic (tokens in context, none used): it has neither input nor output.
    """
    last = object_at(token_usage, "last")
    if not (_number(last.get("inputTokens")) or _number(last.get("outputTokens"))):
        return so_far
    sums = so_far or no_usage()
    return {ours: sums[ours] + _number(last.get(wire)) for wire, ours in _KEYS.items()}


class TurnUsage:
    """The tokens of one turn.

    Attributes:
        spent: so far; None if Codex reported none.
        counts_totals: reports were missed: the thread's total counts from now on.
        is_behind: no report has arrived since.
    """

    def __init__(self) -> None:
        self.spent: Usage | None = None
        self.counts_totals = self.is_behind = False
        self._before: Usage | None = None  # the thread's total before the turn
        self._total: Usage | None = None  # the last one that was reported

    def reattach(self) -> None:
        """The connection was lost, and perhaps reports with it."""
        self.counts_totals = self.is_behind = True

    def note_new_thread(self) -> None:
        """The thread is new: no tokens were used in it."""
        self._before = no_usage()

    def note_before(self, token_usage: Any) -> None:
        """Take a report about the thread that is not of this turn; those after the turn's first one do not count."""
        total = _counts(token_usage, "total")
        if self.spent is None and total is not None:
            self._before = self._total = total

    def add(self, token_usage: Any) -> Usage | None:
        """Take a report of this turn; returns the tokens used so far."""
        self.is_behind = False
        total = _counts(token_usage, "total")
        if total is not None and total == self._total:
            return self.spent  # a compaction begins with the last report of the previous turn
        self._total = total
        added = add_usage(None, token_usage) or no_usage()
        if self._before is None and total is not None:
            self._before = _less(total, added)
        if self.counts_totals and self._before is not None and total is not None:
            spent = _less(total, self._before)
            spent["total_tokens"] = spent["input_tokens"] + spent["output_tokens"]  # a full context counts as spent
            self.spent = spent if spent["total_tokens"] else self.spent
        else:
            self.spent = add_usage(self.spent, token_usage)
        return self.spent


def _counts(token_usage: Any, member: str) -> Usage | None:
    counts = at(token_usage, member, dict)
    return None if counts is None else {ours: _number(counts.get(wire)) for wire, ours in _KEYS.items()}


def _less(one: Usage, other: Usage) -> Usage:
    return {name: max(0, count - other[name]) for name, count in one.items()}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def merge_limits(so_far: dict[str, Any] | None, snapshot: Any) -> dict[str, Any] | None:
    """Merge one `account/rateLimits/updated`, which is sparse: a null does not clear a known value."""
    if not isinstance(snapshot, dict):
        return so_far
    known = {key: value for key, value in snapshot.items() if value is not None}
    merged = {**(so_far or {}), **known}
    return merged if merged.keys() - _LABELS else so_far  # a label without a number is useless
