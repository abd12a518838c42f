"""Splits Markdown into blocks while it streams: complete blocks can be printed, the rest is still open.

Owns where a block ends: at a blank line, but never inside a fence or between the items of a list. Must never know how a
block looks. The renderer owns Markdown's grammar: a wrong split affects only the layout, never the text.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")


class MarkdownBlocks:
    """Takes streamed text. `feed` returns the blocks that it completes, `flush` also the open one."""

    def __init__(self) -> None:
        self._lines: list[str] = []  # of the open block, whole ones
        self._tail: list[str] = []  # the line that is still growing, in pieces: joining each time would be quadratic
        self._opener = ""  # of the open fence: its first line
        self._fence = ""  # its run of marks; "" outside of any
        self._is_list = False
        self._has_gap = False  # a list was followed by a blank line: the next line shows whether it continues

    @property
    def open_text(self) -> str:
        """The block that is still growing, raw."""
        return "\n".join([*self._lines, "".join(self._tail)]).strip("\n")

    def feed(self, text: str) -> list[str]:
        """Add text.

        Returns:
            The blocks that are complete now, oldest first, without blank lines around them.
        """
        if "\n" not in text:
            self._tail.append(text)
            return []
        *lines, rest = "".join([*self._tail, text]).split("\n")
        self._tail = [rest]
        return [block for line in lines for block in self._take(line.removesuffix("\r"))]

    def flush(self) -> list[str]:
        """Close the open block. An open fence is reopened for the rest of its text."""
        line, self._tail = "".join(self._tail), []
        finished = self._take(line) if line.strip() else []
        opener, fence, lines = self._opener, self._fence, self._lines
        blocks = [*finished, *self._close(lines)]
        if not fence:
            return blocks
        self._lines, self._opener, self._fence = [opener], opener, fence
        return finished if lines == [opener] else blocks

    def end(self) -> list[str]:
        """Close the open block for good: the message is over."""
        blocks = self.flush()
        self._close([])
        return blocks

    def _take(self, line: str) -> list[str]:
        if self._fence:
            self._lines.append(line)
            marks = line.strip()
            is_end = len(marks) >= len(self._fence) and set(marks) == {self._fence[0]}
            if is_end:
                self._opener = self._fence = ""
            return self._close(self._lines) if is_end and not self._is_list else []
        if not line.strip():
            return self._take_blank()
        finished = self._close(self._lines) if self._ends_before(line) else []
        self._has_gap = False
        return [*finished, *self._open(line)]

    def _take_blank(self) -> list[str]:
        if self._is_list:
            self._lines.append("")
            self._has_gap = True
            return []
        return self._close(self._lines)

    def _ends_before(self, line: str) -> bool:
        """Whether this line ends the open block."""
        begins_one = _FENCE.match(line) is not None or _HEADING.match(line) is not None
        if self._is_list:
            is_inside = line[0] in " \t" or _ITEM.match(line) is not None
            return not is_inside and (self._has_gap or begins_one)
        return bool(self._lines) and begins_one

    def _open(self, line: str) -> list[str]:
        fence = _FENCE.match(line)
        if fence is not None:
            self._opener, self._fence = line, fence[1]
        elif not self._lines and _ITEM.match(line):
            self._is_list = True
        self._lines.append(line)
        is_whole = not self._is_list and _HEADING.match(line) is not None
        return self._close(self._lines) if is_whole else []

    def _close(self, lines: list[str]) -> list[str]:
        block = "\n".join(lines).strip("\n")
        self._lines, self._opener, self._fence = [], "", ""
        self._is_list = self._has_gap = False
        return [block] if block.strip() else []
