"""Appending a turn's end to the journal in place of its worker: for a repairer, a monitor, a recovery.

Owns how a directory's end becomes a line. A worker appends its own (`disk.journal.turn_journal`), under the turn's
lock, so this must never be called while the worker lives.
"""

from __future__ import annotations

from codex_server_cli.core.model.turn import State
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn.contents import end_of, meta_of
from codex_server_cli.disk.turn.layout import TurnDir


def append_end_once(turn: TurnDir) -> bool:
    """Add the end of a turn to the journal; idempotent. A deleted directory counts as cancelled.

    Returns:
        False where the turn has not ended.

    Raises:
        OSError: the journal cannot be written, or the marker cannot be read.
    """
    end = end_of(turn)
    if end is None:
        return False
    state, kind = (State.CANCELLED, "cancelled") if end[0] is State.MISSING else end
    journal.append_once(turn.path.parent.parent, journal.end_entry(turn.turn_id, state, kind, _name_of(turn)))
    return True


def append_recovered(turn: TurnDir) -> None:
    """Add a line that an ended turn was recovered beyond its recorded end. Needs the turn's lock.

    Raises:
        OSError: the journal cannot be written, or the marker cannot be read.
    """
    end = end_of(turn)
    if end is not None:
        journal.append(turn.path.parent.parent, journal.recovered_entry(turn.turn_id, *end, _name_of(turn)))


def _name_of(turn: TurnDir) -> object:
    return meta_of(turn).get("name")
