"""Text by the cells that it takes: cut, wrapped, and in columns."""

from __future__ import annotations

from codex_server_cli.render.style.cells import cut, cut_start, wrap
from codex_server_cli.render.style.grid import Column, grid
from codex_server_cli.render.style.ink import PLAIN, Ink, Style
from tests.kit.cases import for_each


@for_each(
    "width, end, start",
    [
        (10, "日本語 abc", "日本語 abc"),
        (9, "日本語 a…", "…本語 abc"),
        (7, "日本語…", "…語 abc"),
        (6, "日本…", "… abc"),
        (1, "…", "…"),
        (0, "", ""),
    ],
)
def test_a_text_is_cut_by_cells_at_its_end_or_at_its_beginning(width: int, end: str, start: str) -> None:
    assert (cut("日本語 abc", width), cut_start("日本語 abc", width)) == (end, start)


@for_each(
    "text, width, lines",
    [
        ("one two three", 8, ["one two", "three"]),
        ("one two three", 80, ["one two three"]),
        ("a\n\n  b c", 4, ["a", "", "  b", "c"]),
        ("/a/very/long/path here", 6, ["/a/ver", "y/long", "/path", "here"]),
        ("日本語の", 5, ["日本", "語の"]),
        ("", 10, [""]),
        ("日本", 1, ["日", "本"]),
    ],
)
def test_a_text_is_wrapped_between_words_and_within_long_ones(text: str, width: int, lines: list[str]) -> None:
    assert wrap(text, width) == lines


def test_columns_are_aligned_by_cells_and_numbers_to_the_right() -> None:
    columns = [
        Column("", ["✓", "✗"], [Style.GREEN, Style.RED]),
        Column("NAME", ["日本", "ab"]),
        Column("N", ["1", "200"], is_number=True),
    ]
    assert grid(columns, 80, PLAIN).splitlines() == ["  NAME    N", "✓ 日本    1", "✗ ab    200"]
    coloured = grid(columns[:1], 80, Ink(is_coloured=True))
    assert coloured == "\x1b[32m✓\x1b[0m\n\x1b[31m✗\x1b[0m\n"


@for_each(
    "width, line",
    [(40, "ab  one two three four  12"), (20, "ab  one two thr…  12"), (9, "ab  one…"), (3, "ab"), (1, "…")],
)
def test_the_flexible_column_gives_way_first_and_then_the_last_ones(width: int, line: str) -> None:
    columns = [
        Column("A", ["ab"]),
        Column("B", ["one two three four"], is_flexible=True),
        Column("C", ["12"]),
    ]
    assert grid(columns, width, PLAIN).splitlines()[1] == line
