"""Lines of a full screen: pieces of text, each with a style, that are cut and wrapped by cells. Owns their widths.

A wide character (CJK, emoji) takes two cells. Must never make text safe: what comes in is, and has no tab.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import chop_cells, set_cell_size

from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.wrap import cells

Line = list[tuple[str, Style]]
"""A line of a screen."""

BAR = "│ "
"""Before each row of text that is not ours."""

_TAB = 4


def cells_of(line: Line) -> int:
    """How many cells a line takes."""
    return sum(cells(text) for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """The line in at most `width` cells, with an ellipsis where it was longer."""
    if cells_of(line) <= width:
        return line
    room, number = max(width - 1, 0), 0
    while (size := cells(line[number][0])) <= room:
        room, number = room - size, number + 1
    text, style = line[number]
    return [*line[:number], (f"{set_cell_size(text, room).rstrip()}…"[: max(width, 0)], style)]


def cut_text(text: str, width: int, *, is_end: bool = False) -> str:
    """A text in at most `width` cells: its beginning, or with `is_end` its end."""
    if cells(text) <= width:
        return text
    room = max(width - 1, 0)
    if not is_end:
        return f"{set_cell_size(text, room).rstrip()}…"[: max(width, 0)]
    kept = text[-room:] if room else ""
    while cells(kept) > room:
        kept = kept[1:]
    return f"…{kept}"[: max(width, 0)]


def padded(column: Sequence[str], *, is_right: bool = False) -> list[str]:
    """The cells of a column, all of the same width; numbers to the right."""
    size = max(map(cells, column), default=0)
    return [" " * (size - cells(cell)) + cell if is_right else cell + " " * (size - cells(cell)) for cell in column]


def wrapped(text: str, width: int) -> list[str]:
    """One line of text as rows of at most `width` cells, broken at blanks where there are any; `[""]` of none."""
    rows, start, room = [], 0, max(width, 2)
    while start < len(text):
        row = chop_cells(text[start : start + room], room)[0]
        end = start + len(row)
        if end < len(text) and text[end] != " ":
            blank = row.rfind(" ")
            end = start + blank if blank > 0 and row[:blank].strip() else end
        rows.append(text[start:end])
        start = end + (text[end : end + 1] == " ")
    return rows or [""]


def barred(text: str, width: int, *, is_exact: bool = False) -> list[str]:
    """Text of somebody else behind a bar, so that it cannot pass for our own; tabs become blanks.

    Args:
        is_exact: break lines where they are full, so that no blank of a command is lost at the end of a row.
    """
    room = max(width - len(BAR), 2)
    lines = [line.expandtabs(_TAB) for line in text.split("\n")]
    return [
        BAR + row for line in lines for row in ((chop_cells(line, room) or [""]) if is_exact else wrapped(line, room))
    ]


def painted(line: Line, ink: Ink) -> str:
    """The line with the sequences of its colours."""
    return "".join(ink(text, style) for text, style in line)
