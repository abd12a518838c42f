"""The user's own work tree, into which a worktree's changes are brought back.

Owns what counts as the user's uncommitted work, and that it is never overwritten. What an earlier `apply` wrote and is
unchanged since counts as committed. HEAD and the user's index are never changed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codex_server_cli.disk.safe_open import is_directory
from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git.git import nul_terminated, require_git

_TIMEOUT_S = 120.0
_WHOLE = ("-c", "core.sparseCheckout=false")
"""A file is merged and written even if the user's sparse checkout excludes it."""
_IN_THE_MIDDLE = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
_KINDS = {"A": "add", "D": "delete"}
Changes = list[tuple[str, str]]
"""Path and kind (`add`, `update`, `delete`) of each file."""


class DirtyError(Exception):
    """Files that would be written have uncommitted work; nothing was touched. `paths` names them."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


class Target:
    """A user's work tree.

    Args:
        top: its top level.
        index: the path for our own index, which has the user's stat data of unchanged files.
        refs: those of the worktree (`worktree.refs_of`): what the previous `apply` wrote there, or was writing when it
            was killed.
        others: trees that the `apply` of other turns wrote there.

    Attributes:
        head: its commit.
        tree: its files, without uncommitted work: those of HEAD, and what `apply` has written.
        discarded: what the previous `apply` wrote and the user reverted, in the files and in HEAD.

    Raises:
        BadInputError: it is in the middle of a merge or the like, it has no commit, or git cannot read it.
    """

    def __init__(self, top: Path, index: Path, refs: Mapping[str, str], others: Iterable[str] = ()) -> None:
        self._top, self._index = top, index
        self._git_dir = Path(require_git(top, "rev-parse", "--absolute-git-dir"))
        self._refuse_in_the_middle()
        self.head = self.ask("rev-parse", "--verify", "--quiet", "HEAD", may_fail=True)
        if not self.head:
            raise BadInputError(f"the branch of {top} has no commit yet", hint="Commit there, or check out another.")
        self._head = self.tree = self.ask("rev-parse", "HEAD^{tree}")
        self._own = self.variables(index)
        with contextlib.suppress(FileNotFoundError):
            # With its mtime: git compares that with a file's, which may have changed within the same second.
            shutil.copy2(top / self.ask("rev-parse", "--git-path", "index"), index)
        self.ask("read-tree", "--reset", "HEAD", variables=self._own)
        self._look_at_skipped()
        self._refresh()
        self.discarded: list[str] = []
        self._begun = refs.get("writing")
        if "written" in refs:
            as_before = self._accept(refs["written"])
            moved = {name for name, _ in self._changes(f"{refs.get('onto', 'HEAD')}^{{tree}}", self._head)}
            self.discarded = [name for name in as_before if name not in moved]
        for other in others:  # after our own: what another turn changed further does not count as discarded
            self._accept(other)

    def ask(
        self,
        *arguments: str,
        variables: dict[str, str] | None = None,
        stdin: bytes = b"",
        may_fail: bool = False,
    ) -> str:
        """As `require_git`; with `may_fail` an exit code of 1 is accepted, too."""
        codes = (0, 1) if may_fail else (0,)
        more: dict[str, Any] = {"variables": variables, "stdin": stdin, "timeout_s": _TIMEOUT_S, "codes": codes}
        return require_git(self._top, *_WHOLE, *arguments, **more)

    def variables(self, index: Path, work_tree: Path | None = None) -> dict[str, str]:
        """The environment that makes git use another index, and another folder."""
        found = {"GIT_DIR": str(self._git_dir), "GIT_INDEX_FILE": str(index)}
        return found | {"GIT_WORK_TREE": str(work_tree or self._top)}

    def changes_to(self, tree: str) -> Changes:
        """How a tree differs from ours."""
        return self._changes(self.tree, tree)

    def mixed(self, tree: str, other: str, names: Iterable[str]) -> str:
        """A copy of a tree with these paths taken from another."""
        names = list(names)
        if not names:
            return tree
        own = self.variables(self._index.with_name("mixed"))
        self.ask("read-tree", tree, variables=own)
        self._set_as_in(other, names, own)
        return self.ask("write-tree", variables=own)

    def write(self, tree: str, ref: str) -> Changes:
        """Write the files of a tree that differ over ours.

        Args:
            ref: names the tree before the first file is written, for the next `apply` if this one is killed.

        Raises:
            DirtyError: some have uncommitted work; nothing was touched.
            BadInputError: git has failed.
        """
        changes = self.changes_to(tree)
        unlinked = self._take_over_begun()
        left = self.changes_to(tree)
        names = {name for name, _ in left}
        dirty = self._dirty() | (self._staged(self._head) & self._staged(self.tree))
        touched = [name for name, kind in left if name in dirty or (kind == "add" and self._is_blocked(name, names))]
        touched = [name for name in touched if name not in unlinked]
        # A file may already have the new content: the user has copied it.
        if touched and (in_use := self._take_over(touched, tree)):
            raise DirtyError(in_use)
        if left:
            self.ask("update-ref", ref, tree)
            try:
                self.ask("read-tree", "-m", "-u", self.tree, tree, variables=self._own)
            except BadInputError as error:
                hint = "The same command again writes the rest."
                raise BadInputError(f"maybe not all files were written: {error.message}", hint=hint) from error
        return changes

    def _take_over_begun(self) -> set[str]:
        """Accept what a killed `apply` wrote; return the files that it removed and did not write."""
        if self._begun is None:
            return set()
        names = [name for name, _ in self._changes(self.tree, self._begun)]
        self._accept(self._begun)
        return {name for name in names if not os.path.lexists(self._top / name)}

    def _refuse_in_the_middle(self) -> None:
        """Raise if the user has begun a merge, rebase or the like, which has to be finished first."""
        what = next((what for name, what in _IN_THE_MIDDLE.items() if os.path.lexists(self._git_dir / name)), None)
        if what is None and not self.ask("ls-files", "-u"):
            return
        hint = "Finish it, or abort it; `git status` there tells more."
        raise BadInputError(f"{self._top} is in the middle of {what or 'resolving conflicts'}", hint=hint)

    def _look_at_skipped(self) -> None:
        """Make git check the existing files that it was told to skip."""
        told = self.ask("ls-files", "-t", "-z", variables=self._own).split("\0")
        found = [line[2:] for line in told if line.startswith("S ") and os.path.lexists(self._top / line[2:])]
        if found:
            skipped = nul_terminated(found)
            self.ask("update-index", "--no-skip-worktree", "-z", "--stdin", variables=self._own, stdin=skipped)

    def _accept(self, written: str) -> list[str]:
        """Accept what `apply` has written, where it is unchanged.

        Returns:
            The other written paths, where they are as in our tree.
        """
        dirty, changes = self._dirty(), self._changes(self.tree, written)
        names = {name for name, _ in changes}
        found = [
            name
            for name, kind in changes
            if name in dirty or (kind == "add" and os.path.lexists(self._top / name) and self._is_blocked(name, names))
        ]
        if found:
            self._set_as_in(self.tree, self._take_over(found, written), self._own)
            self._refresh()
            self.tree = self.ask("write-tree", variables=self._own)
        return [name for name, _ in changes if name not in found]

    def _set_as_in(self, tree: str, names: list[str], own: dict[str, str]) -> None:
        """Set these paths in an index as they are in a tree."""
        entries = _entries(self.ask("ls-tree", "-r", "-z", tree))
        gone = ("0", "0" * len(self._head))
        settled = [f"{' '.join(entries.get(name, gone))}\t{name}" for name in names]
        self.ask("update-index", "-z", "--index-info", variables=own, stdin=nul_terminated(settled))

    def _take_over(self, names: list[str], tree: str) -> list[str]:
        """Add these files to our index; return those that differ from a tree."""
        try:
            self.ask(
                "update-index", "--add", "--remove", "-z", "--stdin", variables=self._own, stdin=nul_terminated(names)
            )
        except BadInputError:  # a directory is in the way of one
            return names
        wanted = _entries(self.ask("ls-tree", "-r", "-z", tree))
        found = _entries(self.ask("ls-files", "-s", "-z", variables=self._own))
        return [name for name in names if found.get(name) != wanted.get(name)]

    def _refresh(self) -> None:
        self.ask("update-index", "-q", "--really-refresh", variables=self._own, may_fail=True)  # where one has changed

    def _changes(self, before: str, after: str) -> Changes:
        told = self.ask("diff-tree", "-r", "-z", "--no-renames", "--name-status", before, after).split("\0")
        return [(name, _KINDS.get(kind, "update")) for kind, name in zip(told[::2], told[1::2], strict=False)]

    def _dirty(self) -> set[str]:
        """The files that differ from our index."""
        return self._names("diff-files", variables=self._own)

    def _staged(self, tree: str) -> set[str]:
        """The files whose entries in the user's index differ from a tree."""
        return self._names("diff-index", "--cached", tree)

    def _names(self, command: str, *arguments: str, variables: dict[str, str] | None = None) -> set[str]:
        told = self.ask(command, "-z", "--name-only", "--ignore-submodules=all", *arguments, variables=variables)
        return {name for name in told.split("\0") if name}

    def _is_blocked(self, name: str, names: set[str]) -> bool:
        """Whether something that git does not remove first (as it does `names`) blocks the path of a new file."""
        parts = name.split("/")
        for count in range(1, len(parts)):
            place = "/".join(parts[:count])
            if not os.path.lexists(self._top / place):
                return False
            if not is_directory(self._top / place):  # also for a link to one: the write would go elsewhere
                return place not in names
        path = self._top / name
        if not is_directory(path):
            return os.path.lexists(path)
        found = (Path(folder, file) for folder, _, files in os.walk(path) for file in files)
        return any(str(file.relative_to(self._top)) not in names for file in found)


def _entries(listing: str) -> dict[str, tuple[str, str]]:
    """Mode and object of each path in the output of `ls-tree` or `ls-files -s`."""
    found = {}
    for entry in filter(None, listing.split("\0")):
        told, _, name = entry.partition("\t")
        mode, *rest = told.split(" ")
        found[name] = (mode, next(word for word in rest if len(word) >= 40))
    return found
