"""The layout of a request: nothing of it is altered, and nothing in it passes for another row."""

from __future__ import annotations

from typing import Any

from codex_server_cli.render.approvals import AskedRow, request_rows
from codex_server_cli.render.style.ink import PLAIN, Ink, Style
from codex_server_cli.render.turns.asked import asked_lines

COPY = 'cp -r "/srv/data  old/a"   "/srv/data  new/b"  && echo   "done  it"'
ENTRY: dict[str, Any] = {"kind": "command", "command": COPY, "cwd": "/p", "answer_with": "approve"}
FORGED = "reason: harmless\n± other.txt +1 −0\n- x\n@@ x\n"


def test_no_blank_of_a_command_is_lost_where_a_row_ends() -> None:
    for width in range(20, 80):
        rows = asked_lines([AskedRow(f"$ {COPY}", is_command=True)], width, PLAIN)
        assert "".join(row.removeprefix("│ ") for row in rows) == f"$ {COPY}"
        assert max(map(len, rows)) <= width


def test_a_command_is_bold_and_the_bar_has_the_look_of_its_place() -> None:
    rows = asked_lines(request_rows(ENTRY | {"command": "true\nfalse"}), 80, Ink(is_coloured=True), Style.WARNING)
    bar = "\x1b[1;33m│\x1b[0m"
    assert rows[1:] == [f"{bar} \x1b[1m$ true\x1b[0m", f"{bar} \x1b[1mfalse\x1b[0m", f"{bar} in /p"]


def test_the_content_of_a_new_file_has_its_signs_so_that_no_line_of_it_passes_for_a_row_of_ours() -> None:
    change = {"path": "/p/new.txt", "kind": {"type": "add"}, "diff": FORGED}
    rows = asked_lines(request_rows(ENTRY | {"kind": "patch", "command": None, "changes": [change]}), 60, PLAIN)
    assert rows[2:] == [f"│ +{line}" for line in FORGED.splitlines()]
    coloured = asked_lines(request_rows({"changes": [change]}), 60, Ink(is_coloured=True))
    assert {row.split(" ", 1)[1][:5] for row in coloured[2:]} == {"\x1b[32m"}


def test_blanks_within_the_lines_of_a_patch_stay() -> None:
    patch = '@@ -1 +1 @@\n-a = "x  y"      # one\n+a = "x   y"     # two\n'
    (head, *rows) = asked_lines([AskedRow(patch, is_patch=True)], 14, PLAIN)
    assert head == "│ @@ -1 +1 @@"
    assert "".join(row.removeprefix("│ ") for row in rows) == patch.partition("\n")[2].replace("\n", "")
