"""Bringing a worktree's changes back into the user's own directory, by git's three-way merge.

The base is what was brought back before, else the commit that the worktree began with (also for files that were brought
back and are no longer in the user's files or last commit); one side is the user's, the other the present worktree. The
merge runs in an empty folder with a separate index, so that its whole result is known before any of the user's files is
touched: git treats a missing file as unchanged. Then git itself writes what differs (`target`). Works with git 2.30;
git detects the renames.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.git import nul_terminated
from codex_server_cli.worker.git.target import DirtyError, Target
from codex_server_cli.worker.git.worktree_content import look

_TIMEOUT_S = 120.0


class Brought(NamedTuple):
    """What was written.

    Attributes:
        changes: path and kind (`add`, `update`, `delete`) of each file.
        conflicts: the paths that git could not merge.
        is_new: whether the worktree had anything that was not brought back before.
        left: what remains only in the worktree: conflicts for which git keeps the user's side, without markers; and
            what is never brought back (`worktree_content`).
    """

    changes: tuple[tuple[str, str], ...] = ()
    conflicts: tuple[str, ...] = ()
    is_new: bool = True
    left: tuple[str, ...] = ()


class _Merged(NamedTuple):
    """The result of a merge; `unwritten` are the conflicts whose worktree side is not in any file."""

    tree: str
    conflicts: tuple[str, ...]
    unwritten: tuple[str, ...]


def tree_of(place: Path) -> str:
    """Write the present files of a worktree, untracked ones included, as a tree of the repository; return its id.

    Repositories within it are left out, and git is never run in them: the turn wrote their configuration.

    Raises:
        BadInputError: git fails.
        OSError: the home cannot be written.
    """
    index = Path(worktree.require_git_in(place, "rev-parse", "--git-path", "index"))
    with worktree.scratch(place) as folder:
        own = Path(folder, "index")
        with contextlib.suppress(FileNotFoundError):  # it has no file
            shutil.copy2(place / index, own)  # with its time: see `target`
        variables = {"GIT_INDEX_FILE": str(own)}

        def ask(*arguments: str, stdin: bytes = b"") -> str:
            return worktree.require_git_in(place, *arguments, variables=variables, stdin=stdin, timeout_s=_TIMEOUT_S)

        changed = ask("diff-files", "-z", "--name-only", "--ignore-submodules=all")
        untracked = ask("ls-files", "-z", "--others", "--exclude-standard")
        names = [name for name in (changed + untracked).split("\0") if name and not name.endswith("/")]
        if names:
            ask("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=nul_terminated(names))
        return ask("write-tree")


def is_applied(path: Path, repository: Path) -> bool:
    """Whether everything in the worktree was brought back, and the user has not discarded it.

    Args:
        path, repository: as `bring_back`.

    Raises:
        BadInputError: git fails.
        OSError: the home cannot be written.
    """
    refs = worktree.refs_of(path)
    if "applied" not in refs or look(path).left or refs["applied"] != tree_of(path):
        return False
    if not worktree.require_git_in(path, "for-each-ref", "--contains", "HEAD", "--count=1"):
        return False  # its commits are on no branch
    with worktree.scratch(path) as folder:
        return not Target(repository, Path(folder, "own"), refs).discarded


def bring_back(path: Path, repository: Path) -> Brought:
    """Merge a worktree's changes into the files of the user's directory. The caller holds its lock exclusively.

    Args:
        path: of the worktree.
        repository: the top level of the user's own work tree.

    Raises:
        DirtyError: files that it would write have uncommitted work; nothing was touched.
        BadInputError: git fails, or the repository is in the middle of a merge or the like; nothing was touched,
            unless the message says so.
        OSError: the home cannot be written.
    """
    _check_repository(path, repository)
    refs = worktree.refs_of(path)
    if "base" not in refs:
        raise BadInputError(f"{path} is no whole worktree", hint="Its turn was killed while it was made.")
    left = look(path).left
    try:
        brought = _bring_back(path, repository, refs, ())
    except DirtyError:  # what the `apply` of another turn wrote is not the user's work, either
        others = _written_by_others(path)
        if not others:
            raise
        brought = _bring_back(path, repository, refs, others)
    return brought._replace(left=(*brought.left, *left))


def _check_repository(path: Path, repository: Path) -> None:
    hint = f"What the turn wrote is in {path}."
    try:
        is_same = worktree.common_directory_of(path) == worktree.common_directory_of(repository)
    except BadInputError as error:
        if "not a git repository" not in error.message:
            raise BadInputError(error.message, hint=hint) from error
        is_same = False
    if not is_same:
        what = f"the repository of the worktree {path} is gone, or is not that of {repository} any more"
        raise BadInputError(what, hint=hint)


def _written_by_others(path: Path) -> tuple[str, ...]:
    """The trees that `apply` has written from other worktrees of the repository."""
    refs = worktree.require_git_in(path, "for-each-ref", "--format=%(objectname) %(refname)", "refs/codex-server/")
    pairs = (line.split(" ", 1) for line in refs.splitlines())
    own = worktree.ref_of(path, "written")
    return tuple({object_id for object_id, name in pairs if name.endswith("/written") and name != own})


def _bring_back(path: Path, repository: Path, refs: Mapping[str, str], others: tuple[str, ...]) -> Brought:
    with worktree.scratch(path) as folder:
        target = Target(repository, Path(folder, "own"), refs, others)
        theirs = tree_of(path)
        made = target.ask("rev-parse", f"{refs['base']}^{{tree}}")
        base = target.mixed(refs.get("applied", made), made, target.discarded)
        if theirs == base:
            target.ask("update-ref", worktree.ref_of(path, "applied"), theirs)
            return Brought(is_new=False)
        merged = _merge(target, Path(folder), (base, target.tree, theirs), worktree.branch_of(path))
        changes = target.write(merged.tree, worktree.ref_of(path, "writing"))
        done = {
            "written": merged.tree,
            "onto": target.head,
            # What was not written has not been brought back: it is merged again the next time.
            "applied": target.mixed(theirs, base, merged.unwritten),
        }
        lines = [f"update {worktree.ref_of(path, what)} {object_id}" for what, object_id in done.items()]
        lines.append(f"delete {worktree.ref_of(path, 'writing')}")
        target.ask("update-ref", "--stdin", stdin="\n".join([*lines, ""]).encode())
        return Brought(tuple(changes), merged.conflicts, left=merged.unwritten)


def _merge(target: Target, folder: Path, trees: tuple[str, str, str], branch: str) -> _Merged:
    """Do a three-way merge; the resulting tree includes conflict markers.

    Args:
        folder: for temporary files.
        trees: base, the user's, the worktree's.
        branch: the name of the worktree's side in the markers.
    """
    base, ours, theirs = trees
    place = folder / "files"
    place.mkdir()
    names = {f"GITHEAD_{ours}": "HEAD", f"GITHEAD_{theirs}": branch}
    own = target.variables(folder / "merged", place) | names
    target.ask("read-tree", ours, variables=own)
    target.ask("merge-recursive", base, "--", ours, theirs, variables=own, may_fail=True)
    stages: dict[str, dict[str, str]] = {}
    for entry in filter(None, target.ask("ls-files", "-u", "-z", variables=own).split("\0")):
        told, _, name = entry.partition("\t")
        mode, object_id, stage = told.split(" ")
        stages.setdefault(name, {})[stage] = f"{mode} {object_id}"
    written = [os.fsdecode(each.relative_to(place)) for each in _files_in(place)]
    # git does not write files that stay as on the user's side, because it assumes that the folder has them.
    kept = [
        f"{told['2']}\t{name}"
        for name, told in stages.items()
        if "2" in told and name not in written and not (place / name).is_dir()
    ]
    settled = [f"0 {'0' * len(ours)}\t{name}" for name in stages] + kept
    target.ask("update-index", "-z", "--index-info", variables=own, stdin=nul_terminated(settled))
    target.ask("update-index", "--add", "--replace", "-z", "--stdin", variables=own, stdin=nul_terminated(written))
    tree = target.ask("write-tree", variables=own)
    changed = {name for name, _ in target.changes_to(tree)}
    unwritten = [
        name
        for name, told in stages.items()
        if ("3" in told or {"1", "2"} <= told.keys())  # theirs has changed it, or deleted it
        and name not in changed
        and not any(each.startswith(f"{name}~") for each in written)
    ]
    return _Merged(tree, tuple(stages), tuple(unwritten))


def _files_in(place: Path) -> Iterator[Path]:
    """The files below a folder; a link to a folder counts as a file."""
    for folder, folders, files in os.walk(place):
        yield from (Path(folder, name) for name in files)
        yield from (Path(folder, name) for name in folders if Path(folder, name).is_symlink())
