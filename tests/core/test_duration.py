"""Durations as users write them."""

from __future__ import annotations

import pytest

from codex_server_cli.core.duration import parse_duration_s, since_ms
from codex_server_cli.errors import UsageError
from tests.kit.cases import for_each


@for_each(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("1.5", 1.5), ("45s", 45), ("30m", 1800), (" 2h ", 7200), ("7d", 604800)],
)
def test_a_number_with_or_without_a_unit_is_a_duration(text: str, seconds: float) -> None:
    assert parse_duration_s(text, "--timeout") == seconds


@for_each("text", ["", "soon", "-1", "nan", "inf", "1e9", "5x", "1h30m", "4000d", "9" * 400])
def test_anything_else_is_none_and_so_is_more_than_ten_years(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout takes a duration, not"):
        parse_duration_s(text, "--timeout")


@for_each("text", ["0", "0s", "7d", "7 d"])
def test_where_a_unit_is_needed_one_will_do_and_nothing_needs_none(text: str) -> None:
    assert parse_duration_s(text, "--older-than", needs_unit=True) in (0, 7 * 86400)


def test_a_bare_number_is_refused_where_seconds_are_not_what_comes_to_mind() -> None:
    with pytest.raises(UsageError, match="--older-than takes a number with its unit, not '7'") as caught:
        parse_duration_s("7", "--older-than", needs_unit=True)
    assert "7d" in caught.value.hint


def test_a_moment_is_so_long_before_now() -> None:
    assert since_ms("1.5h", "--since", 10_000_000) == 10_000_000 - 5_400_000
    with pytest.raises(UsageError, match="--since takes a number with its unit, not '7'"):
        since_ms("7", "--since", 0)
