"""Bringing a worktree's changes back into the user's own directory, by a three-way merge of git's.

The base is what was brought back before, or the commit that the worktree began with; the one side is the user's, the
other the worktree as it stands. The merge happens in an empty folder and an index of its own, so that its whole result
is known before anything of the user's is touched: git takes a missing file for an unchanged one. Then git itself writes
what differs (`target`). Works with git 2.30; its renames are git's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.target import Target, listed

_TIMEOUT_S = 120.0


class Brought(NamedTuple):
    """What was written.

    Attributes:
        changes: path and kind (`add`, `update`, `delete`) of each file.
        conflicts: the paths that git could not merge.
        is_new: whether the worktree held anything that had not been brought back before.
    """

    changes: tuple[tuple[str, str], ...] = ()
    conflicts: tuple[str, ...] = ()
    is_new: bool = True


def tree_of(place: Path) -> str:
    """Write the files of a worktree as they stand, untracked ones too, into a tree of the repository; its id.

    Repositories within it are left out, and git is not run in any: their configuration is the turn's.

    Raises:
        BadInputError: git cannot.
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
            ask("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=listed(names))
        return ask("write-tree")


def is_applied(path: Path) -> bool:
    """Whether the worktree holds what was brought back last, and nothing more.

    Raises:
        BadInputError: git cannot tell.
        OSError: the home cannot be written.
    """
    applied = worktree.refs_of(path).get("applied")
    return applied is not None and applied == tree_of(path)


def bring_back(path: Path, repository: Path) -> Brought:
    """Merge a worktree's changes into the files of the user's directory. The caller holds its lock alone.

    Args:
        path: of the worktree.
        repository: the top level of the user's own work tree.

    Raises:
        DirtyError: files that it would write hold uncommitted work; nothing was touched.
        BadInputError: git cannot, or the repository is in the middle of something; nothing was touched.
        OSError: the home cannot be written.
    """
    common = worktree.common_directory(path)
    if common is None or common != worktree.common_directory(repository):
        what = f"the repository of the worktree {path} is gone, or is not that of {repository} any more"
        raise BadInputError(what, hint=f"What the turn wrote is in {path}.")
    refs = worktree.refs_of(path)
    if "base" not in refs:
        raise BadInputError(f"{path} is no whole worktree", hint="Its turn was killed while it was made.")
    with worktree.scratch(path) as folder:
        target = Target(repository, Path(folder, "own"), refs.get("written"))
        theirs = tree_of(path)
        base = target.ask("rev-parse", f"{refs.get('applied', refs['base'])}^{{tree}}")
        if theirs == base:
            target.ask("update-ref", worktree.ref_of(path, "applied"), theirs)
            return Brought(is_new=False)
        tree, conflicts = _merge(target, Path(folder), (base, target.tree, theirs), worktree.branch_of(path))
        changes = target.write(tree)
        target.ask("update-ref", worktree.ref_of(path, "written"), tree)
        target.ask("update-ref", worktree.ref_of(path, "applied"), theirs)
        return Brought(tuple(changes), conflicts)


def _merge(target: Target, folder: Path, trees: tuple[str, str, str], branch: str) -> tuple[str, tuple[str, ...]]:
    """A three-way merge.

    Args:
        folder: where to make what it needs.
        trees: base, the user's, the worktree's.
        branch: what the worktree's side is called in the markers.

    Returns:
        The tree that it gives, conflict markers and all; and the paths with conflicts.
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
    # What git leaves as it stands on the user's side it does not write, as the folder is said to have it.
    kept = [
        f"{told['2']}\t{name}"
        for name, told in stages.items()
        if "2" in told and name not in written and not (place / name).is_dir()
    ]
    settled = [f"0 {'0' * len(ours)}\t{name}" for name in stages] + kept
    target.ask("update-index", "-z", "--index-info", variables=own, stdin=listed(settled))
    target.ask("update-index", "--add", "--replace", "-z", "--stdin", variables=own, stdin=listed(written))
    return target.ask("write-tree", variables=own), tuple(stages)


def _files_in(place: Path) -> Iterator[Path]:
    """The files below a folder; a link to a folder is one, too."""
    for folder, folders, files in os.walk(place):
        yield from (Path(folder, name) for name in files)
        yield from (Path(folder, name) for name in folders if Path(folder, name).is_symlink())
