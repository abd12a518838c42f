"""How long and how often something is retried, and which stderr tail of an app-server calls for that."""

from __future__ import annotations

import math

from codex_server_cli.core.session.backoff import OVERLOAD, RETRY_LIMIT_MS, Backoff, is_start_collision
from tests.kit.cases import for_each

SEEDS = [f"20261120-165501-482-{number:04x}" for number in range(200)]


def _delays(seed: str) -> list[float]:
    """The delays of an operation that always fails at once, until the backoff gives up."""
    backoff, now_ms, delays = Backoff(seed), 5_000.0, []
    while (delay_ms := backoff.delay_ms(now_ms)) is not None:
        delays.append(delay_ms)
        now_ms += delay_ms
    assert backoff.is_exhausted
    assert backoff.failures == len(delays) + 1
    return delays


@for_each("seed", ["", *SEEDS[:20]])
def test_delays_begin_short_grow_and_stay_bounded(seed: str) -> None:
    delays = _delays(seed)
    assert 50 <= delays[0] <= 150
    assert all(50 <= delay <= 1_950 for delay in delays)
    assert sum(delays[-5:]) > 2 * sum(delays[:5])
    assert RETRY_LIMIT_MS <= sum(delays) <= RETRY_LIMIT_MS + 1_950


def test_those_who_met_once_part() -> None:
    firsts = [_delays(seed)[0] for seed in SEEDS]
    tenths = [sum(50 + 10 * tenth <= first < 60 + 10 * tenth for first in firsts) for tenth in range(10)]
    assert min(tenths) >= len(SEEDS) / 30, tenths


def test_a_server_that_is_busy_for_hours_is_asked_at_the_longest_delay() -> None:
    backoff = Backoff("a", OVERLOAD._replace(limit_ms=math.inf))
    delays = [backoff.delay_ms(0) or 0.0 for _ in range(1_100)]
    assert 650 <= delays[-1] <= 1_950


def test_the_same_turn_waits_the_same_each_time() -> None:
    assert _delays("a") == _delays("a") != _delays("b")


def test_the_backoff_begins_with_the_first_failure() -> None:
    backoff = Backoff("a")
    assert backoff.delay_ms(1e9) is not None
    assert backoff.delay_ms(1e9 + RETRY_LIMIT_MS - 1) is not None
    assert not backoff.is_exhausted
    assert backoff.delay_ms(1e9 + RETRY_LIMIT_MS) is None


_HOME = "/home/dev/.codex: of mine"
_STATE = f"Error: failed to initialize sqlite state runtime under {_HOME}: failed to initialize state runtime at "
_LOCKED = "error returned from database: (code: 5) database is locked: (code: 5) database is locked"
_NO_FILE = "error returned from database: (code: 14) unable to open database file"


@for_each(
    "stderr",
    [
        f"{_STATE}{_HOME}",
        f"WARNING: proceeding\n{_STATE}{_HOME}\nStack backtrace:\n   0: <unknown>",
        f"{_STATE}{_HOME}: failed to open state DB at {_HOME}/state_5.sqlite: {_LOCKED}",
        f"{_STATE}{_HOME}: failed to open log DB at {_HOME}/logs_2.sqlite: {_LOCKED}\nStack backtrace:",
        f"{_STATE}{_HOME}: (code: 6) database table is locked",
        f"Error: timed out waiting for state db backfill at {_HOME} after 30s",
        f"Error: state db backfill not complete at {_HOME}",
    ],
)
def test_a_collision_is_told_by_what_codex_says_of_its_databases(stderr: str) -> None:
    assert is_start_collision(stderr)


@for_each(
    "stderr",
    [
        "",
        "thread 'main' panicked: out of cheese",
        f"{_STATE}{_HOME}: failed to open state DB at {_HOME}/state_5.sqlite: {_NO_FILE}",
        f'Error: CODEX_HOME points to "{_HOME}", but that path does not exist',
        f"state db backfill is running at {_HOME}; waiting up to 30s before retrying startup initialization.",
    ],
)
def test_what_lasts_is_no_collision(stderr: str) -> None:
    assert not is_start_collision(stderr)
