"""Waiting for the end of turns, or for a request of one of them that needs a person, whichever comes first.

Owns the wait. Sleeps on the journal, which reports both; what a worker could not write there (it was killed, the
journal is not writable) is found by polling the turns' directories once a second. Must never print.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.actions.control.approvals import pending_of
from codex_server_cli.actions.read.read import READER, status
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn.contents import requests_in
from codex_server_cli.disk.turn.follow import wakeups
from codex_server_cli.disk.turn.layout import TurnDir

PROBE_INTERVAL_S = 1.0
_STEP_MS = 50
_WAKING = ("attention", "end")


class Watched(NamedTuple):
    """A turn, and its requests that wait for a person: entries of `pending.json`."""

    view: TurnView
    pending: list[dict[str, Any]]


def wait(
    directories: list[TurnDir], *, is_any: bool, until_attention: bool = True, timeout_s: float | None = None
) -> list[Watched]:
    """Sleep until one of these turns needs a person, or they have ended, or the timeout.

    Uses no descriptor or thread per turn: there may be more of them than a process may open files.

    Args:
        directories: of one home, at least one.
        is_any: return at the first end; otherwise all have to end.
        until_attention: return at a request that needs a person, too; otherwise pending requests are not read.

    Returns:
        The turns at that moment, in the order given.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    deadline = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    home = directories[0].path.parents[1]
    ids = {directory.turn_id for directory in directories}
    cursor, probe_at = journal.end(home), 0.0
    awake = _wakeups(home, deadline)
    while True:
        next(awake)
        cursor, is_awake = _read_journal(home, cursor, ids)
        now = time.monotonic()
        if is_awake or now >= min(probe_at, deadline):
            probe_at = now + PROBE_INTERVAL_S
            facts = [_quick_check(directory, until_attention=until_attention) for directory in directories]
            if now >= deadline or _is_over(facts, is_any=is_any):
                seen = [_full_check(directory, until_attention=until_attention) for directory in directories]
                # Another shell may have answered between the two checks.
                if now >= deadline or _is_over([_facts(each) for each in seen], is_any=is_any):
                    return seen


def _is_over(facts: list[tuple[State, bool]], *, is_any: bool) -> bool:
    """Whether to return; `facts` has each turn's state, and whether it needs a person.

    An unreadable turn does not count while others run: its end cannot be seen.
    """
    known = [state for state, _ in facts if state is not State.UNREADABLE]
    runs = [state is State.RUNNING for state in known]
    return any(does_ask for _, does_ask in facts) or not (any(runs) and (all(runs) or not is_any))


def _quick_check(directory: TurnDir, *, until_attention: bool) -> tuple[State, bool]:
    """A cheap form of `_full_check`: fifty turns may be checked every second."""
    state = READER.state(directory)
    return state, until_attention and state is State.RUNNING and bool(requests_in(directory))


def _full_check(directory: TurnDir, *, until_attention: bool) -> Watched:
    view = status(directory)
    return Watched(view, pending_of(view) if until_attention else [])


def _facts(seen: Watched) -> tuple[State, bool]:
    return seen.view.state, bool(seen.pending)


def _read_journal(home: Path, cursor: int, ids: set[str]) -> tuple[int, bool]:
    """The cursor after the journal's new lines, and whether they have an end or a request of these turns."""
    is_awake = False
    for position, entry in journal.read(home, cursor):
        cursor = position
        is_awake = is_awake or (entry.get("event") in _WAKING and entry.get("turn_id") in ids)
    return cursor, is_awake


def _wakeups(home: Path, deadline: float) -> Iterator[None]:
    yield  # turns that are over already need no file watcher, which takes 15 ms to load
    try:
        journal.prepare(home)
    except OSError:  # a read-only home: poll once a second
        while True:
            time.sleep(min(PROBE_INTERVAL_S, max(0.0, deadline - time.monotonic())))
            yield
    yield from wakeups(journal.folder_of(home), _STEP_MS, deadline)
