"""Until when the usage limit holds, from the numbers and the text that Codex sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.core.record.rate_limits import limits_in
from codex_server_cli.core.result.usage_limit import (
    Evidence,
    evidence_of,
    held_until_s,
    reset_time_s,
    told_reset_time_s,
)
from tests.kit.cases import for_each


def _window(used: Any, resets_at: Any) -> dict[str, Any]:
    return {"usedPercent": used, "windowDurationMins": 300, "resetsAt": resets_at}


@for_each(
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
        ({"primary": _window(None, 9), "secondary": _window(3, 2)}, 2),
        ({"primary": _window("?", 9), "secondary": _window(3, 2)}, 2),
        ({"primary": _window(100, None), "secondary": _window(40, 2)}, 2),
        ({"primary": _window(100, 10**18)}, None),
        ({"primary": _window(100, -1)}, None),
    ],
)
def test_the_fullest_window_says_when_the_limit_resets(limits: Any, reset_s: int | None) -> None:
    assert reset_time_s(limits, "", None) == reset_s


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
    ("text", "said_s", "reset"),
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
def test_codex_tells_in_words_when_a_limit_resets(text: str, said_s: int | None, reset: str | None) -> None:
    reset_s = told_reset_time_s(f"You’ve hit your usage limit. {text}", said_s)
    assert (format_time_ms(reset_s * 1000) if reset_s is not None else None) == reset


RESET_S = 1_795_197_060  # the end of 6:50 PM there


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("limits", "reset_s"),
    [
        ({}, RESET_S),
        ({"primary": _window(25, RESET_S + 900)}, RESET_S),
        ({"primary": _window(99, RESET_S - 17)}, RESET_S - 17),
        ({"primary": _window(99, RESET_S - 61), "secondary": _window(9, RESET_S)}, RESET_S),
        ({"primary": _window(100, RESET_S - 17), "secondary": _window(100, RESET_S + 900)}, RESET_S + 900),
        ({"primary": _window(100, SAID_S - 1)}, RESET_S),
    ],
)
def test_a_window_tells_the_second_of_the_minute_that_codex_names(limits: dict[str, Any], reset_s: int) -> None:
    assert reset_time_s(limits, "or try again at 6:50 PM.", SAID_S) == reset_s


CREDITS = {"hasCredits": True, "unlimited": False, "balance": "5"}


@for_each(
    ("snapshot", "until_s"),
    [
        ({"primary": None}, None),
        ({"primary": _window(99, 5)}, None),
        ({"primary": _window(100, None)}, None),
        ({"primary": _window(100, 5), "secondary": _window(12, 9)}, 5),
        ({"primary": _window(100, 5), "secondary": _window(101, 9)}, 9),
        ({"primary": _window(100, 5), "credits": CREDITS}, None),
        ({"primary": _window(100, 5), "credits": {**CREDITS, "hasCredits": False}}, 5),
        ({"individualLimit": {"remainingPercent": 0, "resetsAt": 7}}, 7),
    ],
)
def test_a_window_that_is_used_up_holds_who_has_no_credits(snapshot: dict[str, Any], until_s: int | None) -> None:
    (limits,) = limits_in({"rateLimits": snapshot})
    assert held_until_s(limits) == until_s


def test_without_limits_no_turn_is_held() -> None:
    assert held_until_s(None) is None


LIMIT = {"kind": "usage_limit", "resets_at": "2026-11-20T17:28:00.000Z"}


@for_each(
    ("result", "evidence"),
    [
        ({}, None),
        ({"error": None, "limits": None}, None),
        ({"error": {"kind": "network", "resets_at": None}}, None),
        ({"error": None, "limits": {"primary": {"usedPercent": 100}}}, None),
        ({"error": LIMIT}, Evidence(1_795_195_680, is_met=True)),
        ({"error": {**LIMIT, "resets_at": None}, "limits": {"primary": _window(100, 5)}}, Evidence(None, is_met=True)),
        ({"error": None, "limits": {"primary": _window(40, 5)}}, Evidence(None)),
        ({"error": {"kind": "network"}, "limits": {"primary": _window(100, 5)}}, Evidence(5)),
    ],
)
def test_an_end_tells_of_the_limit_what_it_has_met_of_it(result: dict[str, Any], evidence: Evidence | None) -> None:
    assert evidence_of(result) == evidence
