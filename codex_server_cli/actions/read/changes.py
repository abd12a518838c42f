"""What a turn changed, now or at its end, for the `diff` verb. Must never write a turn directory, or print."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.record.changes import Changes, ChangeSet, ChangesOf
from codex_server_cli.disk.files import read_bytes
from codex_server_cli.disk.turn.contents import told_request
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.patches import read_patches
from codex_server_cli.errors import NotFoundError


class Changed(NamedTuple):
    """What a turn changed.

    Attributes:
        entries: as in `changes` of its status.
        changes_of: the source of the entries; None where no command of the turn can write.
        diff: the same as text that `git apply` accepts, in the work tree or else in the turn's directory.
        diff_path: the file that holds the diff; None where there is none.
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
        hint = "codex-server list-turns shows the turns there are."
        raise NotFoundError(f"turn {view.turn_id} was deleted", hint=hint)
    is_running = view.state is State.RUNNING
    diff = "" if is_running else _stored(directory)
    if diff or (view.changes_of == ChangesOf.WORK_TREE and not view.changes):
        return Changed(view, view.changes, _changes_of(directory, view), diff, str(directory.diff) if diff else None)
    read.refuse_unless_readable(directory, directory.events)
    cwd = str(view.meta.get("cwd") or "/")
    patches = read_patches(directory, view.thread_id, view.meta.get("codex_turn_id"))
    if is_running and directory.snapshot.is_dir():
        compared = _compared(directory, patches, cwd)
        if compared is not None:
            return Changed(view, compared.to_json(os.path.realpath(cwd)), ChangesOf.WORK_TREE, compared.diff(), None)
        if read.status(directory).state is not State.RUNNING:  # it has just ended
            return changes(directory)
    found = patches.found(cwd)
    entries = found.to_json(cwd) if is_running or not view.changes else view.changes
    changes_of = _changes_of(directory, view) and ChangesOf.PATCHES  # the diff below has only these
    return Changed(view, entries, changes_of, found.diff(), None)


def _compared(directory: TurnDir, patches: Changes, cwd: str) -> ChangeSet | None:
    """The changes in a running turn's work tree; None where they cannot be read, or the turn has just ended."""
    from tempfile import TemporaryDirectory  # 3 ms, and git: only for a running turn

    from codex_server_cli.worker.git.snapshot import live_changes

    try:
        with TemporaryDirectory(prefix="codex-server-diff-") as scratch:
            return live_changes(directory, patches, cwd, Path(scratch))
    except OSError:  # nowhere to write
        return None


def _stored(directory: TurnDir) -> str:
    """The diff that the worker stored at the end; empty where it could not, or a power failure lost it."""
    try:
        return read_bytes(directory.diff).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _changes_of(directory: TurnDir, view: TurnView) -> str | None:
    """The source of a turn's changes; derived from its request where it is not recorded, as while it runs."""
    if view.changes_of is not None:
        return view.changes_of
    request = told_request(directory, dict(view.meta))
    return ChangesOf.PATCHES if request is None or request.may_write else None
