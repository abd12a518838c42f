"""Rewriting `events.jsonl` at the end of a turn without redundant lines. Owns how; `superfluous` selects them.

The new file is complete and durable before it takes the old one's name, so that a crash at any instant leaves one of
the two. Needs the turn's lock (law 1), and must be the last change of the file: followers keep reading the old one.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from codex_server_cli.core.protocol.superfluous import Span, superfluous
from codex_server_cli.disk.files import write_pieces
from codex_server_cli.disk.safe_open import open_regular

_LEAST_BYTES = 4096
"""The least saving that is worth a rewrite: a block of most file systems."""
_READ_BYTES = 1 << 20
_LOOK_S = 2.0
"""Enough for 100 MB; 100,000 deltas are 25."""


def compact(events: Path, events_fd: int) -> bool:
    """Drop the superfluous lines; return whether the file was replaced, durably.

    Finding them takes `_LOOK_S` at most, else the file is left unchanged: a client may wait for the end of the turn.

    Args:
        events_fd: the file as its writer has it open; a different file under that name, put there by hand, is left
            unchanged.

    Raises:
        OSError: it cannot be read, its directory cannot be written, or it takes too long; the file is unchanged.
    """
    deadline_s = time.monotonic() + _LOOK_S
    with open(open_regular(events), "rb", _READ_BYTES) as file:  # noqa: PTH123 — a descriptor, not a path
        if not os.path.sameopenfile(file.fileno(), events_fd):
            return False
        spans = superfluous(_lines_until(file, deadline_s))
        if sum(end - start for start, end in spans) < _LEAST_BYTES:
            return False
        write_pieces(events, _kept(file, spans), is_durable=True)
    return True


def _lines_until(lines: Iterable[bytes], deadline_s: float) -> Iterator[bytes]:
    for line in lines:
        if time.monotonic() > deadline_s:
            raise TimeoutError(errno.ETIMEDOUT, f"what it says twice was not found within {_LOOK_S:g} s")
        yield line


def _kept(file: BinaryIO, dropped: Sequence[Span]) -> Iterator[bytes]:
    """The content of a file without these spans."""
    size, position = file.seek(0, os.SEEK_END), 0
    for start, end in (*dropped, (size, size)):
        file.seek(position)
        while position < start:
            piece = file.read(min(start - position, _READ_BYTES))
            if not piece:
                raise OSError(errno.EIO, "The file became shorter while it was read")
            position += len(piece)
            yield piece
        position = end
