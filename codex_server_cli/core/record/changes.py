"""What the patches of one turn and its sub-agents changed. Owns which patches count, and where their files are.

Codex sends two facts (seen with 0.163.0 and 0.171.0). `turn/diff/updated` is the net diff of the turn so far, of which
the last one is valid; it lacks changes by commands, and files that were only moved. Its names are relative to the git
work tree, or to `/` if there is none; a file outside of the work tree has an absolute name. `fileChange` items have
absolute names, and each has its own patch. Must never touch a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, text_in

if TYPE_CHECKING:
    from codex_server_cli.core.model.unified_diff import FileDiff

DIFF_METHOD = "turn/diff/updated"
MOST_DIFF_CHARS = 1 << 20
"""The longest diff; files that do not fit are omitted."""


class ChangesOf(StrEnum):
    """The source of a turn's changes."""

    WORK_TREE = "work_tree"  # its state before and after, which includes what commands wrote
    PATCHES = "patches"  # only Codex's own patches


class ChangeSet(NamedTuple):
    """The files that differ, with absolute names.

    Attributes:
        base: the directory that the names in a diff are relative to: the work tree, or the turn's own directory.
    """

    files: tuple[FileDiff, ...] = ()
    base: str = "/"

    def to_json(self, cwd: str) -> list[dict[str, Any]]:
        """The entries of `changes`: names below `cwd` are relative to it."""
        entries: dict[str, dict[str, Any]] = {}
        for file in self.files:
            entry = _entry(file.renamed(below(cwd)))
            if file.path in entries:
                _add(entries[file.path], entry)
            else:
                entries[file.path] = entry
        return list(entries.values())

    def diff(self, most_chars: int = MOST_DIFF_CHARS) -> str:
        """One text that `git apply` accepts in `base`."""
        if not self.files:
            return ""
        from codex_server_cli.core.model.unified_diff import diff_text

        return diff_text((file.renamed(below(self.base)) for file in self.files), most_chars)


def below(directory: str) -> Callable[[str], str]:
    """A function that makes an absolute name relative to a directory; it does not change one that is not below it."""
    prefix = directory.rstrip("/") + "/"
    return lambda path: path.removeprefix(prefix)


def with_tree(files: Iterable[FileDiff], prefix: str, patched: set[str], beyond: Iterable[FileDiff]) -> ChangeSet:
    """The changes of a work tree, and those of Codex's patches elsewhere.

    Args:
        files: the changes of the work tree, names relative to it.
        prefix: the work tree, with a trailing slash.
        patched: all files that Codex's patches touched, with absolute names; a command touched the others.
        beyond: what patches changed outside of it, or in ignored files.
    """
    found = [file.renamed(lambda name: prefix + name) for file in files]
    marked = [file._replace(is_by_command=patched.isdisjoint((file.path, file.old_path))) for file in found]
    return ChangeSet((*marked, *beyond), prefix.rstrip("/") or "/")


class Changes:
    """Takes the facts about patches, of our thread and of others.

    Attributes:
        open_items: patches of sub-agents that have begun, by id: an approval request may refer to one without
            repeating its content.
        paths: all patched files, with absolute names, in order.
    """

    def __init__(self) -> None:
        self.open_items: dict[str, Message] = {}
        self.paths: dict[str, None] = {}
        self._listed: list[dict[str, Any]] | None = []  # None if a new fact has arrived since
        self._diffs: dict[str, str] = {}  # the last one of each turn, by Codex's turn id
        self._moves: dict[str, str] = {}  # where a file is now → where it was

    def note(self, method: str, params: Message) -> None:
        """Take a notification about another thread than ours; most are not about patches."""
        if method == DIFF_METHOD:
            self.note_diff(params)
        item = object_at(params, "item")
        if item.get("type") != "fileChange":
            return
        if method == "item/started":
            self.open_items[str(item.get("id"))] = item
        else:
            self.open_items.pop(str(item.get("id")), None)
            self.note_item(item)

    def note_diff(self, params: Message) -> None:
        """Take the parameters of `DIFF_METHOD`."""
        self._diffs[text_in(params.get("turnId"))] = text_in(params.get("diff"))
        self._listed = None

    def note_item(self, item: Message) -> None:
        """Take a completed item; only a patch that was applied counts."""
        if item.get("type") != "fileChange" or item.get("status") != "completed":
            return
        self._listed = None
        for change in objects_in(item.get("changes")):
            path, target = text_in(change.get("path")), at(change, "kind.move_path", str)
            self.paths[path] = None
            origin = self._moves.pop(path, path)  # of a file that was moved before
            if target:
                self.paths[target] = None
                self._moves[target] = origin

    def listed(self, cwd: str) -> list[dict[str, Any]]:
        """The current entries of `changes`; a diff is parsed again only if a new one has arrived."""
        if self._listed is None:
            self._listed = self.found(cwd).to_json(cwd)
        return self._listed

    def found(self, cwd: str) -> ChangeSet:
        """The current changes.

        Args:
            cwd: the turn's directory.
        """
        if not (self._diffs or self._moves):
            return ChangeSet(base=cwd)
        from codex_server_cli.core.model.unified_diff import moved, parse_diff

        parsed = [file for text in self._diffs.values() for file in parse_diff(text)]
        root = self._root_of(parsed)
        prefix = "/" if root is None else root.rstrip("/") + "/"
        files = [file.renamed(lambda name: name if name.startswith("/") else prefix + name) for file in parsed]
        known = {name for file in files for name in (file.path, file.old_path)}
        moves = (pair for pair in self._moves.items() if pair[0] != pair[1] and not known.intersection(pair))
        files += [moved(old, new) for new, old in moves]
        return ChangeSet(tuple(files), cwd if root in (None, "/") else str(root))

    def _root_of(self, files: Iterable[FileDiff]) -> str | None:
        """The directory that names in Codex's diff are relative to: the prefix of the absolute names."""
        names = [file.path for file in files if not file.path.startswith("/")]
        for path in self.paths if names else ():
            root = path.removesuffix(f"/{names[0]}")
            if root != path and all(f"{root}/{name}" in self.paths for name in names):
                return root or "/"
        return None


def _entry(file: FileDiff) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": file.path, "kind": file.kind}
    if file.old_path is not None:
        entry["from"] = file.old_path
    entry |= {"binary": True} if file.added is None else {"added": file.added, "removed": file.removed}
    if file.is_by_command:
        entry["by"] = "command"
    return entry


def _add(entry: dict[str, Any], more: dict[str, Any]) -> None:
    """Add a second change of the same file: a sub-agent's, or one that recreated a deleted file."""
    for count in ("added", "removed"):
        if count in entry and count in more:
            entry[count] += more[count]
    if entry["kind"] == "delete":
        entry["kind"] = "update"
