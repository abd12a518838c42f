"""Each item of a turn as a short block of `out.txt`."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.record import item_text
from tests.kit.cases import for_each


def _command(**item: Any) -> dict[str, Any]:
    return {"type": "commandExecution", "status": "completed", "exitCode": 0, "durationMs": 1234, **item}


@for_each(
    ("command", "line"),
    [
        ("/bin/bash -lc 'echo hello'", "$ echo hello\n"),
        ("bash -c 'echo \"a b\"'", '$ echo "a b"\n'),
        ("zsh -lc ls", "$ ls\n"),
        ("/bin/bash -x -lc ls", "$ /bin/bash -x -lc ls\n"),
        ("python -c 'print(1)'", "$ python -c 'print(1)'\n"),
        ("bash -lc", "$ bash -lc\n"),
        ("/x/bash -lc ls", "$ /x/bash -lc ls\n"),
        ("", "$ \n"),
        ("echo 'unbalanced", "$ echo 'unbalanced\n"),
        ("bash -lc 'one\ntwo\nthree'", "$ one\n  two\n  three\n"),
        (None, "$ \n"),
    ],
)
def test_a_command_is_shown_without_the_shell_around_it(command: str | None, line: str) -> None:
    assert item_text.command_line({"command": command}) == line


@for_each(
    ("item", "text"),
    [
        (_command(aggregatedOutput="hello\n"), "hello\n→ exit 0 · 1.2 s\n"),
        (_command(aggregatedOutput=None, exitCode=3), "→ exit 3 · 1.2 s\n"),
        (_command(aggregatedOutput=" \n\n", durationMs=None), "→ exit 0\n"),
        (_command(exitCode=None, status="declined"), "→ declined · 1.2 s\n"),
        ({}, "→ ended\n"),
    ],
)
def test_a_command_ends_with_its_exit_and_time(item: dict[str, Any], text: str) -> None:
    assert item_text.command_end(item) == text


def test_short_output_is_whole() -> None:
    output = "\n".join(str(n) for n in range(item_text.MAX_OUTPUT_LINES))
    assert item_text.bounded(output) == output + "\n"
    assert item_text.bounded(output + "\n\n") == output + "\n"


def test_long_output_keeps_its_head_and_tail_and_counts_the_rest() -> None:
    lines = item_text.bounded("\n".join(str(n) for n in range(100))).rstrip("\n").split("\n")
    assert len(lines) == item_text.MAX_OUTPUT_LINES
    assert lines[:8] == [str(n) for n in range(8)]
    assert lines[8] == "… 81 more lines …"
    assert lines[9:] == [str(n) for n in range(89, 100)]


def test_wide_output_is_bounded_too() -> None:
    text = item_text.bounded("a" * 5000 + "b" * 5000)
    assert text == f"{'a' * 1000}\n… 8000 more characters …\n{'b' * 1000}\n"


def _change(kind: Any, diff: str | None = "", path: str = "/p/f") -> dict[str, Any]:
    return {"path": path, "kind": kind, "diff": diff}


@for_each(
    ("change", "line"),
    [
        (_change({"type": "add"}, "one\n"), "± /p/f new, 1 line\n"),
        (_change({"type": "add"}, "one\n\ntwo"), "± /p/f new, 3 lines\n"),
        (_change({"type": "add"}, ""), "± /p/f new, 0 lines\n"),
        (_change({"type": "delete"}, "gone\n"), "± /p/f deleted\n"),
        (_change({"type": "update"}, "--- a\n+++ b\n@@\n-x\n+y\n+z\n"), "± /p/f +2 −1\n"),
        (_change({"type": "update", "move_path": "/p/g"}, "+y"), "± /p/f +1 −0 → /p/g\n"),
        (_change("update", None), "± /p/f +0 −0\n"),
        (_change(None), "± /p/f +0 −0\n"),
    ],
)
def test_a_changed_file_says_how_it_changed(change: dict[str, Any], line: str) -> None:
    assert item_text.item_block({"type": "fileChange", "status": "completed", "changes": [change]}) == line


def test_a_declined_change_says_so_for_each_file() -> None:
    changes = [_change({"type": "delete"}), _change({"type": "delete"}, path="/p/g"), "no object"]
    text = item_text.item_block({"type": "fileChange", "status": "declined", "changes": changes})
    assert text == "± /p/f deleted (declined)\n± /p/g deleted (declined)\n"


@for_each(
    ("item", "text"),
    [
        ({"type": "reasoning", "summary": ["**Think**\nmore", " ", 5, "last "]}, "· **Think**\n· more\n· last\n"),
        ({"type": "reasoning", "summary": None}, ""),
        ({"type": "reasoning", "summary": "no list"}, ""),
        ({"type": "mcpToolCall", "server": "s", "tool": "t", "status": "completed"}, "⚙ s.t → completed\n"),
        (
            {"type": "mcpToolCall", "server": "s", "tool": "t", "status": "failed", "error": {"message": "no"}},
            "⚙ s.t → failed: no\n",
        ),
        (
            {"type": "dynamicToolCall", "namespace": None, "tool": "t", "status": "completed", "durationMs": 50},
            "⚙ t → completed · 0.1 s\n",
        ),
        ({"type": "collabAgentToolCall", "tool": "spawn", "status": "inProgress"}, "⚙ spawn → inProgress\n"),
        ({"type": "webSearch", "query": "flock"}, "⌕ flock\n"),
        ({"type": "webSearch", "query": "", "action": {"type": "search", "query": "flock"}}, "⌕ flock\n"),
        ({"type": "webSearch", "query": "", "action": None}, ""),
        ({"type": "plan", "text": "1. do"}, "1. do\n"),
        ({"type": "contextCompaction"}, "· context compacted\n"),
        ({"type": "imageView", "path": "/p/a.png"}, "· looked at /p/a.png\n"),
        ({"type": "imageGeneration", "savedPath": "/p/b.png", "status": "completed"}, "· image /p/b.png\n"),
        ({"type": "imageGeneration", "savedPath": None, "status": "failed"}, "· image failed\n"),
        ({"type": "enteredReviewMode", "review": "changes"}, "· review: changes\n"),
        ({"type": "userMessage"}, ""),
        ({"type": "aTypeOfANewerVersion"}, ""),
        ({"type": ["odd"]}, ""),
        ({}, ""),
    ],
)
def test_each_item_has_its_block_and_an_unknown_one_none(item: dict[str, Any], text: str) -> None:
    assert item_text.item_block(item) == text


def test_a_plan_is_one_step_a_line() -> None:
    steps = [("read", "completed"), ("write", "inProgress"), ("test", "pending"), ("rest", None)]
    plan = [{"step": step, "status": status} for step, status in steps]
    assert item_text.plan_block({"plan": plan}) == "☑ read\n▸ write\n☐ test\n☐ rest\n"
    assert item_text.plan_block({"plan": None}) == ""
    assert item_text.plan_block({"plan": ["odd"]}) == ""


def test_a_retry_and_an_end_are_told_apart() -> None:
    assert item_text.error_block({"error": {"message": "cut"}, "willRetry": True}) == "↻ cut\n"
    assert item_text.error_block({"error": {"message": "cut"}, "willRetry": False}) == "✗ cut\n"
    assert item_text.error_block({"error": None}) == ""


@for_each(
    ("method", "params", "text"),
    [
        ("warning", {"message": "two\nlines"}, "! two lines\n"),
        ("configWarning", {"summary": "no bubblewrap"}, "! no bubblewrap\n"),
        ("warning", {}, ""),
        ("model/rerouted", {"fromModel": "a", "toModel": "b"}, "! the model was changed from a to b\n"),
    ],
)
def test_a_notification_is_one_line(method: str, params: dict[str, Any], text: str) -> None:
    assert item_text.notice_block(method, params) == text


@for_each(
    "changes, changes_of, line",
    [
        ([{"path": "a", "added": 1, "removed": 0}], "work_tree", "± 1 file +1 −0\n"),
        ([{"path": "a", "added": 1, "removed": 0, "by": "command"}], "work_tree", "± 1 file +1 −0 (by a command)\n"),
        (
            [{"path": "a", "added": 1, "by": "command"}, {"path": "b"}],
            "work_tree",
            "± 2 files +1 −0 (1 by a command)\n",
        ),
        ([{"path": "a", "added": 1, "by": "command"}] * 2, "work_tree", "± 2 files +2 −0 (by commands)\n"),
        ([{"path": "a", "added": 1, "removed": 2}, {"path": "b", "binary": True}], None, "± 2 files +1 −2\n"),
        (
            [{"path": "a", "added": 1, "removed": 0}],
            "patches",
            "± 1 file +1 −0 (by patches; what commands wrote is not known)\n",
        ),
    ],
)
def test_how_much_changed_is_one_line(changes: list[dict[str, Any]], changes_of: str | None, line: str) -> None:
    assert item_text.changes_line(changes, changes_of) == line
