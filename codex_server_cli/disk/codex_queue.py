"""What is queued in a Codex thread, from Codex's own databases. Owns reading them; must never write there.

An early check before anything is created: an app-server's `thread/queue/list` and `thread/goal/get` decide later, also
where the databases cannot be read. `queue_1.sqlite` and `goals_1.sqlite` are the same in 0.163.0 and 0.171.0.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_QUEUE = "SELECT payload_json FROM queued_items WHERE thread_id = ? ORDER BY queue_order"
_GOAL = "SELECT objective, status FROM thread_goals WHERE thread_id = ?"


def read_queue(codex_home: Path, thread_id: str) -> dict[str, Any]:
    """The expected response of `thread/queue/list`; empty where unreadable."""
    rows = _rows(codex_home / "queue_1.sqlite", _QUEUE, thread_id)
    return {"data": [{"input": _content_of(payload)} for payload, *_ in rows]}


def read_goal(codex_home: Path, thread_id: str) -> dict[str, Any]:
    """The expected response of `thread/goal/get`; empty where unreadable."""
    for objective, status in _rows(codex_home / "goals_1.sqlite", _GOAL, thread_id):
        return {"goal": {"objective": objective, "status": status}}
    return {}


def _content_of(payload: object) -> object:
    with contextlib.suppress(TypeError, KeyError, ValueError):  # of another Codex version: the entry still counts
        return json.loads(payload)["UserInput"]["content"]  # type: ignore[arg-type]
    return []


def _rows(database: Path, query: str, thread_id: str) -> list[tuple[Any, ...]]:
    """The rows; empty where the database is missing or unreadable."""
    if not _is_mentioned(database, thread_id):
        return []
    import sqlite3  # 5 ms, only for a thread that ever had a queue entry

    try:
        with contextlib.closing(sqlite3.connect(_uri(database), uri=True, timeout=0.5)) as connection:
            return connection.execute(query, (thread_id,)).fetchall()
    except sqlite3.Error:  # damaged, locked, or of another Codex version
        return []


def _is_mentioned(database: Path, thread_id: str) -> bool:
    """Whether the id occurs anywhere in the files: most threads never had an entry, and need no SQLite."""
    return any(thread_id.encode() in data for data in _contents(database))


def _contents(database: Path) -> Iterator[bytes]:
    for path in (database, _log_of(database)):
        with contextlib.suppress(OSError):  # missing, or not readable
            yield path.read_bytes()


def _uri(database: Path) -> str:
    """The URI that opens it without creating files: a database with an empty WAL needs no shared-memory file."""
    try:
        is_logged = _log_of(database).stat().st_size > 0
    except OSError:  # no WAL while no codex has it open
        is_logged = False
    return f"{database.absolute().as_uri()}?{'mode=ro' if is_logged else 'immutable=1'}"


def _log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")
