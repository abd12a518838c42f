"""What waits in one of Codex's threads, as its own databases tell it. Owns reading them; must never write there.

A look before anything is made: `thread/queue/list` and `thread/goal/get` of an app-server decide later, and also where
nothing can be told here. `queue_1.sqlite` and `goals_1.sqlite` of 0.163.0 and 0.171.0 are the same.
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
    """What `thread/queue/list` would answer, as far as it can be told; empty where it cannot."""
    rows = _rows(codex_home / "queue_1.sqlite", _QUEUE, thread_id)
    return {"data": [{"input": _content_of(payload)} for payload, *_ in rows]}


def read_goal(codex_home: Path, thread_id: str) -> dict[str, Any]:
    """What `thread/goal/get` would answer, likewise."""
    for objective, status in _rows(codex_home / "goals_1.sqlite", _GOAL, thread_id):
        return {"goal": {"objective": objective, "status": status}}
    return {}


def _content_of(payload: object) -> object:
    with contextlib.suppress(TypeError, KeyError, ValueError):  # of another Codex: that something waits is known
        return json.loads(payload)["UserInput"]["content"]  # type: ignore[arg-type]
    return []


def _rows(database: Path, query: str, thread_id: str) -> list[tuple[Any, ...]]:
    """The rows; none where there is no such database, or one that this cannot read."""
    if not _is_mentioned(database, thread_id):
        return []
    import sqlite3  # 5 ms, for a thread that had something in its queue once

    try:
        with contextlib.closing(sqlite3.connect(_uri(database), uri=True, timeout=0.5)) as connection:
            return connection.execute(query, (thread_id,)).fetchall()
    except sqlite3.Error:  # damaged, locked, or of another Codex
        return []


def _is_mentioned(database: Path, thread_id: str) -> bool:
    """Whether the id stands anywhere in the files: what is asked for of most threads never was in one."""
    return any(thread_id.encode() in data for data in _contents(database))


def _contents(database: Path) -> Iterator[bytes]:
    for path in (database, _log_of(database)):
        with contextlib.suppress(OSError):  # there is none, or it is not ours to read
            yield path.read_bytes()


def _uri(database: Path) -> str:
    """How to open it without leaving a trace: a database with an empty log needs no shared memory beside it."""
    try:
        is_logged = _log_of(database).stat().st_size > 0
    except OSError:  # there is no log while no codex has it open
        is_logged = False
    return f"{database.absolute().as_uri()}?{'mode=ro' if is_logged else 'immutable=1'}"


def _log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")
