"""The record of the messages taken out of a thread's queue, in the turn's directory, until restored (`queued.json`).

It is written, durably, before anything is taken; any process that finds it in an ended turn may restore them. Only the
lock holder may write it, as with all of the directory (law 1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.session.queue_restore import Debt
from codex_server_cli.disk.files import fsync_directory, read_json, write_json
from codex_server_cli.disk.turn.layout import TurnDir


class Noted(NamedTuple):
    """A debt, and the codex or server that has its queue.

    Attributes:
        codex, codex_home: the codex binary and the `CODEX_HOME` that it belongs to (None for the default).
        server: in place of both, the foreign app-server: `server` of the turn's `meta.json`.
    """

    debt: Debt
    codex: str
    codex_home: str | None = None
    server: dict[str, Any] | None = None


def write_debt(turn: TurnDir, noted: Noted) -> None:
    """Record a debt.

    Raises:
        OSError: the directory cannot be written.
    """
    content: dict[str, Any] = {"version": 1, **noted.debt._asdict(), "codex": noted.codex}
    write_json(turn.queued, content | {"codex_home": noted.codex_home, "server": noted.server}, is_durable=True)
    fsync_directory(turn.path)


def read_debt(turn: TurnDir) -> Noted | None:
    """The recorded debt, if any."""
    content = read_json(turn.queued)
    if content is None:
        return None
    noted = {name: content[name] for name in Debt._fields}
    debt = Debt(**noted | {"entries": tuple(content["entries"])})
    return Noted(debt, content["codex"], content["codex_home"], content.get("server"))


def forget_debt(turn: TurnDir) -> None:
    """Delete the record, once all of it is restored.

    Raises:
        OSError: the directory cannot be written.
    """
    turn.queued.unlink(missing_ok=True)
