"""Edits as a conversation shows them: a relative name, and the beginning of the patch."""

from __future__ import annotations

from typing import Any

from codex_server_cli.render.turns.edits import SHOWN_LINES, Edit, edits_of, patch_of
from tests.kit.cases import for_each

PATCH = "@@ -1 +1 @@\n-a\n+b\n"


def item(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "fileChange", "status": "completed", "changes": list(changes)}


def test_of_what_was_not_written_only_the_name_is_told() -> None:
    declined = {**item({"path": "/p/a", "kind": {"type": "add"}, "diff": "x\n" * 50}), "status": "declined"}
    assert edits_of(declined, "/p") == [Edit("± a new, 50 lines (declined)", "")]


def test_a_name_below_the_directory_is_relative_and_others_are_not() -> None:
    update = {"kind": {"type": "update", "move_path": "/p/new.py"}, "diff": PATCH}
    inside, outside = edits_of(item({"path": "/p/old.py", **update}, {"path": "/q/x", **update}), "/p")
    assert inside == Edit("± old.py +1 −1 → new.py", PATCH.rstrip("\n"))
    assert outside.head == "± /q/x +1 −1 → new.py"
    assert edits_of(item({"path": "/p/a", **update}), "")[0].head == "± /p/a +1 −1 → /p/new.py"


def test_of_a_whole_file_the_content_is_what_was_added_or_removed() -> None:
    (added,) = edits_of(item({"path": "/p/a", "kind": {"type": "add"}, "diff": "x\ny\n"}), "/p")
    (deleted,) = edits_of(item({"path": "/p/a", "kind": {"type": "delete"}, "diff": "x\n"}), "/p")
    assert (added, deleted) == (Edit("± a new, 2 lines", "+x\n+y"), Edit("± a deleted", "-x"))


def test_a_long_patch_is_cut_and_says_by_how_much() -> None:
    (edit,) = edits_of(item({"path": "/p/a", "kind": {"type": "add"}, "diff": "x\n" * 50}), "/p")
    assert (edit.patch.count("\n") + 1, edit.left_out) == (SHOWN_LINES, 50 - SHOWN_LINES)
    assert edit.rest("/diff") == "… 38 more lines: /diff"
    assert edit._replace(left_out=1).rest("/diff") == "… 1 more line: /diff"
    assert edit._replace(left_out=0).rest("/diff") == ""


@for_each(
    ("change", "patch"),
    [
        ({"kind": {"type": "add"}, "diff": "x\ny"}, "+x\n+y"),
        ({"kind": "delete", "diff": "x\n\n\n"}, "-x\n-\n-"),
        ({"kind": {"type": "add"}, "diff": "\n"}, "+"),
        ({"kind": {"type": "add"}, "diff": ""}, ""),
        ({"kind": {"type": "update"}, "diff": PATCH}, PATCH.rstrip("\n")),
        ({"diff": PATCH}, PATCH.rstrip("\n")),
        (
            {"kind": {"type": "update", "move_path": "/p/b"}, "diff": f"{PATCH}\n\nMoved to: /p/b"},
            PATCH.rstrip("\n"),
        ),
        ({}, ""),
    ],
)
def test_a_patch_has_every_line_of_the_file_and_the_sign_of_what_is_done_to_it(
    change: dict[str, Any], patch: str
) -> None:
    assert patch_of(change) == patch


def test_strange_members_are_no_defect() -> None:
    assert edits_of(item({"path": None, "kind": "update"}), "/p")[0].patch == ""
