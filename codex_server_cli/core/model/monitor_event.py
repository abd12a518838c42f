"""One line of the monitor's stream: an event of a turn, and the cursor to resume at. Owns only its format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from codex_server_cli.core.model.turn import State, format_time_ms, is_turn_id
from codex_server_cli.core.protocol.rpc import text_or_none

_TEXTS = ("name", "phase", "state", "kind", "request", "message")
_ENDS = ("end", "recovered")
_LATEST_MS = 253_402_300_799_999  # the year 9999


class MonitorEvent(NamedTuple):
    """One event of the monitor.

    Attributes:
        cursor: resumes after this line.
        at: when it happened, RFC 3339.
        turn_id: our id.
        name: the turn's name, or None.
        event: `phase`, `attention`, `end`, `recovered`, or a newer version's value.
        phase: what the running turn is doing; None for an ended one.
        state: `running`, or the end state.
        kind: the error kind of an end, else None.
        request, message: the id of the request that needs attention, and its truncated text; else None.
    """

    cursor: int
    at: str
    turn_id: str
    name: str | None
    event: str
    phase: str | None
    state: str
    kind: str | None
    request: str | None = None
    message: str | None = None

    @property
    def is_end(self) -> bool:
        """Whether the turn has ended; only a recovery may follow."""
        return self.event in _ENDS


def read_monitor_event(cursor: int, entry: Mapping[str, object]) -> MonitorEvent | None:
    """Parse a line of the journal; None for an invalid one (edited by hand, or torn)."""
    ts, turn_id, event = entry.get("ts"), entry.get("turn_id"), entry.get("event")
    if not (isinstance(ts, int) and 0 <= ts <= _LATEST_MS and isinstance(turn_id, str) and is_turn_id(turn_id)):
        return None
    if not isinstance(event, str):
        return None
    name, phase, state, kind, request, message = (text_or_none(entry.get(key)) for key in _TEXTS)
    if event not in _ENDS:
        state, kind = str(State.RUNNING), None
    state = state or str(State.FAILED)
    return MonitorEvent(cursor, format_time_ms(ts), turn_id, name, event, phase, state, kind, request, message)
