"""The rows of a page at any width: of a text that grows, or one that stays. Owns that only what is new is wrapped."""

from __future__ import annotations

from collections.abc import Callable

from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.turns.lines import wrapped

_TAB = 4


class Sheet:
    """A page that stays as it is.

    Args:
        make: its rows at a width in cells: safe, and none wider.
    """

    def __init__(self, make: Callable[[int], list[str]]) -> None:
        self._make = make
        self._width = -1
        self._rows: list[str] = []

    def rows(self, width: int) -> list[str]:
        """All rows."""
        if width != self._width:
            self._width, self._rows = width, self._make(width)
        return self._rows


class GrowingSheet(Sheet):
    """Plain text that grows at its end. What it is given is raw.

    Args:
        make_first: the rows above it, as of `Sheet`; a new list each time.
    """

    def __init__(self, make_first: Callable[[int], list[str]]) -> None:
        super().__init__(make_first)
        self._lines = [""]
        self._done = 0  # lines that are wrapped, and grow no more

    def add(self, text: str) -> None:
        """Append text."""
        first, *more = neutralise(text).split("\n")
        self._lines[-1] += first
        self._lines += more

    def rows(self, width: int) -> list[str]:
        """All rows; the line end at the end of the text begins none."""
        if width != self._width:
            self._done = 0
        rows = super().rows(width)
        for line in self._lines[self._done : -1]:
            rows += wrapped(line.expandtabs(_TAB), width)
        self._done = len(self._lines) - 1
        return rows + wrapped(self._lines[-1].expandtabs(_TAB), width) if self._lines[-1] else rows
