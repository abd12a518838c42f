"""The worker's own words in `worker.log`, which is its stderr. Owns that they never cost a turn: its disk may be full.

Runs in the worker, in line too: must import next to nothing. Unbuffered, so that a signal handler may speak as well.
"""

from __future__ import annotations

import contextlib
import os

LOG_FD = 2


def say(text: str) -> None:
    """Add a line to the log, where there is room for it."""
    write_log(f"{text}\n".encode("utf-8", "replace"))


def write_log(data: bytes) -> None:
    """Add bytes to the log, where there is room for them: a full disk costs words, and nothing else."""
    with contextlib.suppress(OSError):
        os.write(LOG_FD, data)
