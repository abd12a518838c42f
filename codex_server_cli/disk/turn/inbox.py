"""How other shells reach a worker: request files in `inbox/`, and a FIFO whose byte wakes it.

Owns the format of requests and replies. A request is `<ms>-<rand>.json` `{"version":1,"op","args","from_pid"}`,
renamed into place; the worker handles them in name order and renames `<same>.reply` `{"ok","error","result"}` into
place. Must never decide what an operation does.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.safe_open import open_fifo, send_byte
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import CodexServerError


class InboxRequest(NamedTuple):
    """One request as the worker reads it; `path` is its file."""

    path: Path
    op: str
    args: dict[str, Any]


def post(turn: TurnDir, op: str, args: dict[str, Any] | None = None) -> Path:
    """Write a request and wake the worker.

    Returns:
        The path at which its reply will appear.

    Raises:
        OSError: the inbox cannot be written, or is a symlink to another directory.
    """
    if turn.inbox.is_symlink():
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(turn.inbox))
    name = f"{time.time_ns() // 1_000_000}-{os.urandom(2).hex()}.json"
    path = turn.inbox / name
    write_json(path, {"version": 1, "op": op, "args": args or {}, "from_pid": os.getpid()})
    wake(turn)
    return path.with_suffix(".reply")


def wake(turn: TurnDir) -> bool:
    """Send the worker a byte; False where there is no reader (ENXIO)."""
    return send_byte(turn.wake)


def open_wake(turn: TurnDir) -> int:
    """Open the FIFO for the worker: read-write, so that it never reports EOF."""
    return open_fifo(turn.wake, os.O_RDWR)


def unanswered(turn: TurnDir) -> list[InboxRequest]:
    """The requests without a reply, in name order; other files are skipped."""
    return [request for request in _requests(turn) if not request.path.with_suffix(".reply").exists()]


def was_accepted(turn: TurnDir, op: str) -> bool:
    """Whether there is a request for this that was not refused: a worker may die between reply and operation."""
    requests = (request for request in _requests(turn) if request.op == op)
    replies = (read_json(request.path.with_suffix(".reply")) or {} for request in requests)
    return any(reply.get("ok") is not False for reply in replies)


def _requests(turn: TurnDir) -> list[InboxRequest]:
    try:
        inbox = () if turn.inbox.is_symlink() else turn.inbox.iterdir()
        paths = sorted(path for path in inbox if path.suffix == ".json" and path.name[0] != ".")
    except OSError:  # deleted with its turn, or another user's
        return []
    found = []
    for path in paths:
        value = read_json(path)
        if value is not None:
            args = value.get("args")
            found.append(InboxRequest(path, str(value.get("op")), args if isinstance(args, dict) else {}))
    return found


def reply(path: Path, error: CodexServerError | None = None, result: dict[str, Any] | None = None) -> None:
    """Answer a request.

    Args:
        path: the request's file.
        error: why it failed; None on success.
        result: further data of the reply; JSON.

    Raises:
        OSError: the inbox cannot be written.
    """
    error_json = error.to_json()["error"] if error is not None else None
    write_json(path.with_suffix(".reply"), {"version": 1, "ok": error is None, "error": error_json, "result": result})
