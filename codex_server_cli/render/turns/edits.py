"""The edits of a turn as text: a line for each file, and its patch below. Owns how much of a patch is shown.

Text is raw here: the caller neutralises it. The patch of an approval request is never cut: `approvals` shows all of it.
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.protocol.rpc import Message, at, objects_in, text_in
from codex_server_cli.core.record.item_text import item_block

SHOWN_LINES = 12
_SIGNS = {"add": "+", "delete": "-"}


class Edit(NamedTuple):
    """One file: `± app.py +1 −1`, the first lines of its patch, and how many more there are.

    A change that was not written, or not yet, has no patch.
    """

    head: str
    patch: str
    left_out: int = 0

    def rest(self, whole_diff: str) -> str:
        """The line below the patch with the number of omitted lines; empty if there are none.

        Args:
            whole_diff: the command that shows all of it.
        """
        s = "" if self.left_out == 1 else "s"
        return f"… {self.left_out} more line{s}: {whole_diff}" if self.left_out else ""


def patch_of(change: Message) -> str:
    """The lines of a change of a `fileChange` item with their signs; for a whole file Codex sends only the content.

    Blank lines at its end are kept; it does not end with a line feed. Empty for an empty file. Without Codex's note
    about a moved file below it, which is not part of the patch.
    """
    diff = text_in(change.get("diff"))
    sign = _SIGNS.get(at(change, "kind.type", str) or text_in(change.get("kind")))
    moved_to = at(change, "kind.move_path", str)
    lines = diff.removesuffix(f"\n\nMoved to: {moved_to}").removesuffix("\n")
    return "\n".join(f"{sign}{line}" for line in lines.split("\n")) if sign and diff else lines


def edits_of(item: Message, cwd: str) -> list[Edit]:
    """The edits of a `fileChange` item.

    Args:
        cwd: of the turn; names below it are shown relative to it.
    """
    return [_edit(item, change, cwd) for change in objects_in(item.get("changes"))]


def _edit(item: Message, change: Message, cwd: str) -> Edit:
    kind = change.get("kind")
    moved = {"kind": {**kind, "move_path": _below(cwd, kind.get("move_path"))}} if isinstance(kind, dict) else {}
    shown = {**change, **moved, "path": _below(cwd, change.get("path"))}
    head = item_block({**item, "changes": [shown]}).rstrip("\n")
    if item.get("status") != "completed":
        return Edit(head, "")
    lines = patch_of(change).split("\n")
    left_out = max(len(lines) - SHOWN_LINES, 0)
    return Edit(head, "\n".join(lines[:SHOWN_LINES]), left_out)


def _below(cwd: str, path: object) -> str | None:
    if not isinstance(path, str):
        return None
    return path.removeprefix(f"{cwd}/") if cwd else path
