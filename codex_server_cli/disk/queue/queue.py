"""Who may run: the slots of `max_running`, and the line of the turns that wait for one. Owns the home's `queue` folder.

Every claim is a flock, so a death at any moment lets go of it; there is no daemon, and nothing to tidy before others
go on. A turn waits for the one before it alone, asleep in the kernel, and only the head of the line looks for a slot.
The line is one order: a ticket's place is that of its id, and the newest id is its end. A turn that waits for something
else (`--after-reset`) leaves the line, so that it keeps nobody, and comes back later with a new ticket, at the end.

    queue/order      locked while a ticket is made; holds the newest one's id, which is the end of the line
    queue/<id>       a ticket: locked from the making of a turn until its codex runs, then deleted; holds the id of the
                     one before it. Its id is the turn's, but for a turn that came back: an id that no turn has. One
                     that is there and free belongs to a turn that died, or left from the middle of the line
    queue/slot-N     locked while a turn runs; holds its id
    queue/below-<id> the same for one turn that a running turn has started
    queue/wake       FIFO: a byte tells the head of the line that a slot came free

Must never know what a turn is: ids are names here. Light, because a turn in line imports it: no `typing`, no `json`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from codex_server_cli.core.model.turn_id import make_turn_id
from codex_server_cli.disk import lock, masked_thread
from codex_server_cli.disk.lock_holder import holder_pid, read_holder, write_holder
from codex_server_cli.disk.safe_open import (
    ensure_directory,
    is_regular,
    make_fifo,
    open_fifo,
    open_regular,
    opened_regular,
    send_byte,
)

_SLOT, _BELOW = "slot-", "below-"
ORDER_TIMEOUT_S = 20.0
"""How long a turn waits to be made: others take milliseconds each, and the launcher waits for 30 s."""


def folder_of(turns_path: Path) -> Path:
    """The queue of a home, given where its turns are."""
    return turns_path.parent / "queue"


@contextlib.contextmanager
def in_order(folder: Path) -> Iterator[Order]:
    """Keep every other ticket from being made: ids, tickets and directories then all come in one order.

    Main thread only.

    Raises:
        OSError: the folder cannot be made or written, or whoever makes a turn was stopped over it.
    """
    ensure_directory(folder, may_be_link=False)
    fd = lock.acquire(folder / "order", ORDER_TIMEOUT_S)
    if fd is None:
        raise TimeoutError(errno.ETIMEDOUT, "somebody keeps it locked", str(folder / "order"))
    try:
        yield Order(folder, fd)
    finally:
        os.close(fd)


class Order:
    """The right to make the next ticket, and its turn."""

    def __init__(self, folder: Path, fd: int) -> None:
        self._folder = folder
        self._fd = fd
        self._newest = read_holder(fd)

    def take_ticket(self) -> Ticket:
        """A new id, and the last place in line under it.

        Raises:
            OSError: the folder cannot be written.
        """
        turn_id = make_turn_id(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(2)), self._newest)
        ticket = Ticket(self._folder, turn_id, lock.create_locked(self._folder / turn_id))
        try:
            ticket.stand_behind(self._newest)
            write_holder(self._fd, turn_id)
        except OSError:
            ticket.leave()
            raise
        self._newest = turn_id
        return ticket


class Ticket:
    """A turn's place in line, for as long as `fd` is open."""

    def __init__(self, folder: Path, turn_id: str, fd: int) -> None:
        self.turn_id = turn_id
        self.fd = fd
        self._folder = folder
        self._path = folder / turn_id
        self._before = read_holder(fd)
        self._awaited: str | None = None

    def stand_behind(self, turn_id: str | None) -> None:
        """Note which turn comes before this one."""
        write_holder(self.fd, turn_id)
        self._before = turn_id

    def is_head(self) -> bool:
        """Whether no turn before this one is still in line; a dead one's place is taken over on the way."""
        while self._before is not None:
            path = self._folder / self._before
            fd = lock.probe(path)
            if fd is None:
                if is_regular(path) and not _is_of_dead_stranger(path):
                    return False  # held
                break
            try:
                if os.fstat(fd).st_nlink == 0:
                    break  # it left the line while we looked
                self.stand_behind(read_holder(fd))
                path.unlink(missing_ok=True)
            finally:
                os.close(fd)
        self._before = None
        return True

    def wake_behind(self, wake_fd: int) -> None:
        """Have a byte written to `wake_fd` when the turn before this one has left the line, or died in it.

        Where the machine has no thread to spare nothing wakes the caller, who looks again after a while in any case.
        """
        if self._before not in (None, self._awaited):
            with contextlib.suppress(RuntimeError):
                masked_thread.start(_wake_when_free, self._folder / self._before, wake_fd)
                self._awaited = self._before

    def leave(self) -> None:
        """Let the next one come forward.

        The head's name goes first: a free ticket that is there would mean a death. One that leaves from the middle
        keeps its name, as a dead one does: it leads the next one to those that still stand before it.
        """
        try:
            if self.is_head():
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self.fd)


def _is_of_dead_stranger(path: Path) -> bool:
    """Whether a lock file is another user's, who does not hold it as far as the kernel tells: we cannot ask the lock
    itself, and must not wait for ever. Who stands before him is not told either: a place in line may be lost by it."""
    try:
        os.close(open_regular(path, os.O_RDWR))
    except PermissionError:
        return not holder_pid(path)
    except OSError:  # it has just left the line
        return False
    return False


def _wake_when_free(path: Path, wake_fd: int) -> None:
    """In a thread of its own, because nothing but flock tells of a death."""
    lock.wait_until_free(path)
    with contextlib.suppress(OSError):  # the FIFO is full, or its turn has been driven meanwhile and is over
        os.write(wake_fd, b"!")


class Slot:
    """The right to run, for as long as `fd` is open.

    Attributes:
        left_by: the turn that had it before and died in it, so that what it left running is still to be ended; None
            where it was given back in order.
    """

    def __init__(self, path: Path, fd: int, left_by: str | None = None) -> None:
        self.fd = fd
        self.left_by = left_by
        self._path = path
        self._folder = path.parent

    def release(self, *, is_unused: bool = False) -> None:
        """Free the slot, and tell the head of the line. The slot below a turn is no more than its file.

        Args:
            is_unused: nothing ran in it: what the one before left running is still to be ended, by whoever has it next.
        """
        with contextlib.suppress(OSError):  # a home that was deleted or is read-only: the slot is free all the same
            write_holder(self.fd, self.left_by if is_unused else None)
            if self._path.name.startswith(_BELOW):
                self._path.unlink(missing_ok=True)
        os.close(self.fd)
        send_byte(self._folder / "wake")


def take_slot(folder: Path, turn_id: str, max_running: int) -> Slot | None:
    """A free slot, now; None where all are taken.

    Raises:
        OSError: not one of them can be had, ever: the folder cannot be made or written.
    """
    ensure_directory(folder, may_be_link=False)
    failure, is_one_taken = None, False
    for number in range(max_running):
        try:
            slot = _take(folder / f"{_SLOT}{number}", turn_id)
        except OSError as error:  # something else stands in its place, or another user's, which counts while he has it
            if not isinstance(error, PermissionError) or not holder_pid(folder / f"{_SLOT}{number}"):
                failure = error
                continue
            slot = None
        if slot is not None:
            return slot
        is_one_taken = True
    if failure is not None and not is_one_taken:  # one that is merely taken will come free
        raise failure
    return None


def take_slot_below(folder: Path, turn_id: str, parent: str) -> Slot | None:
    """The one slot that there is below a running turn, for a turn that it started; None where it is taken.

    A turn that waits for one of its own must not wait for itself to end: so one of them may run beside the slots.

    Raises:
        OSError: the folder cannot be made or written.
    """
    ensure_directory(folder, may_be_link=False)
    return _take(folder / f"{_BELOW}{parent}", turn_id)


def _take(path: Path, turn_id: str) -> Slot | None:
    fd = lock.try_acquire(path)
    if fd is None:
        return None
    left_by = read_holder(fd)
    write_holder(fd, turn_id)
    return Slot(path, fd, left_by)


def holders(folder: Path, *, only_living: bool) -> list[str]:
    """The turns that slots name: those that run, and unless `only_living` those that died in one."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith((_SLOT, _BELOW))]  # noqa: PTH208
    except OSError:  # no turn ever ran here
        return []
    found = []
    for name in names:
        with contextlib.suppress(OSError):  # it was given back meanwhile, or is another user's
            with opened_regular(folder / name) as fd:
                holder = read_holder(fd)
            if holder is not None and (not only_living or lock.is_held(folder / name)):
                found.append(holder)
    return found


def open_wake(folder: Path) -> int:
    """The FIFO that tells of free slots, opened as the head of the line does: it never sees an end.

    Raises:
        OSError: it cannot be made.
    """
    path = folder / "wake"
    with contextlib.suppress(FileExistsError):  # the usual case
        make_fifo(path)
    return open_fifo(path, os.O_RDWR)


def sweep_tickets(folder: Path) -> int:
    """Delete the tickets of turns that died in line, where nobody stands in it: their names are links of the line.

    Returns:
        How many there were.

    Raises:
        OSError: the folder cannot be written.
    """
    if not folder.is_dir():
        return 0
    with in_order(folder):
        tickets = [path for path in folder.iterdir() if path.name[:1].isdigit()]
        if any(lock.is_held(path) for path in tickets):
            return 0
        for path in tickets:
            path.unlink(missing_ok=True)
        return len(tickets)
