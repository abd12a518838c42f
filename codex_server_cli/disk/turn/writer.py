"""Writing a turn as it runs, and publishing its end. Owns the order of the writes at the end.

Law 1: the lock holder is the only writer: the worker, and after its death a repairer. Must never be used without the
lock.
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

COMPACTED_FROM_BYTES = 32 * 1024
"""Smaller logs are not compacted: half of one is the handshake, and the rest is not worth the time."""


class LockLostError(Exception):
    """The lock file of a turn was deleted or replaced by hand: a reader may hold a new one, and repair the turn."""


class TurnWriter:
    """Append and publish, for the lock holder.

    Args:
        lock_fd: the descriptor that holds the lock.

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
            os.close(self._events_fd)  # publishing the end needs a free descriptor
            raise
        self._are_events_durable = False
        reserve.set_aside(directory)

    def may_write(self) -> bool:
        """Whether the turn still exists; False where it was deleted with its lock.

        Raises:
            LockLostError: only its lock file is gone: nothing more may be recorded or published.
        """
        if lock.is_own(self._lock_fd, self.directory.lock):
            return True
        if self.directory.exists:
            raise LockLostError
        return False

    def append_events(self, lines: bytes) -> None:
        """Append whole lines to `events.jsonl`."""
        write_all(self._events_fd, lines)

    def append_text(self, text: str) -> None:
        """Append text to `out.txt`; a lone surrogate, which UTF-8 cannot encode, becomes `?`."""
        write_all(self._out_fd, text.encode("utf-8", "replace"))

    def write_meta(self, meta: dict[str, Any]) -> None:
        """Replace `meta.json`."""
        write_json(self.directory.meta, meta)

    def write_live(self, live: dict[str, Any]) -> None:
        """Replace `live.json`."""
        write_json(self.directory.live, live)

    def write_pending(self, requests: list[dict[str, Any]]) -> None:
        """Replace `pending.json`: the requests that wait for a person."""
        content = {"version": 1, "turn_id": self.directory.turn_id, "pending": requests}
        write_json(self.directory.pending, content)

    def compact_events(self) -> None:
        """Drop redundant lines of `events.jsonl`, where that is worth it. The last step before `finish`: nothing may be
        appended after it.

        Raises:
            OSError: the disk is full, or the directory cannot be written: nothing is dropped.
        """
        if os.fstat(self._events_fd).st_size < COMPACTED_FROM_BYTES:
            return
        from codex_server_cli.disk.turn.compaction import compact  # 1 ms, not needed for a short turn

        self._are_events_durable = compact(self.directory.events, self._events_fd)

    def finish(self, outcome: Outcome, meta: dict[str, Any]) -> None:
        """Publish the end: events flushed, result, answer, meta, then the marker, then the directory.

        A crash at any instant leaves a directory that reads correctly or that a repairer completes: the turn has not
        ended before the marker exists, and the marker can be derived from `result.json`.
        """
        if outcome.diff:
            from codex_server_cli.core.model.unified_diff import encoded

            with contextlib.suppress(OSError):  # a full disk: the events have the patches, too
                write_atomic(self.directory.diff, encoded(outcome.diff))
        reserve.release(self.directory)
        if not self._are_events_durable:
            os.fsync(self._events_fd)
        publish(self.directory, outcome, meta)

    def close(self) -> None:
        """Close the files."""
        os.close(self._events_fd)
        os.close(self._out_fd)


def publish(turn: TurnDir, outcome: Outcome, meta: dict[str, Any]) -> None:
    """Write `result.json`, `answer.txt`, `meta.json` and the marker, in that order."""
    publish_result(turn, result_of(turn, outcome, meta), meta)


def result_of(turn: TurnDir, outcome: Outcome, meta: dict[str, Any]) -> dict[str, Any]:
    """The content of `result.json` for this end, at the current time."""
    return {
        "version": 1,
        "turn_id": turn.turn_id,
        "thread_id": meta.get("thread_id"),
        "codex_turn_id": meta.get("codex_turn_id"),
        "model": meta.get("model"),  # model and cwd are repeated here, so that `usage` reads one file of each turn
        "cwd": (meta.get("worktree") or {}).get("started_in") or meta.get("cwd"),
        "state": str(outcome.state),
        "answer": outcome.answer,
        "usage": outcome.usage,
        "limits": outcome.limits,
        "refused": outcome.refused,
        **({"changes": outcome.changes} if outcome.changes else {}),
        **({"changes_of": outcome.changes_of} if outcome.changes_of else {}),
        "error": outcome.error.to_json() if outcome.error else None,
        "finished_at": now(),
    }


def publish_result(turn: TurnDir, result: dict[str, Any], meta: dict[str, Any]) -> None:
    """Make `result.json` durable, then write all that follows from it. May replace an existing end."""
    write_json(turn.result, result, is_durable=True)
    complete(turn, result, meta)


def complete(turn: TurnDir, result: dict[str, Any], meta: dict[str, Any]) -> None:
    """Write all that follows from a `result.json`: the text's end, answer, meta, and last, durably, the marker.

    Args:
        result: the content of `result.json`.
        meta: the content of `meta.json`; written with the time of the end, and the ids that it lacks.
    """
    answer, finished_at = result.get("answer"), result.get("finished_at") or now()
    known = {name: result.get(name) for name in ("thread_id", "codex_turn_id") if meta.get(name) is None}
    _end_text(turn, result)
    if answer is not None:
        write_atomic(turn.answer, answer.encode("utf-8", "replace"))
    # Durable too: an ended turn is not readable from its marker alone after a power failure.
    write_json(turn.meta, meta | known | {"finished_at": finished_at}, is_durable=True)
    if result["state"] == State.COMPLETE:
        write_json(turn.done, {"version": 1, "finished_at": finished_at}, is_durable=True)
        if is_regular(turn.error):  # of the replaced end: `done` wins until it is deleted
            fsync_directory(turn.path)
            turn.error.unlink()
    else:
        error = {**(result.get("error") or {}), "partial_answer": answer, "finished_at": finished_at}
        write_json(turn.error, error, is_durable=True)
    fsync_directory(turn.path)


def _end_text(turn: TurnDir, result: dict[str, Any]) -> None:
    """End an unfinished last line of `out.txt`, so that anything printed after it begins a new line; and add, once, the
    line with the number of changes.
    """
    with contextlib.suppress(OSError):  # no text, or no space: the end is published in any case
        fd = open_regular(turn.out, os.O_RDWR | os.O_APPEND)
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            line_end = b"\n" if size and os.pread(fd, 1, size - 1) != b"\n" else b""
            write_all(fd, line_end + _changes_line(fd, size, result))
        finally:
            os.close(fd)


def _changes_line(fd: int, size: int, result: dict[str, Any]) -> bytes:
    """That line, as a block of its own; empty where nothing changed, or the text has it from an earlier publication."""
    if not result.get("changes"):
        return b""
    from codex_server_cli.core.record.item_text import changes_line

    line = changes_line(result["changes"], result.get("changes_of")).encode()
    if b"\n" + line in b"\n" + os.pread(fd, size, 0):
        return b""
    return b"\n" + line if size else line


def now() -> str:
    """The current time, in the format of the files."""
    return format_time_ms(time.time_ns() // 1_000_000)
