"""Slots for `max_running` turns, and the queue of the turns that wait for one. Owns the home's `queue` folder.

Every claim is a flock, so a death at any moment releases it; there is no daemon, and no cleanup before others can
proceed. A turn waits only for the one before it, asleep in the kernel, and only the head of the queue takes a slot.
The queue is totally ordered: by the ids of its tickets, the newest id last. A turn that waits for something else
(`--after-reset`) leaves the queue, so that it blocks no other, and returns later with a new ticket, at the end.
A turn that finds a free slot at its creation takes it and leaves the queue under the same lock on `order`, so that the
next turn does not wait for it. One that had to wait stays until its codex runs: turns that wait start in order.

    queue/order      locked while a turn is created; holds the newest ticket's id, which is the end of the queue
    queue/<id>       a ticket: locked while a turn is in the queue, then deleted; holds the id of the one before it. Its
                     id is the turn's, except for a turn that returned, which gets a fresh id. An existing, free one
                     belongs to a turn that died, or left from the middle of the queue
    queue/slot-N     locked while a turn runs; holds its id
    queue/below-<id> the same for one turn that a running turn has started
    queue/wake       FIFO: a byte wakes the head of the queue when a slot is released

Must never know what a turn is: ids are names here. Light, as a queued turn imports it: no `typing`, no `json`.
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
"""How long the creation of a turn waits: others take milliseconds each, and the launcher waits for 30 s."""


def folder_of(turns_path: Path) -> Path:
    """The queue folder of a home, given its turns folder."""
    return turns_path.parent / "queue"


@contextlib.contextmanager
def in_order(folder: Path) -> Iterator[Order]:
    """Exclude the creation of other tickets: ids, tickets and directories are then created in one order.

    Main thread only.

    Raises:
        OSError: the folder cannot be created or written, or a process was stopped while it held the lock.
    """
    ensure_directory(folder, may_be_link=False)
    fd = lock.acquire(folder / "order", ORDER_TIMEOUT_S)
    if fd is None:
        raise TimeoutError(errno.ETIMEDOUT, "another process keeps it locked", str(folder / "order"))
    try:
        yield Order(folder, fd)
    finally:
        os.close(fd)


class Order:
    """The right to create the next ticket, and its turn."""

    def __init__(self, folder: Path, fd: int) -> None:
        self._folder = folder
        self._fd = fd
        self._newest = read_holder(fd)

    def take_ticket(self) -> Ticket:
        """A ticket with a new id, at the end of the queue.

        Raises:
            OSError: the folder cannot be written.
        """
        turn_id = make_turn_id(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(2)), self._newest)
        ticket = Ticket(self._folder, turn_id, lock.create_locked(self._folder / turn_id))
        try:
            ticket.set_predecessor(self._newest)
            write_holder(self._fd, turn_id)
        except OSError:
            ticket.leave()
            raise
        self._newest = turn_id
        return ticket


class Ticket:
    """A turn's place in the queue, for as long as `fd` is open."""

    def __init__(self, folder: Path, turn_id: str, fd: int) -> None:
        self.turn_id = turn_id
        self.fd = fd
        self._folder = folder
        self._path = folder / turn_id
        self._predecessor = read_holder(fd)
        self._awaited: str | None = None

    def set_predecessor(self, turn_id: str | None) -> None:
        """Record the turn that comes before this one."""
        write_holder(self.fd, turn_id)
        self._predecessor = turn_id

    def is_head(self) -> bool:
        """Whether no turn before this one is still queued; removes the tickets of dead ones on the way."""
        while self._predecessor is not None:
            path = self._folder / self._predecessor
            fd = lock.probe(path)
            if fd is None:
                if is_regular(path) and not _is_foreign_and_free(path):
                    return False  # held
                break
            try:
                if os.fstat(fd).st_nlink == 0:
                    break  # it left the queue meanwhile
                self.set_predecessor(read_holder(fd))
                path.unlink(missing_ok=True)
            finally:
                os.close(fd)
        self._predecessor = None
        return True

    def wake_behind(self, wake_fd: int) -> None:
        """Have a byte written to `wake_fd` when the turn before this one has left the queue, or died in it.

        Best effort: where no thread can be started there is no wake-up, and the caller's timeout applies.
        """
        if self._predecessor not in (None, self._awaited):
            with contextlib.suppress(RuntimeError):
                masked_thread.start(_wake_when_free, self._folder / self._predecessor, wake_fd)
                self._awaited = self._predecessor

    def leave(self) -> None:
        """Leave the queue.

        The head deletes its file before the release: an existing, free ticket would mean a death. One that leaves from
        the middle keeps its file, as a dead one does: it links the next ticket to those before it.
        """
        try:
            if self.is_head():
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self.fd)


def _is_foreign_and_free(path: Path) -> bool:
    """Whether a lock file is another user's, and not held according to the kernel's list: we cannot probe the lock, and
    must not wait without a limit. The ticket before it is unknown, too, so a place in the queue may be lost."""
    try:
        os.close(open_regular(path, os.O_RDWR))
    except PermissionError:
        return not holder_pid(path)
    except OSError:  # it has just left the queue
        return False
    return False


def _wake_when_free(path: Path, wake_fd: int) -> None:
    """Runs in a separate thread, because only flock reports a death."""
    lock.wait_until_free(path)
    with contextlib.suppress(OSError):  # the FIFO is full, or the turn has run and ended meanwhile
        os.write(wake_fd, b"!")


class Slot:
    """The right to run, for as long as `fd` is open.

    Attributes:
        left_by: the turn that held it before and died, so that its orphans must still be ended; None after a normal
            release.
    """

    def __init__(self, path: Path, fd: int, left_by: str | None = None) -> None:
        self.fd = fd
        self.left_by = left_by
        self._path = path
        self._folder = path.parent

    def release(self, *, is_unused: bool = False) -> None:
        """Free the slot, and wake the head of the queue. A slot below a turn is also deleted.

        Args:
            is_unused: nothing ran in it: the orphans of `left_by` are still to be ended, by the next holder.
        """
        with contextlib.suppress(OSError):  # a deleted or read-only home: the slot is free all the same
            write_holder(self.fd, self.left_by if is_unused else None)
            if self._path.name.startswith(_BELOW):
                self._path.unlink(missing_ok=True)
        os.close(self.fd)
        send_byte(self._folder / "wake")


def take_slot(folder: Path, turn_id: str, max_running: int) -> Slot | None:
    """Take a free slot; None where all are taken.

    Raises:
        OSError: none can ever be taken: the folder cannot be created or written.
    """
    ensure_directory(folder, may_be_link=False)
    failure, is_one_taken = None, False
    for number in range(max_running):
        try:
            slot = _take(folder / f"{_SLOT}{number}", turn_id)
        except OSError as error:  # not a lock file, or another user's, which counts as taken while held
            if not isinstance(error, PermissionError) or not holder_pid(folder / f"{_SLOT}{number}"):
                failure = error
                continue
            slot = None
        if slot is not None:
            return slot
        is_one_taken = True
    if failure is not None and not is_one_taken:  # a taken one will be released
        raise failure
    return None


def take_slot_below(folder: Path, turn_id: str, parent: str) -> Slot | None:
    """Take the only slot below a running turn, for a turn that it started; None where it is taken.

    A turn that waits for its child would otherwise wait for its own slot: so one child may run beside the slots.

    Raises:
        OSError: the folder cannot be created or written.
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
    """The turns named in slots: the running ones, and unless `only_living` those that died in one."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith((_SLOT, _BELOW))]  # noqa: PTH208
    except OSError:  # no turn has ever run here
        return []
    found = []
    for name in names:
        with contextlib.suppress(OSError):  # released meanwhile, or another user's
            with opened_regular(folder / name) as fd:
                holder = read_holder(fd)
            if holder is not None and (not only_living or lock.is_held(folder / name)):
                found.append(holder)
    return found


def open_wake(folder: Path) -> int:
    """The FIFO that signals free slots, opened read-write, so that it never reports EOF.

    Raises:
        OSError: it cannot be created.
    """
    path = folder / "wake"
    with contextlib.suppress(FileExistsError):  # the usual case
        make_fifo(path)
    return open_fifo(path, os.O_RDWR)


def sweep_tickets(folder: Path) -> int:
    """Delete the tickets of turns that died in the queue, if no turn is queued: until then their files link the queue.

    Returns:
        The number of deleted tickets.

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
