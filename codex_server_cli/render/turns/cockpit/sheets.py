"""The rows of a page at any width. Owns that they are made only once per width."""

from __future__ import annotations

from collections.abc import Callable


class Sheet:
    """A page whose content does not change.

    Args:
        make: returns its rows for a width in cells: safe, and none wider.
    """

    def __init__(self, make: Callable[[int], list[str]]) -> None:
        self._make = make
        self._width = -1
        self._rows: list[str] = []

    def read(self, *, is_over: bool) -> None:
        """Read new content, if the page grows; `is_over`: for the last time."""

    def close(self) -> None:
        """Close the file that it reads, if any; the page is no longer shown."""

    def rows(self, width: int) -> list[str]:
        """All rows."""
        if width != self._width:
            self._width, self._rows = width, self._make(width)
        return self._rows
