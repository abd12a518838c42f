"""A thread's queue, read from Codex's own databases, which are left unchanged."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.disk.codex_queue import read_goal, read_queue

THREAD = "01a2265d-df80-7501-be35-02ca3d6f55bf"
ITEMS = "CREATE TABLE queued_items (id TEXT, thread_id TEXT, payload_json TEXT, queue_order INTEGER)"
GOALS = "CREATE TABLE thread_goals (thread_id TEXT, objective TEXT, status TEXT)"


def payload(text: str) -> str:
    """What Codex 0.163.0 and 0.171.0 store of a message."""
    return json.dumps({"UserInput": {"content": [{"type": "text", "text": text}], "client_id": "c"}})


def make(path: Path, table: str, *rows: tuple[Any, ...], is_logged: bool = False) -> sqlite3.Connection:
    """A database; one whose log is not yet part of it, where that is wanted, stays open."""
    connection = sqlite3.connect(path)
    if is_logged:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(table)
    for row in rows:
        connection.execute(f"INSERT INTO {table.split()[2]} VALUES ({','.join('?' * len(row))})", row)
    connection.commit()
    if not is_logged:
        connection.close()
    return connection


@pytest.mark.parametrize("is_logged", [False, True])
def test_what_waits_is_told_in_its_order(tmp_path: Path, is_logged: bool) -> None:
    rows = [("2", THREAD, payload("second"), 1), ("1", THREAD, payload("first"), 0), ("3", "other", payload("x"), 0)]
    connection = make(tmp_path / "queue_1.sqlite", ITEMS, *rows, is_logged=is_logged)
    texts = [entry["input"][0]["text"] for entry in read_queue(tmp_path, THREAD)["data"]]
    assert texts == ["first", "second"]
    connection.close()


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    make(tmp_path / "queue_1.sqlite", ITEMS, ("1", THREAD, payload("first"), 0), is_logged=True).close()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert len(read_queue(tmp_path, THREAD)["data"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_goal_is_told_with_its_state(tmp_path: Path) -> None:
    make(tmp_path / "goals_1.sqlite", GOALS, (THREAD, "count", "paused"))
    assert read_goal(tmp_path, THREAD) == {"goal": {"objective": "count", "status": "paused"}}
    assert read_goal(tmp_path, "another") == {}


@pytest.mark.parametrize("stored", ["torn {", "[]", '{"UserInput": 1}', '{"Other": {}}', None])
def test_that_something_waits_is_known_where_what_it_is_cannot_be_read(tmp_path: Path, stored: str | None) -> None:
    make(tmp_path / "queue_1.sqlite", ITEMS, ("1", THREAD, stored, 0))
    assert read_queue(tmp_path, THREAD) == {"data": [{"input": []}]}


def test_where_nothing_can_be_told_nothing_is_said_to_wait(tmp_path: Path) -> None:
    assert (read_queue(tmp_path, THREAD), read_goal(tmp_path, THREAD)) == ({"data": []}, {})
    (tmp_path / "queue_1.sqlite").write_text(f"no database, but {THREAD}")
    make(tmp_path / "goals_1.sqlite", ITEMS, ("1", THREAD, "of another Codex", 0))
    assert (read_queue(tmp_path, THREAD), read_goal(tmp_path, THREAD)) == ({"data": []}, {})
