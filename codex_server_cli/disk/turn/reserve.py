"""Space reserved while a turn runs, so that its end can be written on a disk that has become full.

Owns one hidden file of the turn directory, which the worker or a repairer deletes before it publishes the end. Must
never be relied upon: an end may be longer than the reserve.
"""

from __future__ import annotations

import contextlib

from codex_server_cli.disk.files import create_file
from codex_server_cli.disk.turn.layout import TurnDir

NAME = ".reserve"
SIZE_BYTES = 256 * 1024
"""A partial answer is written four times in the files of an end, so that some 60 kB of it fit."""


def set_aside(turn: TurnDir) -> None:
    """Reserve the space, if available; 0.1 ms."""
    try:
        create_file(turn.path / NAME, bytes(SIZE_BYTES))
    except OSError:  # the disk is full, or the turn was deleted at its start
        release(turn)


def release(turn: TurnDir) -> None:
    """Free the space; idempotent."""
    with contextlib.suppress(OSError):  # not reserved, or the turn is gone
        (turn.path / NAME).unlink()
