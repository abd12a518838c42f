"""A worker's lines about its turn in the home's journal. Owns that a journal error never makes a turn fail.

Runs in the worker; must never be imported by the process of a queued turn.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from codex_server_cli.disk.journal import journal


class TurnJournal:
    """The lines of one turn. A line that cannot be written is dropped; a journal that stays locked is waited for once,
    and once more at the end.

    Args:
        turn_path: the turn's directory.
        name: the name that the user gave the turn; None without one.
    """

    def __init__(self, turn_path: Path, name: object = None) -> None:
        self._turn_path = turn_path
        self._home = turn_path.parent.parent
        self._name = name
        self._phase: str | None = None
        self._timeout_s = journal.LOCK_TIMEOUT_S

    def phase(self, phase: str) -> None:
        """Record the phase of the turn; adds a line only if it has changed."""
        if phase != self._phase:
            self._phase = phase
            self._append(journal.phase_entry(self._turn_path.name, phase, self._name))

    def attention(self, phase: str, request: str, message: str) -> None:
        """Record that the turn waits for a person to decide this request, in this phase."""
        self._phase = phase
        self._append(journal.attention_entry(self._turn_path.name, phase, request, message, self._name))

    def _append(self, entry: journal.Entry) -> None:
        try:
            journal.append(self._home, entry, self._timeout_s)
        except TimeoutError:  # still locked by another writer
            self._timeout_s = 0.0
        except OSError:  # a full disk, or no write permission any more
            pass
        else:
            self._timeout_s = journal.LOCK_TIMEOUT_S

    def end(self, state: str, kind: str | None) -> None:
        """Record the end of the turn, after its marker: its last line.

        A turn whose directory was deleted is cancelled. A monitor may have noticed that too, so it is recorded once.
        """
        with contextlib.suppress(OSError):  # as above
            if self._turn_path.is_dir():
                entry = journal.end_entry(self._turn_path.name, state, kind, self._name)
                journal.append(self._home, entry)
            else:
                entry = journal.end_entry(self._turn_path.name, "cancelled", "cancelled", self._name)
                journal.append_once(self._home, entry)
