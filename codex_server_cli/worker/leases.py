"""The leases of a worker besides its turn's lock: a place in the queue, a slot, and the thread that it writes.

Runs in the worker. Owns when each is released: the place once the turn has a slot, or only once codex runs if it had to
wait, so that waiting turns start in the order of their ids; slot and thread after codex has ended and before the end is
published, so that both are free when others see the end.
"""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

from codex_server_cli.disk.queue import queue, thread_locks
from codex_server_cli.disk.queue.queue import Slot, Ticket
from codex_server_cli.disk.queue.thread_locks import ThreadLock
from codex_server_cli.worker.log import say


class Leases:
    """The leases of one turn. A worker that dies releases them all: each is a flock.

    Attributes:
        was_told_to_stop: whether a signal asked the worker to stop before its turn could handle it.
    """

    def __init__(self, turns_path: Path, ticket: Ticket | None, thread: ThreadLock | None) -> None:
        self.ticket = ticket
        self.thread = thread
        self.slot: Slot | None = None
        self.was_told_to_stop = False
        self._turns_path = turns_path

    def record_signals(self) -> None:
        """Record signals that ask the worker to stop, until the turn installs its own handlers."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)

    def _on_signal(self, signum: int, _frame: object) -> None:
        say(f"told to stop by signal {signum}")
        self.was_told_to_stop = True

    def try_slot(self, max_running: int, parent: str | None) -> None:
        """Take a slot for a new turn that need not wait, and leave the queue: so the next one need not wait either.

        Takes one if no turn waits before it and one is free, or if the slot below its parent turn is free.

        Args:
            parent: the turn that started it, if any.
        """
        assert self.ticket is not None, "a new turn has one"
        folder = queue.folder_of(self._turns_path)
        with contextlib.suppress(OSError):  # the queue cannot be used: the waiting process will report that
            if self.ticket.is_head():
                self.slot = queue.take_slot(folder, self.ticket.turn_id, max_running)
            if self.slot is None and parent is not None:
                self.slot = queue.take_slot_below(folder, self.ticket.turn_id, parent)
        if self.slot is not None:
            self.leave_queue()

    def leave_queue(self) -> None:
        """Leave the queue: the next turn becomes its head. Idempotent."""
        ticket, self.ticket = self.ticket, None
        if ticket is not None:
            with contextlib.suppress(OSError):  # no write permission any more; the lock itself is released
                ticket.leave()

    def write_thread(self, thread_id: str, turn_id: str) -> None:
        """Lock the thread of a new turn, or of a fork, once Codex has reported it: no other turn can hold it yet."""
        if self.thread is None:
            with contextlib.suppress(OSError):  # a full disk, for instance; Codex has its own lock
                self.thread = thread_locks.claim(self._turns_path, thread_id)
                if self.thread is not None:
                    self.thread.name_holder(turn_id)

    def release(self) -> None:
        """Release thread and slot after codex has ended. Idempotent."""
        if self.thread is not None:
            with contextlib.suppress(OSError):  # no write permission any more; the lock ends with this process
                self.thread.release()
            self.thread = None
        if self.slot is not None:
            self.slot.release()
            self.slot = None
