"""The note of what was taken out of a thread's queue, in the turn's directory, until it is back there (`queued.json`).

It is written, durably, before anything is taken; whoever finds it beside an ended turn may settle it. Writing it is the
lock holder's, as all of the directory is (law 1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.queue_inquiry import Debt
from codex_server_cli.core.rpc import objects_in
from codex_server_cli.disk.files import fsync_directory, read_json, write_json
from codex_server_cli.disk.turn_dir import TurnDir


class Noted(NamedTuple):
    """A debt, and whose: the codex binary, and where that keeps its things (None for its default)."""

    debt: Debt
    codex: str
    codex_home: str | None = None


def write_debt(turn: TurnDir, noted: Noted) -> None:
    """Note it.

    Raises:
        OSError: the directory cannot be written.
    """
    content: dict[str, Any] = {"version": 1, **noted.debt._asdict(), "codex": noted.codex}
    write_json(turn.queued, content | {"codex_home": noted.codex_home}, is_durable=True)
    fsync_directory(turn.path)


def read_debt(turn: TurnDir) -> Noted | None:
    """What is noted; None where nothing is, or what somebody has edited beyond reading."""
    content = read_json(turn.queued) or {}
    thread_id, codex = content.get("thread_id"), content.get("codex")
    if not isinstance(thread_id, str) or not isinstance(codex, str):
        return None
    ids = (content.get(name) for name in ("turn_id", "begun_turn_id"))
    own, begun = (each if isinstance(each, str) else None for each in ids)
    home = content.get("codex_home")
    older = content.get("older_count")
    older_count = older if isinstance(older, int) and older >= 0 else 0
    debt = Debt(thread_id, own, begun, tuple(objects_in(content.get("entries"))), older_count)
    return Noted(debt, codex, home if isinstance(home, str) else None)


def forget_debt(turn: TurnDir) -> None:
    """All of it is back.

    Raises:
        OSError: the directory cannot be written.
    """
    turn.queued.unlink(missing_ok=True)
