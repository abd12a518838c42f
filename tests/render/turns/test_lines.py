"""Lines of a screen in cells: cut, wrapped, painted."""

from __future__ import annotations

from rich.cells import cell_len

from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.turns.lines import Line, barred, cut, cut_text, padded, painted, wrapped
from tests.kit.cases import for_each

LINE: Line = [("ab", Style.BOLD), ("研究", Style.DIM), ("cd", Style.PLAIN)]


@for_each(
    "width, shown",
    [(8, "ab研究cd"), (7, "ab研究…"), (6, "ab研…"), (5, "ab研…"), (4, "ab…"), (3, "ab…"), (1, "…"), (0, "")],
)
def test_a_line_is_cut_by_cells_with_an_ellipsis(width: int, shown: str) -> None:
    text = "".join(piece for piece, _ in cut(LINE, width))
    assert text == shown
    assert cell_len(text) <= width


@for_each(
    "width, begins, ends",
    [(10, "研究abc", "研究abc"), (6, "研究a…", "…究abc"), (4, "研…", "…abc"), (1, "…", "…"), (0, "", "")],
)
def test_a_text_is_cut_at_either_end(width: int, begins: str, ends: str) -> None:
    assert cut_text("研究abc", width) == begins
    assert cut_text("研究abc", width, is_end=True) == ends


def test_the_cells_of_a_column_are_padded_to_the_widest() -> None:
    assert padded(["a", "研究"]) == ["a   ", "研究"]
    assert padded(["1", "1234"], is_right=True) == ["   1", "1234"]
    assert padded([]) == []


@for_each(
    "text, width, rows",
    [
        ("", 10, [""]),
        ("fits", 10, ["fits"]),
        ("one two three", 8, ["one two", "three"]),
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 6, ["one", "two", "three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("    indented", 6, ["    in", "dented"]),
        ("研究研究", 5, ["研究", "研究"]),
        ("研究", 1, ["研", "究"]),
    ],
)
def test_a_line_is_wrapped_at_blanks_and_else_anywhere(text: str, width: int, rows: list[str]) -> None:
    assert wrapped(text, width) == rows


def test_text_of_others_stands_behind_a_bar() -> None:
    assert barred("one two\n\n\tx", 7) == ["│ one", "│ two", "│ ", "│     x"]


def test_each_piece_has_its_style() -> None:
    assert painted(LINE, Ink(is_coloured=True)) == "\x1b[1mab\x1b[0m\x1b[2m研究\x1b[0mcd"
