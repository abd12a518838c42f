"""Tokens and limits, from the wire's own numbers."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.record.usage import TurnUsage, add_usage, merge_limits
from tests.kit.cases import for_each

ONE = {"inputTokens": 100, "cachedInputTokens": 40, "outputTokens": 20, "reasoningOutputTokens": 5, "totalTokens": 120}
OURS = {
    "input_tokens": 100,
    "cached_input_tokens": 40,
    "output_tokens": 20,
    "reasoning_output_tokens": 5,
    "total_tokens": 120,
}


def test_a_turn_costs_the_sum_of_last_and_not_the_total_of_the_thread() -> None:
    update = {"last": ONE, "total": {name: 9000 for name in ONE}}
    usage = add_usage(add_usage(None, update), update)
    assert usage == {name: 2 * count for name, count in OURS.items()}


def test_the_sum_so_far_is_not_changed_in_place() -> None:
    so_far = add_usage(None, {"last": ONE})
    add_usage(so_far, {"last": ONE})
    assert so_far == OURS


def test_a_compaction_counts_nothing() -> None:
    synthetic = {"last": {**dict.fromkeys(ONE, 0), "totalTokens": 6914}}
    assert add_usage(None, synthetic) is None
    assert add_usage(OURS, synthetic) == OURS


def test_the_last_report_of_the_turn_before_counts_nothing_where_it_is_repeated() -> None:
    tokens, before = TurnUsage(), {"last": ONE, "total": {name: 4 * count for name, count in ONE.items()}}
    tokens.note_before(before)
    assert tokens.add(before) is None  # as a compaction begins, with 0.163.0 and 0.171.0
    after = {"last": ONE, "total": {name: 5 * count for name, count in ONE.items()}}
    assert tokens.add(after) == OURS
    assert tokens.add(after | {"last": {**dict.fromkeys(ONE, 0), "totalTokens": 6914}}) == OURS


def test_output_alone_counts() -> None:
    usage = add_usage(None, {"last": {"outputTokens": 3}})
    assert usage == {**dict.fromkeys(OURS, 0), "output_tokens": 3}


@for_each("update", [None, 5, [], {}, {"last": None}, {"last": [1]}, {"last": {"inputTokens": "x"}}])
def test_an_update_without_numbers_changes_nothing(update: Any) -> None:
    assert add_usage(None, update) is None
    assert add_usage(OURS, update) == OURS


def test_a_number_that_is_none_counts_as_zero() -> None:
    usage = add_usage(None, {"last": {**ONE, "cachedInputTokens": None, "reasoningOutputTokens": "?"}})
    assert usage == {**OURS, "cached_input_tokens": 0, "reasoning_output_tokens": 0}


def test_a_sparse_update_does_not_clear_what_is_known() -> None:
    primary, secondary = {"usedPercent": 10}, {"usedPercent": 20}
    limits = merge_limits(None, {"limitId": "codex", "primary": primary, "secondary": None})
    limits = merge_limits(limits, {"primary": None, "secondary": secondary})
    assert limits == {"limitId": "codex", "primary": primary, "secondary": secondary}


@for_each("snapshot", [None, 5, "x", []])
def test_a_snapshot_that_is_none_changes_nothing(snapshot: Any) -> None:
    assert merge_limits(None, snapshot) is None
    assert merge_limits({"primary": {}}, snapshot) == {"primary": {}}
