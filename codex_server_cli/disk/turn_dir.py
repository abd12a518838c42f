"""The turn directory as its owner writes it. Owns the file names, the creation and the order of the end.

Law 1: whoever holds the lock is the only writer. The launcher makes the directory under a hidden name with the lock
taken, and publishes it by a rename; the worker inherits the lock and writes; a repairer takes it after a death.
Must never be used without the lock: readers use `turns`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_server_cli.core.outcome import Outcome
from codex_server_cli.core.turn import Marker, State, format_time_ms, make_turn_id
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import encode_json, fsync_directory, write_all, write_atomic, write_json
from codex_server_cli.errors import HomeError

UNPUBLISHED = ".new-"
"""Prefix of a directory that is being filled; readers ignore names that start with a dot."""


class TurnDir:
    """The paths of one turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turn_id = path.name
        self.prompt = path / "prompt.txt"
        self.meta = path / "meta.json"
        self.events = path / "events.jsonl"
        self.out = path / "out.txt"
        self.live = path / "live.json"
        self.result = path / "result.json"
        self.answer = path / "answer.txt"
        self.done = path / "done"
        self.error = path / "error"
        self.inbox = path / "inbox"
        self.wake = path / "wake"
        self.log = path / "worker.log"
        self.lock = path / "lock"

    @property
    def marker(self) -> Marker | None:
        """Which end marker stands here."""
        if self.done.exists():
            return Marker.DONE
        return Marker.ERROR if self.error.exists() else None


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A published turn whose lock we hold, on its way to a worker."""

    directory: TurnDir
    lock_fd: int

    def discard(self) -> None:
        """Undo: the worker never came to life, so nobody was told of this turn."""
        shutil.rmtree(self.directory.path, ignore_errors=True)
        os.close(self.lock_fd)


def prepare_home(turns_path: Path) -> None:
    """Make the home and its `turns` directory, mode 0700.

    Raises:
        HomeError: it cannot be made.
    """
    try:
        for path in (turns_path.parent, turns_path):
            if not path.is_dir():
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _home_error(turns_path.parent, error) from error


def create(turns_path: Path, prompt: str, make_meta: Callable[[str], dict[str, Any]]) -> NewTurn:
    """Make a turn directory, complete and locked, and publish it.

    Args:
        turns_path: where turns live; made if missing.
        prompt: stored exactly as it is.
        make_meta: the content of `meta.json` for the turn id that was found.

    Raises:
        HomeError: the home cannot be written (read-only, full …); nothing half-made is left.
    """
    prepare_home(turns_path)
    now_ns = time.time_ns()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_ns // 1_000_000_000))
    turn_id = make_turn_id(stamp, now_ns // 1_000_000 % 1000, int.from_bytes(os.urandom(2)))
    hidden = TurnDir(turns_path / f"{UNPUBLISHED}{turn_id}")
    try:
        hidden.path.mkdir(mode=0o700)
        lock_fd = lock.create_locked(hidden.lock)
        _fill(hidden, prompt, make_meta(turn_id))
        hidden.path.rename(turns_path / turn_id)
    except OSError as error:
        shutil.rmtree(hidden.path, ignore_errors=True)
        raise _home_error(turns_path.parent, error) from error
    return NewTurn(TurnDir(turns_path / turn_id), lock_fd)


def _fill(turn: TurnDir, prompt: str, meta: dict[str, Any]) -> None:
    _create(turn.prompt, prompt.encode())
    _create(turn.meta, encode_json(meta))
    _create(turn.events, b"")
    _create(turn.out, b"")
    _create(turn.log, b"")
    turn.inbox.mkdir(mode=0o700)
    os.mkfifo(turn.wake, 0o600)


def _create(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def _home_error(home: Path, error: OSError) -> HomeError:
    hint = "Free some space, or set CODEX_SERVER_HOME to a directory that you can write."
    return HomeError(f"cannot write {home}: {error.strerror or error}", hint=hint)


class TurnWriter:
    """Append and publish, for the holder of the lock."""

    def __init__(self, directory: TurnDir) -> None:
        self.directory = directory
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._events_fd = os.open(directory.events, flags, 0o600)
        self._out_fd = os.open(directory.out, flags, 0o600)

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

    def finish(self, outcome: Outcome, meta: dict[str, Any]) -> None:
        """Publish the end: events flushed, result, answer, meta, then the marker, then the directory.

        A crash at any instant leaves a directory that reads correctly or that a repairer completes: until the marker
        stands the turn is not over, and once `result.json` stands its marker can be made from it.
        """
        os.fsync(self._events_fd)
        publish(self.directory, outcome, meta)

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._events_fd)
        os.close(self._out_fd)


def publish(turn: TurnDir, outcome: Outcome, meta: dict[str, Any]) -> None:
    """Write `result.json`, `answer.txt`, `meta.json` and the marker, in that order."""
    finished_at = format_time_ms(time.time_ns() // 1_000_000)
    meta = meta | {"finished_at": finished_at}
    result = {
        "version": 1,
        "turn_id": turn.turn_id,
        "thread_id": meta.get("thread_id"),
        "codex_turn_id": meta.get("codex_turn_id"),
        "state": str(outcome.state),
        "answer": outcome.answer,
        "usage": outcome.usage,
        "limits": outcome.limits,
        "error": outcome.error.to_json() if outcome.error else None,
        "finished_at": finished_at,
    }
    write_json(turn.result, result, is_durable=True)
    if outcome.answer is not None:
        write_atomic(turn.answer, outcome.answer.encode("utf-8", "replace"))
    write_json(turn.meta, meta)
    publish_marker(turn, result)


def publish_marker(turn: TurnDir, result: dict[str, Any]) -> None:
    """Write the marker that a `result.json` calls for, and make it durable."""
    if result["state"] == State.COMPLETE:
        write_json(turn.done, {"version": 1, "finished_at": result["finished_at"]})
    else:
        error = result.get("error") or {}
        write_json(turn.error, {**error, "partial_answer": result.get("answer"), "finished_at": result["finished_at"]})
    fsync_directory(turn.path)
