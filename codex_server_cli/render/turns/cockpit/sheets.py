"""The rows of a page at any width. Owns that they are made once for each."""

from __future__ import annotations

from collections.abc import Callable


class Sheet:
    """A page that stays as it is.

    Args:
        make: its rows at a width in cells: safe, and none wider.
    """

    def __init__(self, make: Callable[[int], list[str]]) -> None:
        self._make = make
        self._width = -1
        self._rows: list[str] = []

    def read(self, *, is_over: bool) -> None:
        """Read what has come since, where it grows; `is_over`: for the last time."""

    def close(self) -> None:
        """Let go of what it reads; it is shown no more."""

    def rows(self, width: int) -> list[str]:
        """All rows."""
        if width != self._width:
            self._width, self._rows = width, self._make(width)
        return self._rows
