"""The turn that was started under a key of `--once`. Owns the lock that makes two concurrent starts give one turn.

There is no index (law 3): the key is in `meta.json`, and a look-up scans the turns of a period. So a key is free again
as soon as its turn is deleted. One lock serves all keys: it is held for the scan and the creation of a turn.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from codex_server_cli.core.model.turn_id import make_turn_id
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.safe_open import opened_regular
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.lookup import turn_ids

_TIMEOUT_S = 20.0
"""How long a start waits for others: they take milliseconds each, and the launcher waits for 30 s."""


def hold(turns_path: Path) -> int:
    """Exclude other starts with a key. Main thread only, or it polls.

    Returns:
        The descriptor that holds the lock; a death releases it.

    Raises:
        OSError: it cannot be created, or a process was suspended while it held it.
    """
    path = turns_path.parent / "once.lock"
    fd = lock.acquire(path, _TIMEOUT_S)
    if fd is None:
        raise TimeoutError(errno.ETIMEDOUT, "another process keeps it locked", str(path))
    return fd


@contextlib.contextmanager
def locked(turns_path: Path) -> Iterator[None]:
    """As `hold`, for a block: no other start with a key is in progress within it."""
    fd = hold(turns_path)
    try:
        yield
    finally:
        os.close(fd)


def turn_of_key(turns_path: Path, key: str, within_s: float) -> str | None:
    """The newest turn that was started with a key at most `within_s` ago; None where there is none.

    An unreadable turn does not count: it is another user's, and keys are per user.

    Raises:
        HomeError: the folder is there and cannot be read.
    """
    oldest = make_turn_id(max(0, time.time_ns() // 1_000_000 - int(within_s * 1000)), 0)
    forms = {json.dumps(key, ensure_ascii=is_ascii).encode() for is_ascii in (True, False)}
    for turn_id in turn_ids(turns_path):
        if turn_id < oldest:
            break
        # No `TurnDir`, whose paths cost more than the read; and only a file that contains the key is parsed.
        if _may_hold(f"{turns_path}/{turn_id}/meta.json", forms) and _key_of(TurnDir(turns_path / turn_id)) == key:
            return turn_id
    return None


def _may_hold(path: str, forms: set[bytes]) -> bool:
    """Whether a file holds one of these."""
    try:
        with opened_regular(path) as fd:
            data = os.read(fd, os.fstat(fd).st_size)
    except OSError:  # deleted meanwhile, or another user's
        return False
    return any(form in data for form in forms)


def _key_of(turn: TurnDir) -> str | None:
    once = (read_json(turn.meta) or {}).get("once")
    return once.get("key") if isinstance(once, dict) else None
