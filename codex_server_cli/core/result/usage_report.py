"""The usage of turns, in groups: counts, tokens, failures by kind, durations. Owns the arithmetic."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.usage import Usage, no_usage


class TurnUse(NamedTuple):
    """The usage of one turn.

    Attributes:
        group: what it is grouped by: a day, a model, a directory or a state; "" if unknown.
        kind: of its error.
        usage: its tokens; None if Codex sent none.
        duration_s: from its start to its end; None while it runs.
    """

    group: str
    state: State
    kind: str | None = None
    usage: Mapping[str, int] | None = None
    duration_s: float | None = None


class UseGroup(NamedTuple):
    """The usage of a group of turns.

    Attributes:
        n_turns: how many, including running and cancelled ones.
        failures: how many failed or were abandoned, by the kind of the error, the most frequent first.
        tokens: the sums, by the names of `Usage`.
        median_s, p95_s: the durations of the ended turns; None if there are none.
    """

    group: str
    n_turns: int
    n_running: int
    n_cancelled: int
    failures: dict[str, int]
    tokens: Usage
    median_s: float | None
    p95_s: float | None

    @property
    def n_failed(self) -> int:
        """How many failed or were abandoned."""
        return sum(self.failures.values())


def groups_of(uses: Iterable[TurnUse], *, are_sorted_by_name: bool) -> list[UseGroup]:
    """The groups, ordered by name (for days), or by tokens, the most first."""
    members: dict[str, list[TurnUse]] = {}
    for use in uses:
        members.setdefault(use.group, []).append(use)
    groups = sorted(group_of(name, members[name]) for name in members)
    if not are_sorted_by_name:
        groups.sort(key=lambda group: (-group.tokens["total_tokens"], -group.n_turns))
    return groups


def group_of(name: str, uses: Sequence[TurnUse]) -> UseGroup:
    """All these turns as one group."""
    states = Counter(use.state for use in uses)
    is_failure = (State.FAILED, State.ABANDONED)
    failures = Counter(use.kind or "internal" for use in uses if use.state in is_failure)
    tokens = no_usage()
    for use in uses:
        if use.usage:
            for key in tokens:
                tokens[key] += use.usage.get(key) or 0
    durations = sorted(use.duration_s for use in uses if use.duration_s is not None)
    return UseGroup(
        name,
        len(uses),
        states[State.RUNNING],
        states[State.CANCELLED],
        dict(sorted(failures.items(), key=lambda item: (-item[1], item[0]))),
        tokens,
        _median(durations),
        durations[math.ceil(len(durations) * 0.95) - 1] if durations else None,
    )


def _median(ordered: Sequence[float]) -> float | None:
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else round((ordered[middle - 1] + ordered[middle]) / 2, 3)
