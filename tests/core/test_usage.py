"""Tokens and limits, from the wire's own numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from codex_server_cli.core.turn import format_time_ms
from codex_server_cli.core.usage import add_usage, merge_limits, reset_time_s, told_reset_time_s

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


def test_output_alone_counts() -> None:
    usage = add_usage(None, {"last": {"outputTokens": 3}})
    assert usage == {**dict.fromkeys(OURS, 0), "output_tokens": 3}


@pytest.mark.parametrize("update", [None, 5, [], {}, {"last": None}, {"last": [1]}, {"last": {"inputTokens": "x"}}])
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


@pytest.mark.parametrize("snapshot", [None, 5, "x", []])
def test_a_snapshot_that_is_none_changes_nothing(snapshot: Any) -> None:
    assert merge_limits(None, snapshot) is None
    assert merge_limits({"primary": {}}, snapshot) == {"primary": {}}


def _window(used: Any, resets_at: Any) -> dict[str, Any]:
    return {"usedPercent": used, "windowDurationMins": 300, "resetsAt": resets_at}


@pytest.mark.parametrize(
    ("limits", "reset_s"),
    [
        (None, None),
        ({}, None),
        ({"primary": None, "secondary": "x"}, None),
        ({"primary": _window(100, None)}, None),
        ({"primary": _window(100, 1_795_193_701)}, 1_795_193_701),
        ({"primary": _window(40, 1), "secondary": _window(100, 2)}, 2),
        ({"primary": _window(100, 1), "secondary": _window(40, 2)}, 1),
        ({"primary": _window(100, 1), "secondary": _window(100, 2)}, 2),
        ({"primary": _window(None, 1), "secondary": _window(3, 2)}, 2),
        ({"primary": _window("?", 1), "secondary": _window(3, 2)}, 2),
        ({"primary": _window(100, None), "secondary": _window(40, 2)}, 2),
        ({"primary": _window(100, 10**18)}, None),
        ({"primary": _window(100, -1)}, None),
    ],
)
def test_the_fullest_window_says_when_the_limit_resets(limits: dict[str, Any] | None, reset_s: int | None) -> None:
    assert reset_time_s(limits) == reset_s


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is Berlin's: two hours before UTC in summer, one in winter."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


SAID_S = 1_795_195_646  # 2026-11-20T17:27:26Z


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("words", "said_s", "reset"),
    [
        ("or try again at 6:47 PM.", SAID_S, "2026-11-20T17:48:00.000Z"),
        ("Try again at 12:05 AM.", SAID_S, "2026-11-19T23:06:00.000Z"),
        ("try again at 12:05 PM.", SAID_S, "2026-11-20T11:06:00.000Z"),
        ("try again at Nov 21st, 2026 9:59 AM.", None, "2026-11-21T09:00:00.000Z"),
        ("try again at Jul 3rd, 2027 6:27 PM.", SAID_S, "2027-07-03T16:28:00.000Z"),
        ("try again at 6:47 PM.", None, None),
        ("try again at Foo 1st, 2026 6:47 PM.", SAID_S, None),
        ("try again at Nov 31st, 2026 6:47 PM.", SAID_S, None),
        ("try again at 6:77 PM.", SAID_S, None),
        ("try again at 6:47 PM.", 10**20, None),
        ("try again later.", SAID_S, None),
    ],
)
def test_codex_tells_in_words_when_a_limit_resets(words: str, said_s: int | None, reset: str | None) -> None:
    reset_s = told_reset_time_s(f"You’ve hit your usage limit. {words}", said_s)
    assert (format_time_ms(reset_s * 1000) if reset_s is not None else None) == reset
