"""Short ids of turns and threads for people. Owns how an id is shortened; `disk` resolves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

_END_CHARS = (4, 8, 15)
"""Lengths of the suffixes of an id after a hyphen: the random part, with milliseconds, with the time of day."""


THREAD_END_CHARS = (4, 6, 8, 12)
"""Lengths of the suffixes of a thread's id, a UUID: within its last group, which is random."""


def short_ids(turn_ids: Iterable[str], others: Iterable[str], lengths: Sequence[int] = _END_CHARS) -> dict[str, str]:
    """The shortest part of each id that selects its turn: a suffix, like `7f3a` or `482-7f3a`, else the whole id.

    Args:
        turn_ids: the ids to shorten.
        others: the ids of all turns; may include `turn_ids`.
        lengths: the lengths of suffixes to try, shortest first.

    Returns:
        The short id by the whole one.
    """
    shown = list(turn_ids)
    every = {*shown, *others}
    found: dict[str, str] = {}
    for length in lengths:
        if len(found) == len(shown):
            break
        count = Counter(each[-length:] for each in every)
        beginnings = {each[:length] for each in every}  # a prefix takes precedence in a lookup
        for turn_id in shown:
            end = turn_id[-length:]
            if count[end] == 1 and end not in beginnings:
                found.setdefault(turn_id, end)
    return {turn_id: found.get(turn_id, turn_id) for turn_id in shown}
