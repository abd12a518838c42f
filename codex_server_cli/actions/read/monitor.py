"""The monitor's stream: every phase change, attention and end of every turn, from one process, with one cursor.

It yields the lines of the journal one to one and in order, so that a cursor resumes it without a missing or duplicate
line, even after a kill. Owns the ends that a killed worker could not write: it probes the locks of all running turns
once a second, has dead turns repaired, and appends missing ends to the journal. Must never print.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from codex_server_cli.actions.read.read import READER
from codex_server_cli.core.model.monitor_event import MonitorEvent, read_monitor_event
from codex_server_cli.core.model.turn import State
from codex_server_cli.disk import lock
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn import layout
from codex_server_cli.disk.turn.follow import wakeups
from codex_server_cli.disk.turn.journal_end import append_end_once
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.lookup import turn_ids
from codex_server_cli.errors import HomeError
from codex_server_cli.settings.places import Settings

PROBE_INTERVAL_S = 1.0
SCAN_INTERVAL_S = 10.0
_STEP_MS = 50
"""How long events are batched: at most 20 reads a second, however many turns stream."""


def stream(
    settings: Settings, after: int | None = None, *, follows: bool, warn: Callable[[str], None]
) -> Iterator[MonitorEvent | None]:
    """The journal's events, and with `follows` new ones, endlessly.

    Args:
        after: a cursor: only events after it. 0 means all that are retained; None begins with the lines of the turns
            that run now, followed by all new events.
        warn: called with a message for people where the journal does not reach to `after`, or cannot be written.

    Yields:
        The events; with `follows` also None about once a second, so that the caller can check for a closed output.

    Raises:
        HomeError: there is no journal to follow, and none can be made; or the home cannot be read.
        KeyboardInterrupt: Ctrl-C.
    """
    if follows:
        _prepare(settings)
    else:
        turn_ids(settings.turns_path)
    watch = Watch(settings, warn)
    cursor = journal.end(settings.home)
    watch.look_back(cursor)
    if after is None:
        yield from (event for event in _events(settings, 0, cursor) if event.turn_id in watch.running)
    else:
        cursor = _reachable(settings, after, warn)
    for event in _events(settings, cursor):
        cursor = event.cursor
        watch.note(event)
        yield event
    if not follows:
        return
    for _ in wakeups(journal.folder_of(settings.home), _STEP_MS):
        for event in _events(settings, cursor):
            cursor = event.cursor
            watch.note(event)
            yield event
        if watch.is_due():
            watch.probe()
            cursor = _reachable(settings, cursor, warn)
            yield None


def _prepare(settings: Settings) -> None:
    layout.prepare_home(settings.turns_path)
    try:
        journal.prepare(settings.home)
    except OSError as error:
        folder = journal.folder_of(settings.home)
        raise HomeError(f"cannot make {folder}: {error.strerror}", hint="It must be a folder of its own.") from error


def _events(settings: Settings, after: int, until: int | None = None) -> Iterator[MonitorEvent]:
    for cursor, entry in journal.read(settings.home, after):
        if until is not None and cursor > until:
            return
        event = read_monitor_event(cursor, entry)
        if event is not None:
            yield event


def _reachable(settings: Settings, after: int, warn: Callable[[str], None]) -> int:
    """The cursor to resume from: the one that was asked for, or the journal's beginning."""
    begin, end = journal.bounds(settings.home) or (0, after)
    if after > end:
        warn(f"the journal ends at {end}, before cursor {after}: it was begun anew; going on from {begin}")
        return begin
    if 0 < after < begin:
        warn(f"the journal begins at {begin}: what stood between cursor {after} and there is deleted")
    return max(after, begin)


class Watch:
    """The running turns, known from the journal and the directories.

    Args:
        warn: called with a message for people where an end cannot be written, once for each turn.

    Attributes:
        running: their directories, by id.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        self.running: dict[str, TurnDir] = {}
        self._settings = settings
        self._warn = warn
        self._warned_ids: set[str] = set()
        self._known: set[str] = set()
        self._unwritten: dict[str, TurnDir] = {}
        self._turns_changed_ns = 0
        self._probed_s = self._scanned_s = time.monotonic()

    def look_back(self, until: int) -> None:
        """Find the running turns, in the journal up to a cursor and in the directories; repair the dead ones."""
        for event in _events(self._settings, 0, until):
            self.note(event)
        self._scan()
        self.probe()

    def note(self, event: MonitorEvent) -> None:
        """Apply a line of the journal."""
        self._known.add(event.turn_id)
        if event.is_end:
            self.running.pop(event.turn_id, None)
        elif event.turn_id not in self.running:
            self.running[event.turn_id] = TurnDir(self._settings.turns_path / event.turn_id)

    def is_due(self) -> bool:
        """Whether the last probe of the locks was at least a second ago."""
        return time.monotonic() - self._probed_s >= PROBE_INTERVAL_S

    def probe(self) -> None:
        """Probe the lock of each running turn; if it is free, the turn has ended or its worker died."""
        self._probed_s = time.monotonic()
        if self._probed_s - self._scanned_s >= SCAN_INTERVAL_S:
            self._scanned_s = self._probed_s
            self.running |= self._unwritten
            self._unwritten = {}
            self._scan()
        for turn in list(self.running.values()):
            try:
                if lock.is_held(turn.lock):
                    continue
            except PermissionError:  # another user's: `_handle_end` reports it
                pass
            self._handle_end(turn)

    def _scan(self) -> None:
        """Find turns that the journal lacks: of an older version, or of workers that died before writing to it."""
        turns_path = self._settings.turns_path
        try:
            changed_ns = turns_path.stat().st_mtime_ns
        except OSError:
            return
        if changed_ns == self._turns_changed_ns:
            return
        self._turns_changed_ns = changed_ns
        for turn_id in turn_ids(turns_path):
            if turn_id in self._known:
                continue
            self._known.add(turn_id)
            # Most of 10 000 turns are over: check two names before making a `TurnDir`.
            if not any(os.path.lexists(f"{turns_path}/{turn_id}/{marker}") for marker in ("done", "error")):
                self.running[turn_id] = TurnDir(turns_path / turn_id)

    def _handle_end(self, turn: TurnDir) -> None:
        """Have a turn whose lock is free repaired if needed, and append its end; retried where it cannot be written."""
        problem = f"the end of turn {turn.turn_id} cannot be written; it is reported once it can be"
        try:
            state = READER.state(turn)
            if state is State.RUNNING:
                return  # alive after all, or being repaired by another process
            if state is State.UNREADABLE:
                is_recorded, problem = False, f"turn {turn.turn_id} cannot be read, so its end cannot be reported"
            else:
                is_recorded = append_end_once(turn)
        except OSError as error:
            is_recorded, problem = False, problem.replace(";", f": {error.strerror};")
        del self.running[turn.turn_id]
        if not is_recorded:
            self._unwritten[turn.turn_id] = turn
            if turn.turn_id not in self._warned_ids:
                self._warned_ids.add(turn.turn_id)
                self._warn(problem)
