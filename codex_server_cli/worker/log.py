"""The worker's own messages in `worker.log`, which is its stderr. Owns that they never fail a turn on a full disk.

Runs in the worker, also while queued: must import next to nothing. Unbuffered, so that signal handlers may log, too.
"""

from __future__ import annotations

import contextlib
import os

LOG_FD = 2


def say(text: str) -> None:
    """Append a line to the log; best effort."""
    write_log(f"{text}\n".encode("utf-8", "replace"))


def write_log(data: bytes) -> None:
    """Append bytes to the log; best effort: a full disk only loses log output."""
    with contextlib.suppress(OSError):
        os.write(LOG_FD, data)


def log_traceback() -> None:
    """Write the traceback of the exception that is being handled into the turn's log."""
    try:
        import traceback  # 2 ms, only after a defect
    except OSError as error:  # a limit on open files
        say(f"{error.__context__!r}")
        return
    say(traceback.format_exc())
