"""The JSON of the `diff` verb."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.result.commands import of_turn

MOST_DIFF_CHARS = 16_000
"""Of a longer diff only the size is reported: agents' shells truncate long output, in the middle of its JSON."""


def changes_document(
    turn_id: str,
    entries: list[dict[str, Any]],
    changes_of: str | None,
    diff: str,
    diff_path: str | None,
    *,
    is_full: bool = False,
) -> dict[str, Any]:
    """What one turn changed.

    Args:
        entries: the files.
        changes_of: the source of the list; None if no other file could have changed.
        diff: the text.
        diff_path: the file that holds it; None if there is none.
    """
    document: dict[str, Any] = {"version": VERSION, "turn_id": turn_id, "changes": entries}
    if is_full:
        return document | {"changes_of": changes_of, "diff": diff, "diff_chars": len(diff), "diff_path": diff_path}
    if changes_of is not None:
        document["changes_of"] = changes_of
    if len(diff) <= MOST_DIFF_CHARS:
        return document | ({"diff": diff} if diff else {})
    where = {"next": {"diff": of_turn("diff", turn_id)}} if diff_path is None else {"diff_path": diff_path}
    return document | {"diff_chars": len(diff)} | where
