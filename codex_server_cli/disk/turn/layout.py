"""The turn directory. Owns the names of its files, and its creation.

It is created under a hidden name with its lock held, and published by a rename: a reader must never see a partial or
unlocked new one. Later writes are `writer`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codex_server_cli.core.model.turn import Marker
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import DISK_ERRORS, create_file, encode_json
from codex_server_cli.disk.safe_open import (
    ensure_directory,
    is_directory,
    is_regular,
    make_directory,
    make_fifo,
    tighten_directory,
)
from codex_server_cli.errors import HomeError

UNPUBLISHED = ".new-"
"""Prefix of a directory that is being filled; readers ignore names that start with a dot."""


SNAPSHOT = ".snapshot"
"""The folder with the state of the work tree before the turn, while it runs."""

META_NAME = "meta.json"


class TurnDir:
    """The paths of one turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turn_id = path.name
        self.prompt = path / "prompt.txt"
        self.meta = path / META_NAME
        self.schema = path / "schema.json"
        self.events = path / "events.jsonl"
        self.out = path / "out.txt"
        self.live = path / "live.json"
        self.pending = path / "pending.json"
        self.queued = path / "queued.json"
        self.result = path / "result.json"
        self.answer = path / "answer.txt"
        self.diff = path / "changes.diff"
        self.snapshot = path / SNAPSHOT
        self.done = path / "done"
        self.error = path / "error"
        self.inbox = path / "inbox"
        self.wake = path / "wake"
        self.log = path / "worker.log"
        self.notify = path / "notify.json"
        self.lock = path / "lock"

    @property
    def exists(self) -> bool:
        """Whether the turn exists; a symlink to another directory does not count."""
        return is_directory(self.path)

    @property
    def marker(self) -> Marker | None:
        """The end marker, if any."""
        if is_regular(self.done):
            return Marker.DONE
        return Marker.ERROR if is_regular(self.error) else None


def prepare_home(turns_path: Path) -> None:
    """Create the home and its `turns` directory, mode 0700. An existing home stays as it is: it may be the user's.

    Raises:
        HomeError: it cannot be created.
    """
    try:
        for path in (turns_path.parent, turns_path):
            ensure_directory(path)
    except OSError as error:
        raise home_error(turns_path.parent, error) from error
    tighten_directory(turns_path)


def create(
    turns_path: Path,
    turn_id: str,
    prompt: str,
    meta: dict[str, Any],
    pictures: dict[str, bytes] | None = None,
    announce: Callable[[str], None] = lambda turn_id: None,
) -> tuple[TurnDir, int]:
    """Create a turn directory, complete and locked, and publish it.

    Args:
        turns_path: the turns folder; created if missing.
        turn_id: the id to use; where it is taken, its random suffix is drawn again.
        prompt: stored verbatim.
        meta: the content of `meta.json`, without the turn id.
        pictures: those of the prompt, by their path within the directory.
        announce: called with the id just before the directory is published.

    Returns:
        The directory, and the descriptor that holds its lock for as long as it is open.

    Raises:
        HomeError: the home cannot be written (read-only, full …); nothing partial is left.
    """
    prepare_home(turns_path)
    hidden, turn_id = _make_hidden(turns_path, turn_id)
    try:
        lock_fd = lock.create_locked(hidden.lock)
        _fill(hidden, prompt, meta | {"turn_id": turn_id}, pictures or {})
        announce(turn_id)
        hidden.path.rename(turns_path / turn_id)
    except OSError as error:
        import shutil  # 3 ms, needed only on failure

        shutil.rmtree(hidden.path, ignore_errors=True)
        raise home_error(turns_path.parent, error) from error
    return TurnDir(turns_path / turn_id), lock_fd


def _make_hidden(turns_path: Path, turn_id: str) -> tuple[TurnDir, str]:
    """A new hidden directory, and the unique id under which it will be published."""
    while True:
        hidden = TurnDir(turns_path / f"{UNPUBLISHED}{turn_id}")
        try:
            make_directory(hidden.path)
        except FileExistsError:
            pass
        except OSError as error:
            raise home_error(turns_path.parent, error) from error
        else:
            if not (turns_path / turn_id).exists():
                return hidden, turn_id
            hidden.path.rmdir()
        turn_id = f"{turn_id[:-4]}{os.urandom(2).hex()}"


def _fill(turn: TurnDir, prompt: str, meta: dict[str, Any], pictures: dict[str, bytes]) -> None:
    create_file(turn.prompt, prompt.encode())
    create_file(turn.meta, encode_json(meta))
    schema = (meta.get("request") or {}).get("schema")
    if schema is not None:
        create_file(turn.schema, encode_json(schema))  # for a later retry: the user's own file may be gone
    for path in (turn.events, turn.out, turn.log):
        create_file(path, b"")
    for name, data in pictures.items():
        picture = turn.path / name
        ensure_directory(picture.parent, may_be_link=False)
        create_file(picture, data)
    make_directory(turn.inbox)
    make_fifo(turn.wake)


def home_error(home: Path, error: OSError) -> HomeError:
    """The error for a home that cannot be written: all of it, or the one path that the OSError names."""
    reason = error.strerror or error
    if error.errno in DISK_ERRORS or error.filename is None:
        hint = "Free some space, or set CODEX_SERVER_HOME to a directory that you can write."
        return HomeError(f"cannot write {home}: {reason}", hint=hint)
    hint = "Check what is there and who owns it, or set CODEX_SERVER_HOME to a directory of your own."
    return HomeError(f"cannot write {error.filename}: {reason}", hint=hint)
