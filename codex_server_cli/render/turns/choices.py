"""The rows of a list to choose from: aligned cells, cut to the width. Owns which cells a narrow terminal omits."""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.render.escape import one_line
from codex_server_cli.render.style.cells import cells, fitted

_GAP = 2
_LEAST_FIRST = 20  # columns of the first cell; the last cells are omitted before it has fewer
_MOST_CELL = 40


def choice_rows(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """One safe line for each row, at most `width` columns wide.

    Args:
        rows: raw cells, the same number in each; the first one gets the remaining width.
    """
    safe = [[one_line(cell, 200) for cell in row] for row in rows]
    widths = [min(max(map(cells, column)), _MOST_CELL) for column in list(zip(*safe, strict=True))[1:]]
    while widths and width - sum(widths) - _GAP * len(widths) < _LEAST_FIRST:
        widths.pop()
    first = max(width - sum(widths) - _GAP * len(widths), 1)
    longest = max((cells(row[0]) for row in safe), default=1)
    sizes = [min(first, longest), *widths]
    return [
        (" " * _GAP).join(fitted(cell, size) for cell, size in zip(row, sizes, strict=False)).rstrip() for row in safe
    ]
