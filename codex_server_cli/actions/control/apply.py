"""The `apply` verb: merging the changes of a turn's worktree into the directory where the turn was started.

Owns what is refused, and the messages. Must never print.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import may_ask
from codex_server_cli.core.result.commands import bounded_wait
from codex_server_cli.disk import lock
from codex_server_cli.disk.turn.layout import TurnDir, home_error
from codex_server_cli.errors import BadInputError, BusyError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.git import merge, worktree
from codex_server_cli.worker.git.target import DirtyError

_LOCK_TIMEOUT_S = 10.0
"""For another `apply`, or a reader that removes an unchanged worktree."""
_MOST_NAMED = 10


class Applied(NamedTuple):
    """The result of an `apply`.

    Attributes:
        branch: of the worktree.
        changes: path and kind of each file that was written.
        conflicts: the files with conflict markers in them, or with two sides that cannot be merged.
        left: the turn's files that remain only in its worktree (`merge.Brought`).
        message: the result as text, for people.
        next: the command that shows what was written; empty where nothing was written.
    """

    turn_id: str
    branch: str
    changes: tuple[tuple[str, str], ...]
    conflicts: tuple[str, ...]
    left: tuple[str, ...]
    message: str
    next: str


def apply(settings: Settings, directory: TurnDir) -> Applied:
    """Merge what a turn changed in its worktree into the files of the user's directory, uncommitted.

    Raises:
        BusyError: the turn still runs, or another turn works in the same worktree.
        BadInputError: it has no worktree, or the repository cannot take the changes; nothing was touched, unless the
            message says so.
        HomeError: we may not read it, or cannot write the home.
    """
    view = read.readable(directory)
    if view.state is State.RUNNING:
        hint = f"First: `{bounded_wait(view.turn_id, may_ask=may_ask(view.meta))}`"
        raise BusyError(f"turn {view.turn_id} is still running", hint=hint)
    record = view.meta.get("worktree") or {}
    if record.get("path") is None:
        where = f": it worked in {view.meta['cwd']} itself" if view.meta.get("cwd") else ""
        hint = "Only a turn that was started with --worktree has something to apply."
        raise BadInputError(f"turn {view.turn_id} has no worktree{where}", hint=hint)
    path, repository = Path(record["path"]), Path(record["repository"])
    if not os.path.lexists(path):
        if record.get("is_removed"):
            has_begun = view.meta.get("codex_turn_id") is not None
            message = "The turn changed nothing." if has_begun else "The turn changed nothing: it never began."
            return Applied(view.turn_id, record["branch"], (), (), (), message, "")
        raise BadInputError(f"the worktree of turn {view.turn_id} is gone: {path}", hint=_branch_hint(record))
    if not repository.is_dir():
        hint = f"What it wrote is in {path}."
        raise BadInputError(f"the repository of turn {view.turn_id} is gone: {repository}", hint=hint)
    with _alone(settings, path, view.turn_id):
        brought = _bring_back(path, repository)
    return _told(view.turn_id, record, brought)


def _branch_hint(record: dict[str, Any]) -> str:
    return (
        f"What was committed there may be on its branch: `git -C {quote(record['repository'])} log {record['branch']}`"
    )


@contextmanager
def _alone(settings: Settings, path: Path, turn_id: str) -> Iterator[None]:
    """Keep out every other `apply` of this home, and every turn that works in the worktree.

    Raises:
        BusyError: one of them holds the worktree.
        HomeError: the home cannot be written.
    """
    lock_fds: list[int] = []
    try:
        for file in (path.with_name(".apply"), worktree.lock_of(path)):
            try:
                fd = lock.acquire(file, _LOCK_TIMEOUT_S)
            except OSError as error:
                raise home_error(settings.home, error) from error
            if fd is None:
                what = f"another turn works in the worktree of turn {turn_id}, or it is being applied"
                raise BusyError(what, hint="`codex-server status` tells what runs.")
            lock_fds.append(fd)
        yield
    finally:
        for fd in lock_fds:
            os.close(fd)


def _bring_back(path: Path, repository: Path) -> merge.Brought:
    try:
        return merge.bring_back(path, repository)
    except DirtyError as error:
        hint = f"Commit, stash or move them, then the same command again: `git -C {quote(str(repository))} status`"
        message = f"nothing was applied: it would write over uncommitted work in {repository}: {_listed(error.paths)}"
        raise BadInputError(message, hint=hint) from error
    except OSError as error:
        raise BadInputError(f"nothing was applied: {error.strerror}", hint="Free some space.") from error


def _told(turn_id: str, record: dict[str, Any], brought: merge.Brought) -> Applied:
    repository, path = record["repository"], record["path"]
    kept = [name for name in brought.left if name in brought.conflicts]
    left_out = [name for name in brought.left if name not in brought.conflicts]
    if not brought.is_new:
        message = "Nothing new to apply." if left_out else "Already applied: the worktree holds nothing new."
    elif brought.conflicts:
        how = "Applied to" if brought.changes else "Not applied to"
        message = f"{how} {repository}, with conflicts to resolve: {_listed(brought.conflicts)}."
    elif brought.changes:
        message = f"Applied to {repository}, uncommitted."
    else:
        message = f"{repository} has all of it already."
    if kept:
        how = f"the turn's is in {path}: make both the same, commit, and apply again"
        message += f" Yours was kept of {_listed(kept)}; {how}."
    if left_out:
        message += f" What git ignores, and repositories within, stay in {path}: {_listed(left_out)}."
    command = f"git -C {quote(repository)} status --short" if brought.changes else ""
    return Applied(turn_id, record["branch"], brought.changes, brought.conflicts, brought.left, message, command)


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(paths[:_MOST_NAMED]) + more
