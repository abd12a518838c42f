"""One queued turn: its wait for a slot, requests and signals meanwhile, and reasons to end before it began.

Owns the wait itself; `queue_wait` owns the waiting process. Must import no more than it uses: 200 turns may wait.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path

from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.queue.queue import Slot, Ticket
from codex_server_cli.disk.safe_open import open_fifo
from codex_server_cli.worker.log import say

TYPE_CHECKING = False  # typing itself takes 1 MB
if TYPE_CHECKING:
    from types import FrameType

    from codex_server_cli.core.result.outcome import Cause
    from codex_server_cli.worker.leases import Leases

HEAD_POLL_S = 0.5
"""Poll interval of the queue's head for the slot of a killed worker, which sends no wake-up."""
POLL_S = 10.0
"""Poll interval of the others, for whether their directory still exists."""


class QueuedTurn:
    """A queued turn, until it has a slot or is over.

    Attributes:
        ticket: its place; None while the turn is not in the queue.
        stop_cause: why the turn is over before it began; None while it is not.
    """

    def __init__(
        self,
        turn_path: Path,
        ticket: Ticket | None,
        max_running: int,
        deadline: float | None,
        parent: str | None = None,
    ) -> None:
        self.ticket = ticket
        self.stop_cause: Cause | None = None
        self._parent = parent
        self._folder = queue.folder_of(turn_path.parent)
        self._config_path = turn_path.parents[1] / "config.json"
        self._config_ns = _changed_ns(self._config_path)
        self._turn_path = turn_path
        self._max_running = max_running
        self._deadline = deadline
        self._has_stop_signal = False
        self._wake_fd = -1
        self._slots_fd: int | None = None

    def listen(self) -> None:
        """Handle signals, and open the FIFO through which other shells wake us.

        Raises:
            OSError: the turn's FIFO is gone.
        """
        self._wake_fd = open_fifo(self._turn_path / "wake", os.O_RDWR)  # the signal handler writes to it
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        self._read_inbox()  # a request may have been posted before

    def wait(self) -> Slot | None:
        """Wait for a slot.

        Returns:
            The slot; None where the turn is over before it began, for the reason in `stop_cause`.
        """
        while self.stop_cause is None:
            slot = self._try_slot()
            if slot is not None:
                return slot
            self._sleep()
        return None

    def leave_queue(self) -> None:
        """Leave the queue; `enqueue` re-enters it."""
        ticket, self.ticket = self.ticket, None
        if ticket is not None:
            ticket.leave()
        if self._slots_fd is not None:  # its wake-ups are only for the queue's head
            os.close(self._slots_fd)
            self._slots_fd = None

    def enqueue(self) -> None:
        """Take the last place in the queue.

        Raises:
            OSError: the queue cannot be used.
        """
        with queue.in_order(self._folder) as order:
            self.ticket = order.take_ticket()

    def _try_slot(self) -> Slot | None:
        assert self.ticket is not None
        if not self.ticket.is_head():
            self.ticket.wake_behind(self._wake_fd)
            return self._try_parent_slot()
        if self._slots_fd is None:  # before trying: a slot released afterwards wakes us
            with contextlib.suppress(OSError):  # a limit on open files: no wake-ups; we poll
                self._slots_fd = queue.open_wake(self._folder)
        self._read_limit()
        return queue.take_slot(self._folder, self._turn_path.name, self._max_running) or self._try_parent_slot()

    def _try_parent_slot(self) -> Slot | None:
        if self._parent is None:
            return None
        return queue.take_slot_below(self._folder, self._turn_path.name, self._parent)

    def _read_limit(self) -> None:
        """Take `max_running` from a `config.json` that has changed meanwhile."""
        changed_ns = _changed_ns(self._config_path)
        if changed_ns == self._config_ns:
            return
        self._config_ns = changed_ns

        from codex_server_cli.errors import CodexServerError
        from codex_server_cli.settings.config import read_config

        with contextlib.suppress(CodexServerError):  # being edited: keep the old value
            self._max_running = read_config(self._config_path).max_running

    def _sleep(self) -> None:
        slots_fd = self._slots_fd
        timeout_s = HEAD_POLL_S if slots_fd is not None or self._parent is not None else POLL_S
        if self.rest(timeout_s, slots_fd) and slots_fd is not None:
            _drain(slots_fd)

    def rest(self, timeout_s: float, fd: int | None = None) -> bool:
        """Sleep for at most this long; a request of another shell, a signal or the deadline wakes us early.

        Args:
            fd: a descriptor that also wakes us, once it is readable.

        Returns:
            Whether `fd` is readable.
        """
        if self._deadline is not None:
            timeout_s = max(0.0, min(timeout_s, self._deadline - time.monotonic()))
        ready = select.select([self._wake_fd] if fd is None else [self._wake_fd, fd], [], [], timeout_s)[0]
        if self._wake_fd in ready:
            _drain(self._wake_fd)
            self._read_inbox()
        self._update_stop_cause()
        return fd in ready

    def _update_stop_cause(self) -> None:
        is_deleted = not self._turn_path.is_dir()
        is_late = self._deadline is not None and time.monotonic() >= self._deadline
        if not (is_deleted or is_late or self._has_stop_signal) or self.stop_cause is not None:
            return
        from codex_server_cli.core.result.outcome import Cause

        self.stop_cause = (
            Cause.WORKER_STOPPED if self._has_stop_signal else Cause.CANCELLED if is_deleted else Cause.DEADLINE
        )

    def _read_inbox(self) -> None:
        try:
            if not os.listdir(self._turn_path / "inbox"):  # noqa: PTH208 — only whether it is empty
                return
        except OSError:  # deleted with its directory
            return
        from codex_server_cli.disk.turn.layout import TurnDir
        from codex_server_cli.worker.inbox import take_requests

        self.stop_cause = self.stop_cause or take_requests(TurnDir(self._turn_path))

    def forward_signals(self, leases: Leases) -> None:
        """Record further signals in `leases`, until the turn installs its own handlers."""
        leases.was_told_to_stop = self._has_stop_signal
        leases.record_signals()

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        say(f"told to stop by signal {signum}")
        self._has_stop_signal = True
        with contextlib.suppress(BlockingIOError):  # full, so it wakes us anyway
            os.write(self._wake_fd, b"!")


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):  # another turn has read it
        os.read(fd, 4096)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # there is no such file
        return 0
