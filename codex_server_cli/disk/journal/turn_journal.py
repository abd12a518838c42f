"""What a worker tells the home's journal of its turn. Owns that a journal never harms a turn.

Runs in the worker; the process of a turn in line imports none of it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from codex_server_cli.disk.journal import journal


class TurnJournal:
    """The lines of one turn. What cannot be written is left out; a journal that others keep locked is waited for once,
    and once more at the end.

    Args:
        turn_path: the turn's directory.
        name: what the user called the turn; None where it has no name.
    """

    def __init__(self, turn_path: Path, name: object = None) -> None:
        self._turn_path = turn_path
        self._home = turn_path.parent.parent
        self._name = name
        self._phase: str | None = None
        self._timeout_s = journal.LOCK_TIMEOUT_S

    def phase(self, phase: str) -> None:
        """The turn is in this phase now; a line where it was not before."""
        if phase != self._phase:
            self._phase = phase
            self._append(journal.phase_entry(self._turn_path.name, phase, self._name))

    def attention(self, phase: str, request: str, message: str) -> None:
        """The turn waits for a person to decide this request, which also tells its phase."""
        self._phase = phase
        self._append(journal.attention_entry(self._turn_path.name, phase, request, message, self._name))

    def _append(self, entry: journal.Entry) -> None:
        try:
            journal.append(self._home, entry, self._timeout_s)
        except TimeoutError:  # others keep it locked
            self._timeout_s = 0.0
        except OSError:  # a full disk, or no right to write any more
            pass
        else:
            self._timeout_s = journal.LOCK_TIMEOUT_S

    def end(self, state: str, kind: str | None) -> None:
        """The turn has ended, and its marker stands: the last thing that is said of it.

        A turn whose directory was deleted is cancelled. A monitor may have found that too, so it is said once.
        """
        with contextlib.suppress(OSError):  # as above
            if self._turn_path.is_dir():
                entry = journal.end_entry(self._turn_path.name, state, kind, self._name)
                journal.append(self._home, entry)
            else:
                entry = journal.end_entry(self._turn_path.name, "cancelled", "cancelled", self._name)
                journal.append_once(self._home, entry)
