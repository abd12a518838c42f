"""The events of turns for a program that follows many of them at once, without a thread for each.

Owns what of that touches the disk: reading a growing file at any place, the watch over many turns, and whether one has
ended. Must never decide who is told what.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import TypeAlias

from codex_server_cli.actions.read.read import READER
from codex_server_cli.core.model.turn import State
from codex_server_cli.disk import lock
from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.disk.turn.follow import FoldersWatch
from codex_server_cli.disk.turn.layout import TurnDir

Turn: TypeAlias = TurnDir
"""A turn by its directory, for a front end, which must not know what is in it."""


class EventsFile:
    """`events.jsonl` of one turn, by offsets. It stays the same file when the end of the turn replaces it by a shorter
    one, in which an offset means nothing: nothing is added after that.
    """

    def __init__(self, directory: TurnDir) -> None:
        self._path = directory.events
        self._file: FileIO | None = None

    def size(self) -> int:
        """How many bytes it has; 0 while there is none. To be called before `lines_at`, from one thread at a time."""
        if self._file is None:
            with contextlib.suppress(OSError):  # not made yet, or deleted with its turn
                self._file = FileIO(open_regular(self._path))
        return 0 if self._file is None else os.fstat(self._file.fileno()).st_size

    def lines_at(self, offset: int, max_bytes: int) -> bytes:
        """The whole lines from an offset on, about `max_bytes` of them, but one at least where there is one."""
        if self._file is None:
            return b""
        while True:
            data = os.pread(self._file.fileno(), max_bytes, offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < max_bytes:
                return data[:end]
            max_bytes *= 2

    def close(self) -> None:
        """Close it, once nothing reads it any more."""
        if self._file is not None:
            self._file.close()


class TurnsWatch:
    """Sleeps until one of many turns may have more to tell: one watch, and one thread, for all of them."""

    def __init__(self) -> None:
        self._watch = FoldersWatch()

    def wait(self, turns: Iterable[TurnDir]) -> None:
        """Sleep until something of these turns changes, `interrupt` is called, or a second is over.

        Other turns than the last time are watched from then on, and it returns at once: look at all of them.
        """
        self._watch.wait(frozenset[Path](turn.path for turn in turns))

    def interrupt(self) -> None:
        """Make `wait` return; from any thread."""
        self._watch.interrupt()

    def close(self) -> None:
        """End the watch."""
        self._watch.close()


def looks_over(directory: TurnDir, *, is_thorough: bool) -> bool:
    """Whether a turn may have ended, cheaply: it has a marker or, with `is_thorough`, its lock is free."""
    if directory.marker is not None:
        return True
    try:
        return is_thorough and not lock.is_held(directory.lock)
    except OSError:  # gone, or another user's
        return True


def is_over(directory: TurnDir) -> bool:
    """Whether a turn has ended. One whose worker died is repaired first, which may take seconds."""
    return READER.state(directory) is not State.RUNNING
