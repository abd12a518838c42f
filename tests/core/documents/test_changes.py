"""The JSON of `diff`."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.documents.changes import MOST_DIFF_CHARS, changes_document
from tests.kit.cases import for_each

ENTRY = {"path": "a.txt", "kind": "add", "added": 1, "removed": 0}
LONG = "x" * (MOST_DIFF_CHARS + 1)
BASE: dict[str, Any] = {"version": 2, "turn_id": "t"}


@for_each(
    "entries, changes_of, diff, path, expected",
    [
        ([], None, "", None, {"changes": []}),
        ([], "patches", "", None, {"changes": [], "changes_of": "patches"}),
        ([ENTRY], "work_tree", "d", "/t/changes.diff", {"changes": [ENTRY], "changes_of": "work_tree", "diff": "d"}),
        ([ENTRY], None, LONG, "/t/d", {"changes": [ENTRY], "diff_chars": len(LONG), "diff_path": "/t/d"}),
        (
            [ENTRY],
            None,
            LONG,
            None,
            {"changes": [ENTRY], "diff_chars": len(LONG), "next": {"diff": "codex-server diff t"}},
        ),
    ],
)
def test_a_long_diff_is_told_by_its_size(
    entries: Any, changes_of: str | None, diff: str, path: str | None, expected: dict[str, Any]
) -> None:
    assert changes_document("t", entries, changes_of, diff, path) == BASE | expected


def test_all_of_it_has_every_key() -> None:
    assert changes_document("t", [ENTRY], None, LONG, "/t/d", is_full=True) == BASE | {
        "changes": [ENTRY],
        "changes_of": None,
        "diff": LONG,
        "diff_chars": len(LONG),
        "diff_path": "/t/d",
    }
