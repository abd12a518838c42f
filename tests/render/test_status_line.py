"""The line below a chat fits its terminal, and omits the least important facts first."""

from __future__ import annotations

from typing import Any

from codex_server_cli.render.status_line import Status, clock, limits_words, short_count, status_line
from tests.kit.cases import for_each

LIMITS: dict[str, Any] = {
    "primary": {"usedPercent": 25.4, "windowDurationMins": 300},
    "secondary": {"usedPercent": 3, "windowDurationMins": 10080},
}
WHOLE = Status("thinking", 12.7, "gpt-5.5", "high", "read-only", 12_345, LIMITS)


@for_each(
    ("width", "line"),
    [
        (100, "thinking 12 s · gpt-5.5 high · read-only · 12.3k tokens · 5h 25 %, 7d 3 %"),
        (60, "thinking 12 s · gpt-5.5 high · read-only · 12.3k tokens"),
        (40, "thinking 12 s · gpt-5.5 high · read-only"),
        (30, "thinking 12 s · gpt-5.5 high"),
        (13, "thinking 12 s"),
        (8, "thinkin…"),
        (1, "…"),
    ],
)
def test_the_line_fits_and_says_what_matters_most(width: int, line: str) -> None:
    assert status_line(WHOLE, width) == line


def test_what_is_not_known_is_left_out() -> None:
    assert status_line(Status("ready"), 80) == "ready"
    assert status_line(Status("ready", effort="low", tokens=7), 80) == "ready · low · 7 tokens"


def test_a_name_that_is_no_name_does_no_harm() -> None:
    assert status_line(Status("ready", model="x\x1b[2J\ny"), 80) == "ready · x␛[2J y"


@for_each(("seconds", "expected"), [(0.9, "0 s"), (59.9, "59 s"), (60, "1m 00s"), (200, "3m 20s"), (7500, "2h 05m")])
def test_a_clock_ticks_in_whole_seconds(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


@for_each(("count", "expected"), [(0, "0"), (999, "999"), (1000, "1.0k"), (999_949, "999.9k"), (999_950, "1.0M")])
def test_a_count_stays_short(count: int, expected: str) -> None:
    assert short_count(count) == expected


@for_each(
    ("limits", "expected"),
    [
        (None, ""),
        ({}, ""),
        ({"primary": None, "secondary": "x"}, ""),
        ({"primary": {"usedPercent": None}}, ""),
        ({"primary": {"usedPercent": 5}}, "5 %"),
        ({"primary": {"usedPercent": 5, "windowDurationMins": 0}}, "5 %"),
        ({"secondary": {"usedPercent": 100, "windowDurationMins": 90}}, "90m 100 %"),
    ],
)
def test_limits_are_told_as_far_as_they_are_known(limits: dict[str, Any] | None, expected: str) -> None:
    assert limits_words(limits) == expected
