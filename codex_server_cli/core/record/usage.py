"""Tokens of one turn and the account's limits, from the wire's own numbers. Never estimates.

`usage_limit` interprets the limits for a turn.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.rpc import object_at

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
    `last`. A compaction's `last` is synthetic (tokens in context, none spent): it has neither input nor output.
    """
    last = object_at(token_usage, "last")
    if not (_number(last.get("inputTokens")) or _number(last.get("outputTokens"))):
        return so_far
    sums = so_far or no_usage()
    return {ours: sums[ours] + _number(last.get(wire)) for wire, ours in _KEYS.items()}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def merge_limits(so_far: dict[str, Any] | None, snapshot: Any) -> dict[str, Any] | None:
    """Merge one `account/rateLimits/updated`, which is sparse: a null does not clear what is known."""
    if not isinstance(snapshot, dict):
        return so_far
    known = {key: value for key, value in snapshot.items() if value is not None}
    merged = {**(so_far or {}), **known}
    return merged if merged.keys() - _LABELS else so_far  # a label without a number is useless
