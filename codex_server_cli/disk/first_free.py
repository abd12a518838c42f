"""Waiting for whichever of several locks is let go first. Owns the threads that this takes, one for each lock.

No call of the kernel's waits for several flocks, so each is waited for in a thread of its own, asleep and without
signals: those come to the main thread, which waits for the first word of any. Nothing here polls.
"""

from __future__ import annotations

import resource
from pathlib import Path
from queue import Empty, SimpleQueue

from codex_server_cli.disk import deaf_thread, lock
from codex_server_cli.errors import BusyError

_SPARE_DESCRIPTORS = 64


class FirstFree:
    """A watch over locks, which tells of each that is let go. Its threads end with their locks, or with the process.

    Args:
        count: how many locks will be watched at once.

    Raises:
        BusyError: this process may not open that many files.
    """

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        _make_room(count + _SPARE_DESCRIPTORS)

    def add(self, path: Path) -> None:
        """Watch a lock.

        Raises:
            BusyError: the machine allows no more threads.
        """
        try:
            deaf_thread.start(self._watch, path)
        except RuntimeError as error:
            raise _too_many() from error

    def wait(self, timeout_s: float | None = None) -> Path | None:
        """The next lock that is free; None where the time ran out. A watch of it ends with that."""
        try:
            return self._free.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except Empty:
            return None

    def _watch(self, path: Path) -> None:
        try:
            lock.wait_until_free(path)
        finally:
            self._free.put(path)  # whoever waits looks again, also where the lock could not be waited for


def _make_room(count: int) -> None:
    """Let this process open so many files: some systems start with 256, and a file that cannot be opened looks free."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    except (ValueError, OSError) as error:
        raise _too_many() from error


def _too_many() -> BusyError:
    return BusyError("this machine lets one process watch no more turns", hint="Wait for fewer of them at once.")
