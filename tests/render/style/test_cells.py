"""Text in cells: measured, cut, and broken so that nothing is lost."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from codex_server_cli.render.style.cells import barred, broken, cells, cut, fitted, folded, padded
from tests.kit.cases import for_each

TEXTS = st.text(st.sampled_from("ab  -é漢究😀❤…\u0301\u200d\ufe0f"), max_size=60)


def test_width_is_counted_in_cells() -> None:
    assert [cells(text) for text in ("", "plain", "é", "漢字", "…")] == [0, 5, 1, 4, 1]


@for_each(
    "width, begins, ends",
    [(10, "研究abc", "研究abc"), (6, "研究a…", "…究abc"), (4, "研…", "…abc"), (1, "…", "…"), (0, "", "")],
)
def test_a_text_is_cut_at_either_end(width: int, begins: str, ends: str) -> None:
    assert cut("研究abc", width) == begins
    assert cut("研究abc", width, is_end=True) == ends


def test_no_blank_stands_before_an_ellipsis() -> None:
    assert [cut(text, 5) for text in ("plain", "plainer", "漢字漢字", "one two")] == ["plain", "plai…", "漢字…", "one…"]


def test_the_cells_of_a_column_are_padded_to_the_widest() -> None:
    assert padded(["a", "研究"]) == ["a   ", "研究"]
    assert padded(["1", "1234"], is_right=True) == ["   1", "1234"]
    assert padded([]) == []
    assert [fitted("研究", size) for size in (5, 4, 3, 2)] == ["研究 ", "研究", "研…", "… "]


@for_each(
    "text, width, rows",
    [
        ("", 10, [""]),
        ("fits", 10, ["fits"]),
        ("one two three", 8, ["one two", "three"]),
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 6, ["one", "two", "three"]),
        ("one  two three", 9, ["one  two", "three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("    indented", 6, ["    in", "dented"]),
        ("研究研究", 5, ["研究", "研究"]),
        ("研究", 1, ["研", "究"]),
    ],
)
def test_a_line_is_broken_at_blanks_and_else_anywhere(text: str, width: int, rows: list[str]) -> None:
    assert broken(text, width) == rows


@given(TEXTS, st.integers(2, 30))
def test_no_row_is_wider_than_the_terminal_and_nothing_but_blanks_is_lost(text: str, width: int) -> None:
    assert "".join(folded(text, width)) == text
    assert "".join(broken(text, width)).replace(" ", "") == text.replace(" ", "")
    for row in (*folded(text, width), *broken(text, width), cut(text, width), cut(text, width, is_end=True)):
        assert cell_len(row) <= width
    assert cells(fitted(text, width)) == width


def test_a_long_wide_text_is_cut_at_once() -> None:
    text = "漢字" * 100_000
    began_s = time.process_time()
    assert (cut(text, 80), cut(text, 80, is_end=True)) == ("漢字" * 19 + "漢…", "…字" + "漢字" * 19)
    assert time.process_time() - began_s < 2  # it took hours when each character was measured anew


def test_joiners_hide_no_character_from_the_count() -> None:
    assert (cells("x\u200d" * 50), len(folded("x\u200d" * 50, 10))) == (50, 5)
    assert cells("❤\ufe0f") == 2


def test_text_of_others_stands_behind_a_bar() -> None:
    assert barred("one two\n\n\tx", 7) == ["│ one", "│ two", "│ ", "│     x"]
    assert barred("one  two", 6, bar="> ", is_exact=True) == ["> one ", ">  two"]
