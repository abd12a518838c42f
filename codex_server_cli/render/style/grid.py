"""Tables for a terminal: aligned by cells, in colour, one line per row, never wider than the terminal.

Never for a pipe: `render.tables` makes the tables that agents read there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from codex_server_cli.render.escape import one_line
from codex_server_cli.render.style.cells import cells as cells_of
from codex_server_cli.render.style.cells import cut
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.wrap import Display

_GAP = 2
_LEAST_FLEXIBLE, _MAX_CELL = 8, 400


class Column(NamedTuple):
    """A column of safe, single-line texts.

    Attributes:
        heading: above it; "" if it needs none, like a column of glyphs, which has a smaller gap after it.
        cells: one per row.
        styles: of each cell, or of all of them.
        is_number: it is right-aligned.
        is_flexible: it is cut if the table is too wide; at most one column.
    """

    heading: str
    cells: Sequence[str]
    styles: Style | Sequence[Style] = Style.PLAIN
    is_number: bool = False
    is_flexible: bool = False


def grid(columns: Sequence[Column], width: int, ink: Ink) -> str:
    """The headings, if any, and the rows. Columns that do not fit are omitted."""
    shown = list(zip(columns, _widths(columns, width), strict=True))
    lines = [[_cell(column, column.heading, Style.DIM, room, ink) for column, room in shown]]
    if not any(column.heading for column in columns):
        lines = []
    for row in range(len(columns[0].cells)):
        lines.append([_cell(column, column.cells[row], _style(column, row), room, ink) for column, room in shown])
    gaps = [_gap_after(column) for column in columns]
    return "".join(f"{_joined(line, gaps)}\n" for line in lines)


def natural_width(columns: Sequence[Column]) -> int:
    """The width of a table if nothing is cut, in cells."""
    return sum(_sizes(columns)) + sum(map(_gap_after, columns[:-1]))


def styled_table(headings: Sequence[str], rows: Sequence[Sequence[str]], display: Display) -> str:
    """Like `render.tables.table`, from raw texts, but for a terminal: the last column is flexible."""
    cells = [[one_line(cell, _MAX_CELL) for cell in column] for column in zip(*rows, strict=True)]
    last = len(headings) - 1
    columns = [
        Column(heading, column, Style.PLAIN if at else Style.BOLD, is_flexible=at == last)
        for at, (heading, column) in enumerate(zip(headings, cells, strict=True))
    ]
    return grid(columns, display.width, display.ink)


def _joined(cells: Sequence[str], gaps: Sequence[int]) -> str:
    return "".join(cell + " " * gap for cell, gap in zip(cells, gaps, strict=True) if cell).rstrip(" ")


def _style(column: Column, row: int) -> Style:
    return column.styles if isinstance(column.styles, Style) else column.styles[row]


def _cell(column: Column, text: str, style: Style, room: int, ink: Ink) -> str:
    """A text of exactly `room` cells: padding is outside of the colours, so that it can be stripped."""
    text = cut(text, room)
    padding = " " * (room - cells_of(text))
    shown = ink(text, style)
    return padding + shown if column.is_number else shown + padding


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The cells of each column; 0 if it does not fit and is not flexible."""
    natural = _sizes(columns)
    over = natural_width(columns) - width
    sizes = [
        max(size - max(over, 0), min(size, _LEAST_FLEXIBLE)) if column.is_flexible else size
        for column, size in zip(columns, natural, strict=True)
    ]
    left, found = width, []
    for column, size in zip(columns, sizes, strict=True):
        is_first = left == width
        found.append(max(min(size, left), 0) if size <= left or column.is_flexible or is_first else 0)
        left -= size + _gap_after(column)
    return found


def _sizes(columns: Sequence[Column]) -> list[int]:
    return [max(map(cells_of, (column.heading, *column.cells))) for column in columns]


def _gap_after(column: Column) -> int:
    return _GAP if column.heading else 1
