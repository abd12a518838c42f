"""A little space set aside while a turn runs, so that its end can be told on a disk that has become full.

Owns one hidden file of the turn directory. It is given back before the end is published: by the worker, or by whoever
publishes in its stead. Must never be relied upon: an end may be longer than what was set aside.
"""

from __future__ import annotations

import contextlib

from codex_server_cli.disk.files import create_file
from codex_server_cli.disk.turn.layout import TurnDir

NAME = ".reserve"
SIZE_BYTES = 256 * 1024
"""A partial answer stands four times in the files of an end, so that some 60 kB of it fit."""


def set_aside(turn: TurnDir) -> None:
    """Take the space, if there is so much; 0.1 ms."""
    try:
        create_file(turn.path / NAME, bytes(SIZE_BYTES))
    except OSError:  # the disk is full, or the turn was deleted as it began
        release(turn)


def release(turn: TurnDir) -> None:
    """Free the space; may be called again."""
    with contextlib.suppress(OSError):  # there is none, or the turn is gone
        (turn.path / NAME).unlink()
