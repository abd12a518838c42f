"""Bringing a worktree's changes back into the user's own directory, by a three-way merge of git's.

The base is what was brought back before, or the commit that the worktree began with; the one side is the user's HEAD,
the other the worktree as it stands. The merge happens in an empty folder and an index of its own, so that its whole
result is known before anything of the user's is touched: git takes a missing file for an unchanged one. Then git
itself writes the result over HEAD's, and refuses where that would lose something. HEAD and the user's index are left
as they are. Works with git 2.30; its renames are git's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.disk.safe_open import is_directory
from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.git import require_git

_TIMEOUT_S = 120.0
_WHOLE = ("-c", "core.sparseCheckout=false")
"""A file is merged and written whether or not the user's sparse checkout would have it."""
_NO_ID = "0" * 40
_IN_THE_MIDDLE = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
_KINDS = {"A": "add", "D": "delete"}


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


class DirtyError(Exception):
    """Files that would be written hold uncommitted work; nothing was touched. `paths` are theirs."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


def tree_of(place: Path) -> str:
    """Write the files of a worktree as they stand, untracked ones too, into a tree of the repository; its id.

    Repositories within it are left out, and git is not run in any: their configuration is the turn's.

    Raises:
        BadInputError: git cannot.
    """
    index = Path(worktree.require_git_in(place, "rev-parse", "--git-path", "index"))
    with worktree.scratch(place) as folder:
        own = Path(folder, "index")
        with contextlib.suppress(FileNotFoundError):  # it has no file
            # With its time: git compares that with a file's, which may have changed within the same second.
            shutil.copy2(place / index, own)
        variables = {"GIT_INDEX_FILE": str(own)}

        def ask(*arguments: str, stdin: bytes = b"") -> str:
            return worktree.require_git_in(place, *arguments, variables=variables, stdin=stdin, timeout_s=_TIMEOUT_S)

        changed = ask("diff-files", "-z", "--name-only", "--ignore-submodules=all")
        untracked = ask("ls-files", "-z", "--others", "--exclude-standard")
        names = [name for name in (changed + untracked).split("\0") if name and not name.endswith("/")]
        if names:
            ask("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=_listed(names))
        return ask("write-tree")


def is_applied(path: Path) -> bool:
    """Whether the worktree holds what was brought back last, and nothing more.

    Raises:
        BadInputError: git cannot tell.
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
    """
    common = worktree.common_directory(path)
    if common is None or common != worktree.common_directory(repository):
        what = f"the repository of the worktree {path} is gone, or is not that of {repository} any more"
        raise BadInputError(what, hint=f"What the turn wrote is in {path}.")
    target = _Target(repository)
    target.refuse_in_the_middle()
    refs = worktree.refs_of(path)
    if "base" not in refs:
        raise BadInputError(f"{path} is no whole worktree")
    theirs = tree_of(path)
    base = target.ask("rev-parse", f"{refs.get('applied', refs['base'])}^{{tree}}")
    if theirs == base:
        target.ask("update-ref", worktree.ref_of(path, "applied"), theirs)
        return Brought(is_new=False)
    with worktree.scratch(path) as folder:
        tree, conflicts = _merge(target, Path(folder), (base, target.tree, theirs), worktree.branch_of(path))
        changes = target.changes_to(tree)
        target.write(Path(folder, "written"), tree, changes)
    target.ask("update-ref", worktree.ref_of(path, "applied"), theirs)
    return Brought(tuple(changes), conflicts)


class _Target:
    """The user's own work tree.

    Attributes:
        tree: that of its HEAD.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._git_dir = Path(require_git(top, "rev-parse", "--absolute-git-dir"))
        self.tree = self.ask("rev-parse", "--verify", "HEAD^{tree}")

    def ask(
        self,
        *arguments: str,
        variables: dict[str, str] | None = None,
        stdin: bytes = b"",
        may_fail: bool = False,
    ) -> str:
        """As `require_git`; with `may_fail` its exit code 1 is an answer, too."""
        codes = (0, 1) if may_fail else (0,)
        more: dict[str, Any] = {"variables": variables, "stdin": stdin, "timeout_s": _TIMEOUT_S, "codes": codes}
        return require_git(self._top, *_WHOLE, *arguments, **more)

    def refuse_in_the_middle(self) -> None:
        """Raise where the user has begun something that they have to finish first."""
        for name, what in _IN_THE_MIDDLE.items():
            if os.path.lexists(self._git_dir / name):
                hint = f"Finish it or abort it first: `git -C {self._top} status`"
                raise BadInputError(f"{self._top} is in the middle of {what}", hint=hint)
        if self.ask("ls-files", "-u"):
            hint = f"Resolve them first: `git -C {self._top} status`"
            raise BadInputError(f"{self._top} has unresolved conflicts", hint=hint)

    def variables(self, index: Path, work_tree: Path | None = None) -> dict[str, str]:
        """What makes git work with another index, and in another folder."""
        found = {"GIT_DIR": str(self._git_dir), "GIT_INDEX_FILE": str(index)}
        return found | {"GIT_WORK_TREE": str(work_tree or self._top)}

    def changes_to(self, tree: str) -> list[tuple[str, str]]:
        """Path and kind of each file that differs from HEAD's."""
        told = self.ask("diff-tree", "-r", "-z", "--no-renames", "--name-status", self.tree, tree).split("\0")
        return [(name, _KINDS.get(kind, "update")) for kind, name in zip(told[::2], told[1::2], strict=False)]

    def write(self, index: Path, tree: str, changes: list[tuple[str, str]]) -> None:
        """Write a tree's files over HEAD's, those that differ.

        Args:
            index: where to put an index of our own, which knows what the user's knows of unchanged files.

        Raises:
            DirtyError: some hold uncommitted work; nothing was touched.
        """
        if not changes:
            return
        own = self.variables(index)
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(self._top / self.ask("rev-parse", "--git-path", "index"), index)
        self.ask("read-tree", "--reset", "HEAD", variables=own)
        self.ask(
            "update-index", "-q", "--really-refresh", variables=own, may_fail=True
        )  # it does where one has changed
        dirty = {*self._names("diff-index", "--cached", "HEAD"), *self._names("diff-files", variables=own)}
        names = {name for name, _ in changes}
        touched = [name for name, kind in changes if name in dirty or (kind == "add" and self._is_blocked(name, names))]
        if touched and (in_use := self._different(touched, tree, own)):
            raise DirtyError(in_use)
        self.ask("read-tree", "-m", "-u", "HEAD", tree, variables=own)

    def _different(self, names: list[str], tree: str, own: dict[str, str]) -> list[str]:
        """Those whose file is not what is to be written: one may be, where the writer of it was killed then."""
        try:
            self.ask("update-index", "--add", "--remove", "-z", "--stdin", variables=own, stdin=_listed(names))
        except BadInputError:  # a directory is in the way of one
            return names
        wanted, found = (
            _entries(self.ask("ls-tree", "-r", "-z", tree)),
            _entries(self.ask("ls-files", "-s", "-z", variables=own)),
        )
        return [name for name in names if found.get(name) != wanted.get(name)]

    def _is_blocked(self, name: str, names: set[str]) -> bool:
        """Whether something stands where a new file would come that git does not remove first (`names` it does)."""
        parts = name.split("/")
        for count in range(1, len(parts)):
            place = "/".join(parts[:count])
            if not os.path.lexists(self._top / place):
                return False
            if not is_directory(self._top / place):  # a link to one neither: what is written would go elsewhere
                return place not in names
        path = self._top / name
        if not is_directory(path):
            return os.path.lexists(path)
        found = (Path(folder, file) for folder, _, files in os.walk(path) for file in files)
        return any(str(file.relative_to(self._top)) not in names for file in found)

    def _names(self, *arguments: str, variables: dict[str, str] | None = None) -> list[str]:
        command, *rest = arguments
        told = self.ask(command, "-z", "--name-only", "--ignore-submodules=all", *rest, variables=variables)
        return [name for name in told.split("\0") if name]


def _merge(target: _Target, folder: Path, trees: tuple[str, str, str], branch: str) -> tuple[str, tuple[str, ...]]:
    """A three-way merge.

    Args:
        folder: an empty one to work in.
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
    kept = {
        name: told["2"]
        for name, told in stages.items()
        if "2" in told and name not in written and not (place / name).is_dir()
    }
    settled = [f"0 {_NO_ID}\t{name}" for name in stages] + [f"{told}\t{name}" for name, told in kept.items()]
    target.ask("update-index", "-z", "--index-info", variables=own, stdin=_listed(settled))
    target.ask("update-index", "--add", "--replace", "-z", "--stdin", variables=own, stdin=_listed(written))
    return target.ask("write-tree", variables=own), tuple(stages)


def _files_in(place: Path) -> Iterator[Path]:
    """The files below a folder; a link to a folder is one, too."""
    for folder, folders, files in os.walk(place):
        yield from (Path(folder, name) for name in files)
        yield from (Path(folder, name) for name in folders if Path(folder, name).is_symlink())


def _entries(listing: str) -> dict[str, tuple[str, str]]:
    """Mode and object of each path in the output of `ls-tree` or `ls-files -s`."""
    found = {}
    for entry in filter(None, listing.split("\0")):
        told, _, name = entry.partition("\t")
        mode, *rest = told.split(" ")
        found[name] = (mode, next(word for word in rest if len(word) >= len(_NO_ID)))
    return found


def _listed(names: list[str]) -> bytes:
    return b"".join(os.fsencode(name) + b"\0" for name in names)
