"""What a turn changed, now or at its end, for the `diff` verb. Must never write a turn directory, or print."""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.record.changes import ChangesOf
from codex_server_cli.disk.files import read_bytes
from codex_server_cli.disk.turn.contents import told_request
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.patches import read_patches
from codex_server_cli.errors import NotFoundError


class Changed(NamedTuple):
    """What a turn changed.

    Attributes:
        entries: as in `changes` of its status.
        changes_of: what they are known from; None where no command of it can write.
        diff: the same as text, that `git apply` accepts in the work tree, or else in the turn's directory.
        diff_path: the file that holds it; None where there is none.
    """

    view: TurnView
    entries: list[dict[str, Any]]
    changes_of: str | None
    diff: str
    diff_path: str | None


def changes(directory: TurnDir) -> Changed:
    """What a turn changed: at its end, or so far.

    Raises:
        NotFoundError: it was deleted meanwhile.
        HomeError: it is another user's.
    """
    read.status_after_repair(directory)
    view = read.readable(directory)
    if view.state is State.MISSING:
        raise NotFoundError(
            f"turn {view.turn_id} was deleted", hint="codex-server list-turns shows the turns there are."
        )
    text = b"" if view.state is State.RUNNING else _stored(directory)
    if text:
        diff = text.decode("utf-8", "surrogateescape")
        return Changed(view, view.changes, _changes_of(directory, view), diff, str(directory.diff))
    read.refuse_unless_readable(directory, directory.events)
    cwd = str(view.meta.get("cwd") or "/")
    found = read_patches(directory, view.thread_id, view.meta.get("codex_turn_id")).found(cwd)
    return Changed(view, found.to_json(cwd), _changes_of(directory, view), found.diff(), None)


def _stored(directory: TurnDir) -> bytes:
    """What the worker has stored at the end; empty where it could not, or a power failure took it."""
    try:
        return read_bytes(directory.diff)
    except OSError:
        return b""


def _changes_of(directory: TurnDir, view: TurnView) -> str | None:
    """Of a running turn, and one of a version that did not record it, what its own terms tell."""
    if view.changes_of is not None:
        return view.changes_of
    request = told_request(directory, dict(view.meta))
    return ChangesOf.PATCHES if request is None or request.may_write else None
