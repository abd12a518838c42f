"""The log on stderr: one line for each finished request and for each internal failure. Owns the format of a line.

Never logs a query string, a header or any part of a body: those hold tokens and prompts. Lines are written by a
separate thread: if the reader of stderr stalls, lines are dropped and requests are not delayed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

_MOST_LINES = 4096
_FLUSH_S = 1.0
_LONGEST_TEXT = 300


class AccessLog:
    """Writes lines: JSON for programs, plain text for people."""

    def __init__(self, *, is_for_people: bool) -> None:
        self._is_for_people = is_for_people
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_LINES)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._thread.start()

    def say(self, event: str, **facts: Any) -> None:
        """One line.

        Args:
            event: what happened, in one word.
            facts: about it; None values are left out, long text is cut.
        """
        known = {name: _cut(value) for name, value in facts.items() if value is not None}
        now = time.time()
        if self._is_for_people:
            clock = time.strftime("%H:%M:%S", time.localtime(now))
            words = " ".join(f"{name}={_printable(value)}" for name, value in known.items())
            line = f"{clock} {event} {words}\n"
        else:
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
            line = json.dumps({"time": at, "event": event, **known}) + "\n"
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def defect(self, error: BaseException, **facts: Any) -> None:
        """Log an internal error: its type and location, without its message, which may quote a request."""
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:]))
        self.say("defect", error=type(error).__name__, where=where, **facts)

    def take_over_loggers(self) -> None:
        """Route the libraries' log records here, one line each, without a traceback."""
        for name, level in (("uvicorn.error", logging.CRITICAL), ("asyncio", logging.ERROR)):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [_Forward(self)], False
            logger.setLevel(level)

    def close(self) -> None:
        """Flush the remaining lines, within a bounded time."""
        if self._lost:
            self.say("lost", lines=self._lost)
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(_FLUSH_S)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                sys.stderr.write(line)
                sys.stderr.flush()
            except (OSError, ValueError):  # the reader is gone, or the stream is closed
                continue


class _Forward(logging.Handler):
    """Forwards a library's log records."""

    def __init__(self, log: AccessLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._log.defect(error, of=record.name)
        else:
            self._log.say("warning", of=record.name, message=str(record.msg))


def _cut(value: Any) -> Any:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _printable(value: Any) -> str:
    return "".join(character if character.isprintable() else "?" for character in str(value))
