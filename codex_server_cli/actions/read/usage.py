"""The usage of the turns on disk. There is no index: reads as few bytes of each turn as possible.

Fifteen thousand turns must take less than a second, so only `result.json` is read of a turn that has one. Turns that
ended under version 0.4 name their model and their directory only in `meta.json`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.actions.read.read import READER
from codex_server_cli.core.model.turn import State, parse_time_ms
from codex_server_cli.core.model.turn_files import is_result
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.result.usage_report import TurnUse, UseGroup, group_of, groups_of
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.settings.places import Settings

_OF_THE_REQUEST = ("model", "cwd")


class UsageReport(NamedTuple):
    """What turns have used.

    Attributes:
        groups: days in order; others sorted by tokens, the most first.
        total: all of them together.
        n_unreadable: how many turns are in no group, because their record cannot be read.
    """

    groups: list[UseGroup]
    total: UseGroup
    n_unreadable: int


def read_usage(settings: Settings, since_ms: int, by: str) -> UsageReport:
    """The usage of the turns that were started at `since_ms` (Unix time) or later; of running ones so far.

    Args:
        by: what they are grouped by: `day` (of their start, in local time), `model`, `cwd` or `state`.

    Raises:
        HomeError: the folder of the turns is there and cannot be read.
    """
    folder, uses, n_unreadable = os.fspath(settings.turns_path), list[TurnUse](), 0
    for turn_id in lookup.turn_ids(settings.turns_path):
        started_ms = time_ms(turn_id)
        if started_ms is None:  # made by hand: it contains no time
            n_unreadable += 1
            continue
        if started_ms < since_ms:
            break  # ids sort by age
        # Strings, not `Path` objects: making so many would take a third of a second.
        result = read_json(f"{folder}/{turn_id}/result.json")
        found = (State(result["state"]), result) if is_result(result) else _look(settings, turn_id)
        if found is None or found[0] is State.MISSING:
            n_unreadable += found is None
            continue
        state, record = found
        if by in _OF_THE_REQUEST and by not in record:
            record = {**record, by: (read_json(f"{folder}/{turn_id}/meta.json") or {}).get(by)}
        uses.append(_use_of(state, record, started_ms, by))
    groups = groups_of(uses, are_sorted_by_name=by == "day")
    return UsageReport(groups, group_of("", uses), n_unreadable)


def _look(settings: Settings, turn_id: str) -> tuple[State, Mapping[str, Any]] | None:
    """State and record of a turn without a valid result: it runs, is deleted, or ended just now.

    Returns:
        None where its record cannot be read.
    """
    view = READER.view(TurnDir(settings.turns_path / turn_id))
    if view.state in (State.RUNNING, State.MISSING):
        usage = view.live.get("usage")  # from a file that is not validated
        is_usage = isinstance(usage, dict) and all(type(number) is int for number in usage.values())
        return view.state, {**view.meta, "usage": usage if is_usage else None}
    return (view.state, view.result) if is_result(view.result) else None


def _use_of(state: State, record: Mapping[str, Any], started_ms: int, by: str) -> TurnUse:
    """What a turn has used.

    Args:
        record: its `result.json`, or those members of it that are known of a running one.
    """
    if by == "day":
        group = time.strftime("%Y-%m-%d", time.localtime(started_ms // 1000))
    elif by == "state":
        group = str(state)
    else:
        group = record[by] if isinstance(record[by], str) else ""
    error, ended_ms = record.get("error"), parse_time_ms(record.get("finished_at"))
    return TurnUse(
        group,
        state,
        error["kind"] if error else None,
        record.get("usage"),
        None if ended_ms is None else max(0.0, (ended_ms - started_ms) / 1000),
    )
