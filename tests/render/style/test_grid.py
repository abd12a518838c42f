"""Tables for a terminal."""

from __future__ import annotations

from codex_server_cli.render.style.grid import Column, grid
from codex_server_cli.render.style.ink import PLAIN, Ink, Style
from tests.kit.cases import for_each


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
