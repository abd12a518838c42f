"""The content of a board of turns: their states, from the monitor's stream. Owns which turns it keeps.

Reads what the stream does not contain (tokens, the last line) only for the turns that are shown. Must never scan the
directories again: most of 10 000 turns have long ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.monitor_event import MonitorEvent
from codex_server_cli.core.model.short_ids import short_ids
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import text_in
from codex_server_cli.disk.files import tail_text
from codex_server_cli.disk.turn.contents import meta_of
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.lookup import is_of, turn_ids
from codex_server_cli.disk.turn.reader import read_live
from codex_server_cli.settings.places import Settings

_KEPT = 100
"""How many ended turns are kept: more than any terminal has lines."""

_TAIL_BYTES = 2048
_PHASES = {str(phase): phase for phase in Phase}


class Selection:
    """Which turns are shown."""

    def __init__(self, settings: Settings, wanted: read.TurnFilter) -> None:
        self.wanted = wanted
        self._turns_path = settings.turns_path
        self._real_cwd = os.path.realpath(wanted.cwd) if wanted.cwd is not None else None
        self._has_place: dict[str, bool] = {}

    def directory(self, turn_id: str) -> TurnDir:
        """The directory of a turn."""
        return TurnDir(self._turns_path / turn_id)

    def has(self, turn_id: str, state: str) -> bool:
        """Whether a turn in that state is selected; its directory is read once."""
        return self.has_place(turn_id) and self.wanted.state in (None, state)

    def has_place(self, turn_id: str) -> bool:
        """The same without regard to its state."""
        if self._real_cwd is None:
            return True
        if turn_id not in self._has_place:
            meta = meta_of(self.directory(turn_id))
            self._has_place[turn_id] = is_of(meta, self._real_cwd)
        return self._has_place[turn_id]


def chosen(events: Iterable[MonitorEvent | None], selection: Selection) -> Iterator[MonitorEvent | None]:
    """The monitor's stream, without the events of other turns."""
    return (event for event in events if event is None or selection.has(event.turn_id, event.state))


class Board:
    """The turns of a board. Belongs to one thread."""

    def __init__(self, settings: Settings, selection: Selection) -> None:
        self._selection = selection
        self._views_by_id = {view.turn_id: view for view in read.list_turns(settings, _KEPT, selection.wanted)}
        self._last_lines: dict[str, str] = {}  # of ended turns
        self._prompts: dict[str, str] = {}
        self._turns_path = settings.turns_path
        self._known: set[str] | None = None  # the ids of all turns; grows by the events
        self._short_ids: dict[str, str] | None = None

    @property
    def turn_views(self) -> list[TurnView]:
        """All turns to show: every running one, and the newest ended ones."""
        return [view for view in self._views_by_id.values() if self._selection.wanted.state in (None, view.state)]

    def directory(self, turn_id: str) -> TurnDir:
        """The directory of a turn."""
        return self._selection.directory(turn_id)

    @property
    def short_ids(self) -> dict[str, str]:
        """The short ids of the turns by their ids, unique among all turns of the home."""
        if self._known is None:
            self._known = set(turn_ids(self._turns_path))
        if self._short_ids is None:
            names = (text_in(view.meta.get("name")) for view in self._views_by_id.values())
            self._short_ids = short_ids(self._views_by_id, {*self._known, *names})  # a name is looked for, too
        return self._short_ids

    def prompt(self, view: TurnView) -> str:
        """The beginning of a turn's prompt; read once."""
        if view.turn_id not in self._prompts:
            self._prompts[view.turn_id] = read.prompt_beginning(view)
        return self._prompts[view.turn_id]

    def note(self, event: MonitorEvent) -> None:
        """Apply an event."""
        view = self._views_by_id.get(event.turn_id)
        if self._known is not None and event.turn_id not in self._known:
            self._known.add(event.turn_id)
            self._short_ids = None  # it may make another short id ambiguous
        if view is None and not self._selection.has_place(event.turn_id):
            return
        if view is not None and view.state.is_end and not event.is_end:
            return  # an event from before our first read
        if view is None or event.is_end:
            self._last_lines.pop(event.turn_id, None)
            view = read.status(self._selection.directory(event.turn_id))
        if view.state is State.RUNNING:
            view = view._replace(phase=_PHASES.get(event.phase or "", view.phase))
        self._keep(view)

    def rows(self, views: Iterable[TurnView]) -> list[tuple[TurnView, str, str]]:
        """The turns' current state, each with the last line of its output and the beginning of its prompt.

        Those that were deleted are left out.
        """
        found = []
        for view in views:
            if view.state is State.RUNNING:
                now = read_live(_directory(view.path), view)
                self._keep(now)
                found.append((now, _last_line(now), self.prompt(now)))
            elif Path(view.path).is_dir():
                last = self._last_lines.get(view.turn_id)
                if last is None:
                    last = self._last_lines[view.turn_id] = _last_line(view)
                found.append((view, last, self.prompt(view)))
            else:
                del self._views_by_id[view.turn_id]
        return found

    def _keep(self, view: TurnView) -> None:
        if view.state is State.MISSING:
            self._views_by_id.pop(view.turn_id, None)
            return
        if view.turn_id not in self._views_by_id:
            self._short_ids = None
        self._views_by_id[view.turn_id] = view
        if not view.state.is_end:
            return
        ended = sorted(view.turn_id for view in self._views_by_id.values() if view.state.is_end)
        for turn_id in ended[:-_KEPT]:
            del self._views_by_id[turn_id]
            self._last_lines.pop(turn_id, None)
            self._prompts.pop(turn_id, None)


def _last_line(view: TurnView) -> str:
    return tail_text(_directory(view.path).out, _TAIL_BYTES).rpartition("\n")[2]


@lru_cache(2 * _KEPT)
def _directory(path: str) -> TurnDir:
    """The paths of a turn, cached: they are needed every second."""
    return TurnDir(Path(path))
