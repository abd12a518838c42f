"""What a worker holds besides its turn: a place in line, a slot to run in, and the thread that it writes.

Runs in the worker. Owns when each is let go: the place once codex runs, unless it was left before; slot and thread once
codex is gone and before the end is published, so that whoever waits for that end finds both free.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from codex_server_cli.disk.queue import thread_locks
from codex_server_cli.disk.queue.queue import Slot, Ticket
from codex_server_cli.disk.queue.thread_locks import ThreadLock


class Leases:
    """The claims of one turn. A worker that dies lets go of them all: each is a flock.

    Attributes:
        was_told_to_stop: whether the system told the worker to stop while it stood in line and then got ready.
    """

    def __init__(self, turns_path: Path, ticket: Ticket | None, thread: ThreadLock | None) -> None:
        self.ticket = ticket
        self.thread = thread
        self.slot: Slot | None = None
        self.was_told_to_stop = False
        self._turns_path = turns_path

    def leave_line(self) -> None:
        """Codex runs: the next turn may come forward. May be called again."""
        ticket, self.ticket = self.ticket, None
        if ticket is not None:
            with contextlib.suppress(OSError):  # no right to write any more; the lock itself is given up
                ticket.leave()

    def write_thread(self, thread_id: str, turn_id: str) -> None:
        """Codex has told the thread of a new turn, or of a fork: nobody else can have it yet."""
        if self.thread is None:
            with contextlib.suppress(OSError):  # a full disk, say; Codex has a lock of its own
                self.thread = thread_locks.claim(self._turns_path, thread_id)
                if self.thread is not None:
                    self.thread.name_holder(turn_id)

    def release(self) -> None:
        """Codex is gone: thread and slot are free for others. May be called again."""
        if self.thread is not None:
            with contextlib.suppress(OSError):  # no right to write any more; the lock falls with this process
                self.thread.release()
            self.thread = None
        if self.slot is not None:
            self.slot.release()
            self.slot = None
