"""A turn in line: the worker while `max_running` others run, or while it waits for the usage limit to reset (`held`).

Owns the wait, which costs next to nothing.

The worker replaces itself (exec) by this, which holds the same locks under the same pid in half of the memory: most of
what drives a turn is not needed yet. When the turn's time has come it loads the rest and drives it. It must import no
more than it uses: 200 turns may stand here at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

from codex_server_cli.disk import queue
from codex_server_cli.disk.guarded import open_fifo
from codex_server_cli.disk.queue import Slot, Ticket
from codex_server_cli.proc.worker_log import say
from codex_server_cli.settings.environment import interpreter

TYPE_CHECKING = False  # typing itself takes 1 MB
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

    from codex_server_cli.core.outcome import Cause
    from codex_server_cli.proc.claims import Claims

HEAD_LOOK_S = 0.5
"""How often the head of the line looks for the slot of a worker that was killed: that one tells nobody."""
LOOK_S = 10.0
"""How often the others look whether their directory is still there."""
_CODE = "import gc; gc.set_threshold(100_000); from codex_server_cli.proc.line import main; main()"


def slot_at_once(turn_path: Path, claims: Claims, max_running: int, parent: str | None) -> Slot | None:
    """A slot for a turn that need not stand in line: nobody is before it, or the turn that it is part of has room.

    Args:
        parent: the turn that started it, if any.

    Raises:
        OSError: the queue cannot be used.
    """
    folder = queue.folder_of(turn_path.parent)
    is_head = claims.ticket is not None and claims.ticket.is_head()
    slot = queue.take_slot(folder, turn_path.name, max_running) if is_head else None
    return slot or (queue.take_slot_below(folder, turn_path.name, parent) if parent else None)


def go_and_wait(
    turn_path: Path,
    lock_fd: int,
    claims: Claims,
    max_running: int,
    deadline_s: float | None,
    parent: str | None,
    held_until_s: float | None = None,
) -> NoReturn:
    """Become the light process that waits. Runs in the worker; never returns.

    Args:
        lock_fd: holds the turn's own lock.
        deadline_s: seconds from now until the turn must have ended, None for no limit.
        parent: the turn that started it, if any.
        held_until_s: for a turn that shall not run before the usage limit has reset: when that is known to be, in Unix
            seconds, and then it is out of the line; 0 where it is not known. None for any other turn.
    """
    ticket, thread = claims.ticket, claims.thread
    fds = [lock_fd, ticket.fd if ticket else -1, thread.fd if thread else -1]
    for fd in fds:
        if fd >= 0:
            os.set_inheritable(fd, True)
    deadline = time.monotonic() + deadline_s if deadline_s is not None else 0.0
    numbers = [str(number) for number in (*fds, max_running, time.monotonic(), deadline)]
    names = [str(turn_path), ticket.turn_id if ticket else "", str(thread.path) if thread else "", parent or ""]
    arguments = [*names, "" if held_until_s is None else str(held_until_s), *numbers]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interpreter that starts would print a traceback
    os.execv(sys.executable, interpreter(_CODE, *arguments))


def main() -> None:
    """Entry point of the replaced process; `sys.argv` is what `go_and_wait` gave."""
    path, ticket_id, thread_path, parent, held_until, *fds, max_running, since, deadline = sys.argv[1:]
    lock_fd, ticket_fd, thread_fd = map(int, fds)
    for fd in (lock_fd, ticket_fd, thread_fd):
        if fd >= 0:
            os.set_inheritable(fd, False)  # no child of ours may keep a lock alive
    turn_path = Path(path)
    ticket = Ticket(queue.folder_of(turn_path.parent), ticket_id, ticket_fd) if ticket_id else None
    place = Place(turn_path, ticket, int(max_running), float(deadline) or None, parent or None)
    slot = None
    try:
        place.listen()
        slot = _wait_for_reset(place, turn_path, float(held_until)) if held_until else place.wait()
    except OSError as error:
        say(f"running without a slot: {error}")  # one turn too many is better than one that is lost

    from codex_server_cli.disk.thread_locks import ThreadLock  # from here on it is a worker like any other
    from codex_server_cli.disk.turn_dir import TurnDir
    from codex_server_cli.proc.claims import Claims
    from codex_server_cli.proc.worker import carry_on

    claims = Claims(
        turn_path.parent, place.ticket, ThreadLock(Path(thread_path), thread_fd) if thread_fd >= 0 else None
    )
    claims.slot = slot
    place.hand_on_signals(claims)
    waited_s = time.monotonic() - float(since)
    carry_on(TurnDir(turn_path), lock_fd, claims, stop_cause=place.stop_cause, waited_s=waited_s)


def _wait_for_reset(place: Place, turn_path: Path, held_until_s: float) -> Slot | None:
    from codex_server_cli.proc.held import wait_for_reset  # what other turns in line need not carry

    return wait_for_reset(place, turn_path, held_until_s)


class Place:
    """A place in line, waited out.

    Attributes:
        ticket: the place; None while the turn is out of the line.
        stop_cause: why the turn is over before it began, once it is.
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
        self._is_told_to_stop = False
        self._wake_fd = -1
        self._slots_fd: int | None = None

    def listen(self) -> None:
        """Hear signals, and the bytes that other shells send.

        Raises:
            OSError: the turn's FIFO is gone.
        """
        self._wake_fd = open_fifo(self._turn_path / "wake", os.O_RDWR)  # what a signal's handler writes to
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        self._look_into_inbox()  # a request may have been left before we listened

    def wait(self) -> Slot | None:
        """Wait for a slot.

        Returns:
            The slot; None where the turn is over before it began, for the reason in `stop_cause`.
        """
        while self.stop_cause is None:
            slot = self._try()
            if slot is not None:
                return slot
            self._sleep()
        return None

    def leave_line(self) -> None:
        """Let others pass; `stand_in_line` is the way back."""
        ticket, self.ticket = self.ticket, None
        if ticket is not None:
            ticket.leave()
        if self._slots_fd is not None:  # what it tells is for the head of the line alone
            os.close(self._slots_fd)
            self._slots_fd = None

    def stand_in_line(self) -> None:
        """Take the last place in line.

        Raises:
            OSError: the queue cannot be used.
        """
        with queue.in_order(self._folder) as order:
            self.ticket = order.take_ticket()

    def _try(self) -> Slot | None:
        assert self.ticket is not None
        if not self.ticket.is_head():
            self.ticket.wake_behind(self._wake_fd)
            return self._try_below()
        if self._slots_fd is None:  # before the look: a slot that comes free after it is told of
            with contextlib.suppress(OSError):  # a hint is missing; we look all the same
                self._slots_fd = queue.open_wake(self._folder)
        self._read_limit()
        return queue.take_slot(self._folder, self._turn_path.name, self._max_running) or self._try_below()

    def _try_below(self) -> Slot | None:
        if self._parent is None:
            return None
        return queue.take_slot_below(self._folder, self._turn_path.name, self._parent)

    def _read_limit(self) -> None:
        """Take a new `max_running` from a `config.json` that has changed since we came."""
        changed_ns = _changed_ns(self._config_path)
        if changed_ns == self._config_ns:
            return
        self._config_ns = changed_ns

        from codex_server_cli.errors import CodexServerError
        from codex_server_cli.settings.config import read_config

        with contextlib.suppress(CodexServerError):  # being edited: the old one holds
            self._max_running = read_config(self._config_path).max_running

    def _sleep(self) -> None:
        slots_fd = self._slots_fd
        timeout_s = HEAD_LOOK_S if slots_fd is not None or self._parent is not None else LOOK_S
        if self.rest(timeout_s, slots_fd) and slots_fd is not None:
            _drain(slots_fd)

    def rest(self, timeout_s: float, fd: int | None = None) -> bool:
        """Sleep for so long at the most; whatever other shells, the system or the deadline have to say ends it.

        Args:
            fd: this one does, too, once it is readable.

        Returns:
            Whether it is.
        """
        if self._deadline is not None:
            timeout_s = max(0.0, min(timeout_s, self._deadline - time.monotonic()))
        ready = select.select([self._wake_fd] if fd is None else [self._wake_fd, fd], [], [], timeout_s)[0]
        if self._wake_fd in ready:
            _drain(self._wake_fd)
            self._look_into_inbox()
        self._note_why_to_stop()
        return fd in ready

    def _note_why_to_stop(self) -> None:
        is_deleted = not self._turn_path.is_dir()
        is_late = self._deadline is not None and time.monotonic() >= self._deadline
        if not (is_deleted or is_late or self._is_told_to_stop) or self.stop_cause is not None:
            return
        from codex_server_cli.core.outcome import Cause

        self.stop_cause = (
            Cause.WORKER_STOPPED if self._is_told_to_stop else Cause.CANCELLED if is_deleted else Cause.DEADLINE
        )

    def _look_into_inbox(self) -> None:
        try:
            if not os.listdir(self._turn_path / "inbox"):  # noqa: PTH208 — only whether there is anything
                return
        except OSError:
            return
        from codex_server_cli.disk.turn_dir import TurnDir
        from codex_server_cli.proc.requests import take_requests

        self.stop_cause = self.stop_cause or take_requests(TurnDir(self._turn_path))

    def hand_on_signals(self, claims: Claims) -> None:
        """From now on it is the turn that is told to stop, though its own handlers are yet to come."""
        claims.was_told_to_stop = self._is_told_to_stop
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: setattr(claims, "was_told_to_stop", True))

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        say(f"told to stop by signal {signum}")
        self._is_told_to_stop = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_fd, b"!")


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(fd, 4096)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
