"""Diffs on a terminal: what is a header, added or removed; and nothing in one is obeyed, or left out."""

from __future__ import annotations

import pytest

from codex_server_cli.render.style.diff import diff_lines
from codex_server_cli.render.style.ink import PLAIN, Ink, Style

INK = Ink(is_coloured=True)
PATCH = """diff --git a/app.py b/app.py
index 1c5a..9f00 100644
--- a/app.py
+++ b/app.py
@@ -1,3 +1,3 @@ def hello():
 first
--- x
+++ y

\\ No newline at end of file
"""


def styles_of(patch: str) -> list[Style]:
    """The style of each line, by its sequence."""
    return [
        Style(line[2 : line.index("m")]) if line.startswith("\x1b") else Style.PLAIN for line in diff_lines(patch, INK)
    ]


def test_a_diff_has_bold_headers_cyan_hunks_and_its_two_colours() -> None:
    headers = [Style.BOLD, Style.DIM, Style.BOLD, Style.BOLD]
    assert styles_of(PATCH) == [*headers, Style.CYAN, Style.PLAIN, Style.RED, Style.GREEN, Style.PLAIN, Style.DIM]


def test_a_diff_is_the_same_text_without_colours() -> None:
    assert diff_lines(PATCH, PLAIN) == PATCH.removesuffix("\n").split("\n")


@pytest.mark.parametrize(
    ("line", "style"),
    [
        ("@@", Style.CYAN),
        ("@@ def hello():", Style.CYAN),
        ("+added", Style.GREEN),
        ("-removed", Style.RED),
        (" kept", Style.PLAIN),
        ("", Style.PLAIN),
        ("*** Update File: app.py", Style.BOLD),
        ("Binary files a/x and b/x differ", Style.BOLD),
        ("# left out, the diff is too long: x", Style.BOLD),
    ],
)
def test_a_line_outside_of_a_counted_hunk_is_told_by_its_beginning(line: str, style: Style) -> None:
    assert styles_of(f"{line}\n-x\n")[0] == style


def test_a_hunk_of_one_line_a_side_needs_no_counts() -> None:
    assert styles_of("@@ -1 +1 @@\n--- a\n+++ b\n--- c\n") == [Style.CYAN, Style.RED, Style.GREEN, Style.BOLD]


def test_nothing_in_a_diff_is_obeyed_and_line_ends_of_windows_are_seen() -> None:
    assert diff_lines("+a\tb\x1b[31m\r\n+\u202ec\n", PLAIN) == ["+a   b␛[31m␍", "+\\u202ec"]


def test_an_empty_diff_has_no_line() -> None:
    assert diff_lines("", PLAIN) == []


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("+abcdefgh", ["+abcd", "efgh"]),
        ("+日本語", ["+日本", "語"]),
        ("+日", ["+日"]),
        ("", [""]),
        ("é", ["é"]),
    ],
)
def test_a_long_line_is_folded_in_cells_and_never_cut(line: str, rows: list[str]) -> None:
    assert diff_lines(f" x\n{line}\n", PLAIN, width=5)[1:] == rows
