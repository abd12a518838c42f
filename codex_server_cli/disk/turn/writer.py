"""Writing a turn as it runs, and publishing its end. Owns the order of the end.

Law 1: whoever holds the lock is the only writer: the worker, and after its death a repairer. Must never be used
without the lock.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from codex_server_cli.core.model.turn import State, format_time_ms
from codex_server_cli.core.result.outcome import Outcome
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import fsync_directory, write_all, write_atomic, write_json
from codex_server_cli.disk.safe_open import is_regular, open_regular
from codex_server_cli.disk.turn import reserve
from codex_server_cli.disk.turn.layout import TurnDir


class LockLostError(Exception):
    """The lock of a turn was deleted or replaced by hand: a reader may hold a new one, and repair the turn."""


class TurnWriter:
    """Append and publish, for the holder of the lock.

    Args:
        lock_fd: holds it.

    Raises:
        OSError: the files cannot be opened.
    """

    def __init__(self, directory: TurnDir, lock_fd: int) -> None:
        self.directory = directory
        self._lock_fd = lock_fd
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._events_fd = open_regular(directory.events, flags)
        try:
            self._out_fd = open_regular(directory.out, flags)
        except OSError:
            os.close(self._events_fd)  # whoever publishes the end needs one
            raise
        reserve.set_aside(directory)

    def may_write(self) -> bool:
        """Whether there is still a turn to write; False where it was deleted with its lock.

        Raises:
            LockLostError: its lock alone is gone: nothing more may be recorded or published.
        """
        if lock.is_own(self._lock_fd, self.directory.lock):
            return True
        if self.directory.exists:
            raise LockLostError
        return False

    def append_events(self, lines: bytes) -> None:
        """Whole lines onto `events.jsonl`."""
        write_all(self._events_fd, lines)

    def append_text(self, text: str) -> None:
        """Text onto `out.txt`; a lone surrogate, which UTF-8 cannot hold, becomes `?`."""
        write_all(self._out_fd, text.encode("utf-8", "replace"))

    def write_meta(self, meta: dict[str, Any]) -> None:
        """Replace `meta.json`."""
        write_json(self.directory.meta, meta)

    def write_live(self, live: dict[str, Any]) -> None:
        """Replace `live.json`."""
        write_json(self.directory.live, live)

    def write_pending(self, requests: list[dict[str, Any]]) -> None:
        """Replace `pending.json`: what waits for a person."""
        content = {"version": 1, "turn_id": self.directory.turn_id, "pending": requests}
        write_json(self.directory.pending, content)

    def finish(self, outcome: Outcome, meta: dict[str, Any]) -> None:
        """Publish the end: events flushed, result, answer, meta, then the marker, then the directory.

        A crash at any instant leaves a directory that reads correctly or that a repairer completes: until the marker
        stands the turn is not over, and once `result.json` stands its marker can be made from it.
        """
        reserve.release(self.directory)
        os.fsync(self._events_fd)
        publish(self.directory, outcome, meta)

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._events_fd)
        os.close(self._out_fd)


def publish(turn: TurnDir, outcome: Outcome, meta: dict[str, Any]) -> None:
    """Write `result.json`, `answer.txt`, `meta.json` and the marker, in that order."""
    publish_result(turn, result_of(turn, outcome, meta), meta)


def result_of(turn: TurnDir, outcome: Outcome, meta: dict[str, Any]) -> dict[str, Any]:
    """The content of `result.json` for this end, now."""
    return {
        "version": 1,
        "turn_id": turn.turn_id,
        "thread_id": meta.get("thread_id"),
        "codex_turn_id": meta.get("codex_turn_id"),
        "state": str(outcome.state),
        "answer": outcome.answer,
        "usage": outcome.usage,
        "limits": outcome.limits,
        "refused": outcome.refused,
        "error": outcome.error.to_json() if outcome.error else None,
        "finished_at": now(),
    }


def publish_result(turn: TurnDir, result: dict[str, Any], meta: dict[str, Any]) -> None:
    """Make `result.json` durable, then write all that follows from it. May replace an end that stands already."""
    write_json(turn.result, result, is_durable=True)
    complete(turn, result, meta)


def complete(turn: TurnDir, result: dict[str, Any], meta: dict[str, Any]) -> None:
    """Write all that follows from a `result.json`: the text's end, answer, meta, and last the marker, made durable.

    Args:
        result: the content of `result.json`, whoever wrote it.
        meta: the content of `meta.json`; gets the time of the end, and the ids that it lacks.
    """
    answer, finished_at = result.get("answer"), result.get("finished_at") or now()
    known = {name: result.get(name) for name in ("thread_id", "codex_turn_id") if meta.get(name) is None}
    _end_last_line(turn)
    if answer is not None:
        write_atomic(turn.answer, answer.encode("utf-8", "replace"))
    # Durable too: a turn that ended is not told from a marker alone, whatever the power does.
    write_json(turn.meta, meta | known | {"finished_at": finished_at}, is_durable=True)
    if result["state"] == State.COMPLETE:
        write_json(turn.done, {"version": 1, "finished_at": finished_at}, is_durable=True)
        if is_regular(turn.error):  # of the end that this one replaces: `done` wins until it is gone
            fsync_directory(turn.path)
            turn.error.unlink()
    else:
        error = {**(result.get("error") or {}), "partial_answer": answer, "finished_at": finished_at}
        write_json(turn.error, error, is_durable=True)
    fsync_directory(turn.path)


def _end_last_line(turn: TurnDir) -> None:
    """A turn may end in the middle of its answer: what is printed behind its text begins a line all the same."""
    with contextlib.suppress(OSError):  # there is no text, or no space for it: the end is told in any case
        fd = open_regular(turn.out, os.O_RDWR | os.O_APPEND)
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            if size and os.pread(fd, 1, size - 1) != b"\n":
                write_all(fd, b"\n")
        finally:
            os.close(fd)


def now() -> str:
    """This moment, as files tell it."""
    return format_time_ms(time.time_ns() // 1_000_000)
