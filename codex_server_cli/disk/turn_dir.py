"""The turn directory: the names of its files, and how it comes into the world.

It is made under a hidden name with its lock taken, and published by a rename: no reader ever sees half of one, or one
that nobody holds. What is written into it afterwards is `publish`'s.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from codex_server_cli.core.turn import Marker
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import encode_json, write_all
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


def create(turns_path: Path, turn_id: str, prompt: str, meta: dict[str, Any]) -> tuple[TurnDir, int]:
    """Make a turn directory, complete and locked, and publish it.

    Args:
        turns_path: where turns live; made if missing.
        turn_id: the id to take; where a turn has it already, its random end is drawn again.
        prompt: stored exactly as it is.
        meta: the content of `meta.json`, less the turn id.

    Returns:
        The directory, and the descriptor that holds its lock for as long as it is open.

    Raises:
        HomeError: the home cannot be written (read-only, full …); nothing half-made is left.
    """
    prepare_home(turns_path)
    hidden, turn_id = _make_hidden(turns_path, turn_id)
    try:
        lock_fd = lock.create_locked(hidden.lock)
        _fill(hidden, prompt, meta | {"turn_id": turn_id})
        hidden.path.rename(turns_path / turn_id)
    except OSError as error:
        import shutil  # 3 ms that only a failure needs

        shutil.rmtree(hidden.path, ignore_errors=True)
        raise _home_error(turns_path.parent, error) from error
    return TurnDir(turns_path / turn_id), lock_fd


def _make_hidden(turns_path: Path, turn_id: str) -> tuple[TurnDir, str]:
    """A hidden directory of our own, and the id that it will be published under: one that nobody has or is making."""
    while True:
        hidden = TurnDir(turns_path / f"{UNPUBLISHED}{turn_id}")
        try:
            hidden.path.mkdir(mode=0o700)
        except FileExistsError:
            pass
        except OSError as error:
            raise _home_error(turns_path.parent, error) from error
        else:
            if not (turns_path / turn_id).exists():
                return hidden, turn_id
            hidden.path.rmdir()
        turn_id = f"{turn_id[:-4]}{os.urandom(2).hex()}"


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
