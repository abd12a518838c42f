"""The note of what was taken out of a thread's queue, in the turn's directory, until it is back there (`queued.json`).

It is written, durably, before anything is taken; whoever finds it beside an ended turn may settle it. Writing it is the
lock holder's, as all of the directory is (law 1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.session.queue_restore import Debt
from codex_server_cli.disk.files import fsync_directory, read_json, write_json
from codex_server_cli.disk.turn.layout import TurnDir


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
    """What is noted; None where nothing is."""
    content = read_json(turn.queued)
    if content is None:
        return None
    noted = {name: content[name] for name in Debt._fields}
    return Noted(Debt(**noted | {"entries": tuple(content["entries"])}), content["codex"], content["codex_home"])


def forget_debt(turn: TurnDir) -> None:
    """All of it is back.

    Raises:
        OSError: the directory cannot be written.
    """
    turn.queued.unlink(missing_ok=True)
