"""What the patches of a turn changed, from the messages that Codex sends."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.unified_diff import parse_diff
from codex_server_cli.core.record.changes import Changes, ChangeSet, with_tree
from codex_server_cli.core.record.replay import replay
from tests.core.model.test_unified_diff import ADDED, BINARY, DELETED, MOVED, UPDATE
from tests.kit.captures import captured_turns
from tests.kit.cases import for_each

CWD = "/w/pkg"


def item(*changes: tuple[str, str | None], status: str = "completed") -> dict[str, Any]:
    entries = [{"path": path, "kind": {"type": "update", "move_path": target}, "diff": ""} for path, target in changes]
    return {"type": "fileChange", "id": "i", "status": status, "changes": entries}


def in_pkg(text: str) -> str:
    """The diff as Codex writes it: names relative to the work tree."""
    return text.replace("a/", "a/pkg/").replace("b/", "b/pkg/")


def told(*facts: dict[str, Any]) -> Changes:
    changes = Changes()
    for fact in facts:
        (changes.note_diff if "diff" in fact else changes.note_item)(fact)
    return changes


def diff(text: str, turn_id: str = "t") -> dict[str, Any]:
    return {"turnId": turn_id, "threadId": "x", "diff": text}


def test_nothing_was_changed_where_nothing_was_patched() -> None:
    assert Changes().found(CWD) == ChangeSet(base=CWD)
    assert Changes().listed(CWD) == []
    assert Changes().found(CWD).diff() == ""


def test_the_last_diff_counts_and_its_names_are_told_from_the_turns_directory() -> None:
    changes = told(
        item((f"{CWD}/n.txt", None)), diff(in_pkg(ADDED)), item((f"{CWD}/a.txt", None)), diff(in_pkg(UPDATE + ADDED))
    )
    assert changes.listed(CWD) == [
        {"path": "a.txt", "kind": "update", "added": 1, "removed": 1},
        {"path": "n.txt", "kind": "add", "added": 1, "removed": 0},
    ]
    assert changes.listed(CWD) is changes.listed(CWD)
    assert changes.found(CWD).base == "/w"
    assert changes.found(CWD).diff() == in_pkg(UPDATE + ADDED)
    assert [each["path"] for each in changes.found(CWD).to_json("/elsewhere")] == ["/w/pkg/a.txt", "/w/pkg/n.txt"]
    changes.note_diff(diff(""))
    assert changes.listed(CWD) == []


def test_without_a_work_tree_the_names_are_those_below_the_root() -> None:
    text = ADDED.replace("b/", "b/w/pkg/").replace("a/", "a/w/pkg/")
    found = told(item((f"{CWD}/n.txt", None)), diff(text)).found(CWD)
    assert (found.base, found.diff()) == (CWD, ADDED)


def test_a_file_outside_has_its_whole_name_and_is_a_comment_in_the_diff() -> None:
    text = ADDED.replace("a/n", "a//tmp/n").replace("b/n", "b//tmp/n")
    found = told(item(("/tmp/n.txt", None)), diff(text)).found(CWD)
    assert found.to_json(CWD) == [{"path": "/tmp/n.txt", "kind": "add", "added": 1, "removed": 0}]
    assert "# +n\n" in found.diff()


def test_names_stay_as_they_are_where_nothing_tells_what_they_are_relative_to() -> None:
    found = told(item(("/other/x.txt", None), ("/w/n.txt.old", None)), diff(ADDED)).found(CWD)
    assert [each["path"] for each in found.to_json("/")] == ["n.txt"]


def test_the_root_fits_all_names() -> None:
    """`/w/pkg/pkg/n.txt` ends in `pkg/n.txt`, too."""
    changes = told(
        item((f"{CWD}/pkg/n.txt", None), (f"{CWD}/n.txt", None), (f"{CWD}/a.txt", None)), diff(in_pkg(ADDED + UPDATE))
    )
    assert changes.found(CWD).base == "/w"


@for_each(
    "moves, expected",
    [
        ([("c", "d")], [("c", "d")]),
        ([("c", "d"), ("d", "e")], [("c", "e")]),
        ([("c", "d"), ("d", "c")], []),
        ([("c", "n.txt")], []),  # the diff has it
        ([("n.txt", "d")], []),
    ],
)
def test_a_file_that_was_only_moved_is_not_in_codexs_diff(moves: Any, expected: Any) -> None:
    items = [item((f"{CWD}/{old}", f"{CWD}/{new}")) for old, new in moves]
    changes = told(*items, item((f"{CWD}/n.txt", None)), diff(in_pkg(ADDED)))
    found = [each for each in changes.listed(CWD) if each["kind"] == "move"]
    assert [(each["from"], each["path"]) for each in found] == expected
    assert all((each["added"], each["removed"]) == (0, 0) for each in found)


def test_a_patch_that_was_not_applied_changed_nothing() -> None:
    changes = told(item(("/w/c", "/w/d"), status="failed"), item(("/w/c", "/w/d"), status="declined"))
    changes.note_item({"type": "commandExecution", "status": "completed"})
    assert (changes.listed(CWD), changes.paths) == ([], {})


def test_patches_of_sub_agents_count_and_the_open_ones_can_be_asked_about() -> None:
    changes = told(item((f"{CWD}/a.txt", None)), diff(in_pkg(UPDATE)))
    changes.note("item/started", {"item": item((f"{CWD}/d.txt", None), status="inProgress")})
    assert list(changes.open_items) == ["i"]
    changes.note("item/completed", {"item": item((f"{CWD}/d.txt", None))})
    assert changes.open_items == {}
    changes.note("turn/diff/updated", diff(in_pkg(DELETED), "other"))
    changes.note("item/started", {"item": {"type": "agentMessage", "id": "m"}})
    changes.note("turn/started", {})
    assert [each["path"] for each in changes.listed(CWD)] == ["a.txt", "d.txt"]


def test_two_changes_of_one_file_are_one_entry() -> None:
    changes = told(item((f"{CWD}/a.txt", None)), diff(in_pkg(UPDATE)), diff(in_pkg(UPDATE), "other"))
    assert changes.listed(CWD) == [{"path": "a.txt", "kind": "update", "added": 2, "removed": 2}]
    assert changes.found(CWD).diff() == in_pkg(UPDATE + UPDATE)
    again = DELETED + ADDED.replace("n.txt", "d.txt") + BINARY
    replaced = told(
        item((f"{CWD}/d.txt", None), (f"{CWD}/b.bin", None)), diff(in_pkg(again)), diff(in_pkg(BINARY), "other")
    )
    assert replaced.listed(CWD) == [
        {"path": "d.txt", "kind": "update", "added": 1, "removed": 1},
        {"path": "b.bin", "kind": "update", "binary": True},
    ]


def test_what_a_command_wrote_is_marked() -> None:
    file = told(item((f"{CWD}/a.txt", None)), diff(in_pkg(UPDATE))).found(CWD).files[0]._replace(is_by_command=True)
    assert ChangeSet((file,)).to_json(CWD)[0]["by"] == "command"


def test_a_work_tree_tells_what_patches_do_not_and_they_what_it_cannot() -> None:
    files = parse_diff(UPDATE + DELETED + MOVED)
    (beyond,) = parse_diff(ADDED)
    found = with_tree(files, "/w/", {"/w/a.txt", "/w/c.txt"}, [beyond._replace(path="/tmp/n.txt")])
    told = [(entry["path"], entry.get("by")) for entry in found.to_json("/w")]
    assert told == [("a.txt", None), ("d.txt", "command"), ("sub/d.txt", None), ("/tmp/n.txt", None)]
    assert found.base == "/w"
    assert found.diff().startswith(UPDATE + DELETED + MOVED)
    assert with_tree([], "/", set(), []).base == "/"


def test_the_record_of_a_turn_has_the_changes_of_its_messages() -> None:
    (turn,) = captured_turns("approval_patch_accept")
    record, _ = replay(turn.events())
    assert [each["kind"] for each in record.changes.listed("/")] == ["add"]
