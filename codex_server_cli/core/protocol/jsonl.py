"""Bytes to lines. Owns the only splitting of a byte stream; must never know what a line means.

Lines end only at `\\n`: `str.splitlines` also cuts at U+2028 and U+0085, which are legal inside JSON strings,
and asyncio's `readline` fails past 64 KiB while app-server lines reach megabytes.
"""

from __future__ import annotations

MAX_LINE_BYTES = 256 * 1024 * 1024
"""A longer line is dropped whole: app-server lines of 3 MB were seen, none near this."""


class LineDecoder:
    """Split a byte stream into complete lines, however it was chunked.

    `feed` returns the completed lines; `flush` returns the unfinished rest at the end of the stream. A line
    over `max_line_bytes` is dropped while it arrives and counted in `dropped_lines`.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.dropped_lines = 0
        self._max_line_bytes = max_line_bytes
        self._parts: list[bytes] = []  # the unfinished line, in pieces: joining once keeps a 50 MB line linear
        self._size = 0
        self._is_dropping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newline, oldest first."""
        head, newline, rest = data.partition(b"\n")
        if not newline:
            self._keep(head)
            return []
        lines = rest.split(b"\n")
        tail = lines.pop()
        if len(data) > self._max_line_bytes:
            lines = self._without_oversized(lines)
        self._keep(head)
        if self._is_dropping:
            self.dropped_lines += 1
        else:
            lines.insert(0, b"".join(self._parts))
        self._parts, self._size, self._is_dropping = [], 0, False
        self._keep(tail)
        return lines

    def flush(self) -> bytes | None:
        """The unfinished last line, or None if the stream ended with a newline."""
        rest = b"".join(self._parts)
        self.dropped_lines += self._is_dropping
        self._parts, self._size, self._is_dropping = [], 0, False
        return rest or None

    def _without_oversized(self, lines: list[bytes]) -> list[bytes]:
        fitting = [line for line in lines if len(line) <= self._max_line_bytes]
        self.dropped_lines += len(lines) - len(fitting)
        return fitting

    def _keep(self, piece: bytes) -> None:
        if not piece or self._is_dropping:
            return
        self._size += len(piece)
        if self._size > self._max_line_bytes:
            self._parts, self._is_dropping = [], True
        else:
            self._parts.append(piece)
