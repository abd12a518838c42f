"""Usage limits as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from codex_server_cli.core.record.rate_limits import Credits, Limits, Window
from codex_server_cli.render.limits import bar, limits_text, local_time, time_until, window_label
from codex_server_cli.render.style.ink import Ink
from tests.kit.cases import for_each

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOW_S = NOW.timestamp()


def at(**later: float) -> int:
    return int((NOW + timedelta(**later)).timestamp())


def limits(*windows: Window, name: str | None = None, **more: object) -> Limits:
    facts = {"limit_id": "codex", "name": name, "plan": "pro", "credits": None, "reached": None, **more}
    return Limits(windows=windows, **facts)  # type: ignore[arg-type]


def test_each_window_is_a_bar_with_its_reset() -> None:
    five_hours = Window("primary", 25, 300, at(hours=2, minutes=10, seconds=30))
    week = Window("secondary", 100, 10080, at(days=3, hours=4))
    text = limits_text([limits(five_hours, week, credits=Credits(False, "12.5"))], NOW_S, UTC)
    assert text == (
        "plan pro\n"
        "  5 hours  █████░░░░░░░░░░░░░░░  25 %  resets 14:10 (in 2 h 10 min)\n"
        "  1 week   ████████████████████ 100 %  resets Mon 23 Nov 16:00 (in 3 d 4 h)\n"
        "  credits: 12.5\n"
    )
    assert max(map(len, text.splitlines())) <= 80


def test_further_limits_bear_their_names_and_what_holds_is_said() -> None:
    small = limits(Window("primary", 7), name="Small model", plan=None)
    held = limits(Window("secondary", 100), reached="workspace_member_credits_depleted", credits=Credits(True, None))
    bare = limits(Window("primary", 0), limit_id="other", credits=Credits(False, None))
    assert limits_text([held, small, bare], NOW_S, UTC) == (
        "plan pro\n"
        "  secondary  ████████████████████ 100 %\n"
        "  the limit is reached: workspace member credits depleted\n"
        "  credits: unlimited\n"
        "Small model\n"
        "  primary  █░░░░░░░░░░░░░░░░░░░   7 %\n"
        "other\n"
        "  primary  ░░░░░░░░░░░░░░░░░░░░   0 %\n"
        "  credits: some\n"
    )


@for_each("found", [[], [limits()]])
def test_an_account_without_limits_is_said_to_have_none(found: list[Limits]) -> None:
    assert limits_text(found, NOW_S, UTC) == "Codex names no limits for this account.\n"


def test_a_limit_without_a_plan_begins_with_its_windows() -> None:
    assert limits_text([limits(Window("primary", 1), plan=None)], NOW_S, UTC).startswith("  primary")


@for_each(("percent", "filled"), [(-5, 0), (0, 0), (2, 0), (3, 1), (50, 10), (99.9, 19), (100, 20), (250, 20)])
def test_only_what_is_used_up_fills_a_bar(percent: float, filled: int) -> None:
    assert bar(percent).count("█") == filled
    assert bar(percent).endswith(f"{percent:.0f} %")


@for_each(
    ("window", "label"),
    [
        (Window("primary", 1, 300), "5 hours"),
        (Window("primary", 1, 60), "1 hour"),
        (Window("primary", 1, 15), "15 minutes"),
        (Window("primary", 1, 10080), "1 week"),
        (Window("primary", 1, 43200), "30 days"),
        (Window("primary", 1, 90), "90 minutes"),
        (Window("primary", 1), "primary"),
        (Window("individual", 1), "your share"),
    ],
)
def test_a_window_is_called_by_its_length(window: Window, label: str) -> None:
    assert window_label(window) == label


@for_each(
    ("seconds", "expected"),
    [
        (-5, "any moment"),
        (0, "any moment"),
        (59, "in less than a minute"),
        (60, "in 1 min"),
        (2 * 3600, "in 2 h"),
        (2 * 3600 + 600, "in 2 h 10 min"),
        (24 * 3600, "in 1 d"),
        (28 * 3600 + 59 * 60, "in 1 d 4 h"),
    ],
)
def test_the_time_until_a_reset_has_two_units(seconds: float, expected: str) -> None:
    assert time_until(seconds) == expected


def test_a_moment_is_told_on_the_clock_of_its_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert local_time(at(hours=1), NOW_S, tokyo) == "22:00"
    assert local_time(at(hours=3), NOW_S, tokyo) == "Sat 21 Nov 00:00"
    assert local_time(at(days=100), NOW_S, UTC) == "Sun 28 Feb 2027"
    assert local_time(at(hours=1), NOW_S)  # the system's own zone


@for_each(("percent", "style"), [(0, "32"), (74, "32"), (75, "33"), (89, "33"), (90, "31"), (100, "31")])
def test_a_bar_is_green_then_yellow_then_red(percent: float, style: str) -> None:
    text = limits_text([limits(Window("primary", percent))], NOW_S, UTC, ink=Ink(is_coloured=True))
    assert f"\x1b[{style}m{bar(percent)}\x1b[0m" in text


def test_on_a_narrow_terminal_a_reset_stands_below_its_bar() -> None:
    window = Window("primary", 25, 300, at(hours=2, minutes=10, seconds=30))
    held = limits(window, name="Small model", reached="plan_limit", plan=None)
    assert limits_text([held], NOW_S, UTC, width=40).splitlines() == [
        "Small model",
        "  5 hours  █████░░░░░░░░░░░░░░░  25 %",
        "    resets 14:10 (in 2 h 10 min)",
        "  the limit is reached: plan limit",
    ]
    assert limits_text([held], NOW_S, UTC, width=20).splitlines()[1] == "  5 hours  █░░░░  25 %"
