"""Choosing and checking the worktree of a turn, before the turn exists. Owns these messages; must create nothing.

The worker makes it (`worker.git.turn_worktree`, which describes the record).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.actions.start.options import StartOptions, ThreadChoice
from codex_server_cli.core.model.turn import is_turn_name
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import meta_of
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.git import ask_git, outside_of_work_tree, run_git
from codex_server_cli.worker.git.turn_worktree import cwd_in

_STATUS_TIMEOUT_S = 1.0
"""For the warning about uncommitted changes, which is not worth more."""


class Chosen(NamedTuple):
    """The `worktree` of `meta.json`, None for a turn without one; `warnings` are for people."""

    record: dict[str, Any] | None
    warnings: tuple[str, ...] = ()


def choose(settings: Settings, options: StartOptions, choice: ThreadChoice | None, cwd: str) -> Chosen:
    """The worktree of a turn: a new one, or that of the thread that it continues.

    Args:
        choice: the thread that it continues, if any.
        cwd: the turn's directory as the user sees it.

    Raises:
        BadInputError: none can be made.
    """
    if options.has_worktree:
        record = _look(cwd) | {"name": options.worktree_name, "path": None, "branch": None, "is_removed": False}
        _check_name(settings, record, options.worktree_name)
        return Chosen(record, _warn_of_uncommitted(record["repository"]))
    earlier = choice.worktree if choice is not None else None
    if earlier is None or not _is_of(earlier, cwd):
        return Chosen(None)
    record = dict(earlier)
    if os.path.isdir(record["path"]):  # noqa: PTH112 — as recorded
        return Chosen(record)
    found = _look(record["started_in"])
    if worktree.is_branch(Path(found["repository"]), record["branch"]):
        found["base"] = record["base"]  # its folder was deleted, its branch was not
    return Chosen(record | found | {"is_removed": True})


def _is_of(record: dict[str, Any], cwd: str) -> bool:
    """Whether a directory is the one that a worktree's turn was started in, or the one in the worktree."""
    real = os.path.realpath(cwd)
    return lookup.is_place(record["started_in"], real) or lookup.is_place(cwd_in(record), real)


def _look(cwd: str) -> dict[str, Any]:
    """The repository of a directory, and its last commit."""
    place = Path(cwd)
    told = ask_git(place, "rev-parse", "--is-inside-work-tree", "--show-toplevel", "--show-prefix", "HEAD^{commit}")
    lines = told.text.split("\n")
    if told.complaint is not None or lines[0] != "true":
        reason = outside_of_work_tree(place)
        if reason is not None:
            hint = "Run it in a git work tree, or without --worktree."
            raise BadInputError(f"there can be no worktree of {cwd}, which is in none itself: {reason}", hint=hint)
        hint = "Commit what the turn is to begin with, or leave out --worktree."
        raise BadInputError(f"there can be no worktree of {cwd}: its repository has no commit yet", hint=hint)
    if len(lines) != 4:
        raise BadInputError(f"there can be no worktree of {cwd}: its path has a line break", hint="Use another.")
    return {"repository": lines[1], "prefix": lines[2], "base": lines[3], "started_in": cwd}


def _check_name(settings: Settings, record: dict[str, Any], name: str | None) -> None:
    """Check that worktree and branch of this name can be made; None means the turn's id, which is unused."""
    if name is not None:
        if not is_turn_name(name) or ".." in name or name.endswith((".", ".lock")):
            hint = "A name begins with a letter; then letters, digits, '_', '.', '-'; 64 at most; not 'last'."
            raise BadInputError(f"not a name of a worktree: {name!r}", hint=hint)
        path = worktree.folder_of(settings.home) / name
        if os.path.lexists(path) or worktree.lock_of(path).exists():
            raise BadInputError(f"there is already a worktree {name}: {path}", hint="Give another --worktree-name.")
    place = Path(record["repository"])
    branches = ask_git(place, "for-each-ref", "--format=%(refname)", "refs/heads/codex").text.split("\n")
    if "refs/heads/codex" in branches:
        hint = "Rename it: git then has room for branches named codex/…"
        raise BadInputError(f"a branch named codex in {place} is in the way of codex/{name or 'ID'}", hint=hint)
    if f"refs/heads/{worktree.BRANCHES}{name}" in branches:
        raise BadInputError(f"there is already a branch codex/{name} in {place}", hint="Give another --worktree-name.")


def _warn_of_uncommitted(repository: str) -> tuple[str, ...]:
    status = ("--no-optional-locks", "status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=all")
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if run_git(Path(repository), *status, timeout_s=_STATUS_TIMEOUT_S).stdout:
            return (f"what is uncommitted in {repository} is not in the worktree: it begins with the last commit",)
    return ()


def placed(settings: Settings, choice: ThreadChoice) -> ThreadChoice:
    """The same thread with its worktree, if its directory is in one: from the selecting turn, else the newest one."""
    folder = str(worktree.folder_of(settings.home))
    if choice.cwd is None or not os.path.realpath(choice.cwd).startswith(f"{folder}/"):
        return choice
    if choice.resumed_from is not None:
        metas = iter([meta_of(TurnDir(settings.turns_path / choice.resumed_from))])
    else:
        metas = (meta for _, meta in lookup.iter_meta(settings.turns_path) if meta.get("thread_id") == choice.thread_id)
    records = (meta.get("worktree") or {} for meta in metas)  # one that was never made has no path
    return choice._replace(worktree=next((record for record in records if record.get("path")), None))
