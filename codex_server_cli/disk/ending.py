"""Telling the journal of a turn's end, for those who did not live through it: a repairer, a monitor.

Owns what a directory says of its end. The worker tells its own (`proc.turn_journal`), under the turn's lock; so nobody
may call this while a worker lives.
"""

from __future__ import annotations

from codex_server_cli.core.turn import Facts, Marker, State, derive_state
from codex_server_cli.disk import journal
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn_dir import TurnDir


def tell_end(turn: TurnDir) -> bool:
    """Add the end of a turn to the journal, once: whoever comes second adds nothing.

    A directory that is gone was a turn that nobody wanted any more: cancelled.

    Returns:
        False where the turn has not ended.

    Raises:
        OSError: the journal cannot be written.
    """
    marker = turn.marker
    kind = (read_json(turn.error) or {}).get("kind") if marker is Marker.ERROR else None
    kind = kind if isinstance(kind, str) else None
    state = derive_state(Facts(turn.exists, lock_held=False, marker=marker, error_kind=kind))
    if state is None:
        return False
    if state is State.MISSING:
        state, kind = State.CANCELLED, "cancelled"
    name = (read_json(turn.meta) or {}).get("name")
    journal.append_once(turn.path.parent.parent, journal.end_entry(turn.turn_id, state, kind, name))
    return True
