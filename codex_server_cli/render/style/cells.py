"""Text in the cells of a terminal: measured, cut, and broken into rows. Owns every such measure.

A wide character (CJK, emoji) takes two cells. Text must already be safe (`escape`). Light: rich, which knows the
widths, is loaded only for text that is not plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

BAR = "│ "
"""The prefix of each row of text that is not ours."""

_TAB = 4
_NARROW_UNTIL = "\u0300"
"""Every printable character with a lower code takes one cell."""

_WIDENING = "\ufe0f"
"""The variation selector that makes a symbol an emoji, and wide."""


def cells(text: str) -> int:
    """How many cells a line of text takes."""
    if _is_narrow(text):
        return len(text)
    return sum(map(_size, text))


def _is_narrow(text: str) -> bool:
    return text.isascii() or max(text) < _NARROW_UNTIL


@lru_cache(4096)  # one ellipsis makes a line not plain, and a board measures its lines each second
def _size(char: str) -> int:
    """The cells of one character. Each is counted separately: a row may then be too short if a terminal joins
    characters; with rich's count for joined ones, a row of joiners could be too long.
    """
    from rich.cells import get_character_cell_size  # 15 ms that plain text need not spend

    return 1 if char == _WIDENING else get_character_cell_size(char)


def _row_end(line: str, start: int, room: int, *, is_narrow: bool) -> int:
    """The end of the row that begins at `start`."""
    if is_narrow:
        return min(start + room, len(line))
    size = 0
    for at in range(start, len(line)):
        size += _size(line[at])
        if size > room:
            return at
    return len(line)


def cut(text: str, width: int, *, is_end: bool = False) -> str:
    """A line in at most `width` cells: its beginning (with `is_end` its end), and an ellipsis for the rest."""
    if cells(text) <= width:
        return text
    room = max(width - 1, 0)
    if not is_end:
        return f"{text[: _row_end(text, 0, room, is_narrow=_is_narrow(text))].rstrip()}…"[: max(width, 0)]
    kept = text[len(text) - room :]
    while (over := cells(kept) - room) > 0:
        kept = kept[(over + 1) // 2 :]  # at least so many characters are too many, as none is wider than two
    return f"…{kept}"[: max(width, 0)]


def fitted(text: str, width: int) -> str:
    """A line in exactly `width` cells: cut, or padded with blanks."""
    shown = cut(text, width)
    return shown + " " * (width - cells(shown))


def padded(column: Sequence[str], *, is_right: bool = False) -> list[str]:
    """The cells of a column, padded to the same width; numbers are right-aligned."""
    size = max(map(cells, column), default=0)
    return [" " * (size - cells(cell)) + cell if is_right else cell + " " * (size - cells(cell)) for cell in column]


def folded(line: str, width: int) -> list[str]:
    """A line as rows of at most `width` cells, broken at any character: joined they are the line; `[""]` if empty."""
    rows, start, room, is_narrow = [], 0, max(width, 2), _is_narrow(line)
    while start < len(line):
        end = _row_end(line, start, room, is_narrow=is_narrow)
        rows.append(line[start:end])
        start = end
    return rows or [""]


def broken(line: str, width: int) -> list[str]:
    """A line as rows of at most `width` cells, broken at blanks if there are any; `[""]` if empty.

    The blank at a break is dropped: use `folded` if every blank matters.
    """
    rows, start, room, is_narrow = [], 0, max(width, 2), _is_narrow(line)
    while start < len(line):
        end = _row_end(line, start, room, is_narrow=is_narrow)
        if end < len(line) and line[end] != " ":
            blank = line.rfind(" ", start, end)
            end = blank if line[start : max(blank, start)].strip() else end
        rows.append(line[start:end])
        start = end + (line[end : end + 1] == " ")
    return rows or [""]


def barred(text: str, width: int, *, bar: str = BAR, is_exact: bool = False) -> list[str]:
    """Foreign text with a bar before each row, so that it cannot be mistaken for ours; tabs become blanks.

    Args:
        bar: the prefix of each row.
        is_exact: break lines at any character, so that no blank of a command is lost at the end of a row.
    """
    room = width - len(bar)
    rows_of = folded if is_exact else broken
    return [bar + row for line in text.split("\n") for row in rows_of(line.expandtabs(_TAB), room)]
