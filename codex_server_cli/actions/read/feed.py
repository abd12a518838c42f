"""The events of turns for a program that follows many of them at once, without a thread for each.

Owns the disk access: reading a growing file at any offset, the watch over many turns, and whether a turn has ended.
Must never decide which client gets which event.
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
    """`events.jsonl` of one turn, by offsets. It keeps the original file open when the end of the turn replaces it by a
    shorter one, where the offsets would be wrong; nothing is appended after that.
    """

    def __init__(self, directory: TurnDir) -> None:
        self._path = directory.events
        self._file: FileIO | None = None

    def size(self) -> int:
        """Its size in bytes; 0 while it does not exist. Call it before `lines_at`, from one thread at a time."""
        if self._file is None:
            with contextlib.suppress(OSError):  # not made yet, or deleted with its turn
                self._file = FileIO(open_regular(self._path))
        return 0 if self._file is None else os.fstat(self._file.fileno()).st_size

    def lines_at(self, offset: int, max_bytes: int) -> bytes:
        """The complete lines from an offset on: about `max_bytes`, but at least one line where there is one."""
        if self._file is None:
            return b""
        while True:
            data = os.pread(self._file.fileno(), max_bytes, offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < max_bytes:
                return data[:end]
            max_bytes *= 2

    def close(self) -> None:
        """Close it, after the last read."""
        if self._file is not None:
            self._file.close()


class TurnsWatch:
    """Sleeps until one of many turns may have new events: one watch, and one thread, for all of them."""

    def __init__(self) -> None:
        self._watch = FoldersWatch()

    def wait(self, turns: Iterable[TurnDir]) -> None:
        """Sleep until something of these turns changes, `interrupt` is called, or a second has passed.

        Where they differ from those of the last call, they replace these, and it returns at once: check all of them.
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
