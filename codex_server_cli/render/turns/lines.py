"""Lines of a full screen: pieces of text, each with a style, that are cut by cells.

Must never make text safe: the caller passes safe text without tabs.
"""

from __future__ import annotations

from codex_server_cli.render.style.cells import cells
from codex_server_cli.render.style.cells import cut as cut_text
from codex_server_cli.render.style.ink import Ink, Style

Line = list[tuple[str, Style]]
"""A line of a screen."""


def cells_of(line: Line) -> int:
    """How many cells a line takes."""
    return sum(cells(text) for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """The line in at most `width` cells, with an ellipsis if it was longer."""
    if cells_of(line) <= width:
        return line
    room, number = max(width, 0), 0
    while (size := cells(line[number][0])) < room:
        room, number = room - size, number + 1
    text, style = line[number]
    # An ellipsis is needed even if this piece alone would fit, because more follows it.
    return [*line[:number], (cut_text(text if size > room else f"{text} ", room), style)]


def painted(line: Line, ink: Ink) -> str:
    """The line with the escape sequences of its colours."""
    return "".join(ink(text, style) for text, style in line)
