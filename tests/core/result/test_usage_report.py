"""What turns have used, in groups."""

from __future__ import annotations

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.result.usage_report import TurnUse, UseGroup, group_of, groups_of
from tests.kit.cases import for_each


def tokens(total: int) -> dict[str, int]:
    return {
        "input_tokens": total - 2,
        "cached_input_tokens": 1,
        "output_tokens": 2,
        "reasoning_output_tokens": 1,
        "total_tokens": total,
    }


def test_tokens_are_added_up_and_a_turn_without_any_counts_all_the_same() -> None:
    uses = [TurnUse("a", State.COMPLETE, usage=tokens(total)) for total in (10, 20)]
    group = group_of("a", [*uses, TurnUse("a", State.RUNNING), TurnUse("a", State.RUNNING, usage={"total_tokens": 5})])
    assert (group.n_turns, group.n_running) == (4, 2)
    assert group.tokens == {
        "input_tokens": 26,
        "cached_input_tokens": 2,
        "output_tokens": 4,
        "reasoning_output_tokens": 2,
        "total_tokens": 35,
    }


def test_failures_are_counted_by_kind_the_most_frequent_first_and_a_cancelled_turn_is_none() -> None:
    ends: list[tuple[str, str | None]] = [
        ("failed", "network"),
        ("failed", "usage_limit"),
        ("failed", "usage_limit"),
        ("abandoned", "worker_died"),
    ]
    ends += [("cancelled", "cancelled"), ("failed", None), ("complete", None)]
    group = group_of("", [TurnUse("", State(state), kind) for state, kind in ends])
    assert list(group.failures.items()) == [("usage_limit", 2), ("internal", 1), ("network", 1), ("worker_died", 1)]
    assert (group.n_failed, group.n_cancelled, group.n_turns) == (5, 1, 7)


@for_each(
    ("durations", "median", "p95"),
    [
        ([], None, None),
        ([None], None, None),
        ([3.0], 3.0, 3.0),
        ([4.0, None, 1.0], 2.5, 4.0),
        ([3.0, 1.0, 2.0], 2.0, 3.0),
        ([float(n) for n in range(100, 0, -1)], 50.5, 95.0),
    ],
)
def test_the_median_and_the_95th_percentile_are_of_the_turns_that_have_ended(
    durations: list[float | None], median: float | None, p95: float | None
) -> None:
    group = group_of("", [TurnUse("", State.COMPLETE, duration_s=duration) for duration in durations])
    assert (group.median_s, group.p95_s) == (median, p95)


def names(groups: list[UseGroup]) -> list[str]:
    return [group.group for group in groups]


def test_groups_come_in_the_order_of_their_names_or_of_their_tokens() -> None:
    uses = [TurnUse(name, State.COMPLETE, usage=tokens(total)) for name, total in (("b", 5), ("a", 9), ("c", 9))]
    uses += [TurnUse("c", State.RUNNING), TurnUse("b", State.COMPLETE, usage=tokens(3))]
    assert names(groups_of(uses, are_sorted_by_name=True)) == ["a", "b", "c"]
    assert names(groups_of(uses, are_sorted_by_name=False)) == ["c", "a", "b"]
    assert groups_of([], are_sorted_by_name=True) == []
