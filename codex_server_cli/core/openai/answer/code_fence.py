"""Removes the code fence from a streamed answer that should be JSON (`response_format: json_object`). Owns the text
that is held back for it. Text that is not one fenced block is unchanged.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"\s*```[ \t]*[\w+-]*[ \t]*\r?\n")
_MAY_OPEN = re.compile(r"\s*(?:`{0,2}|```[ \t]*[\w+-]*[ \t]*\r?)\Z")
_CLOSING = "```"


class CodeFence:
    """Passes text on without an opening fence at its beginning and the matching fence at its end."""

    def __init__(self) -> None:
        self._buffered = ""
        self._is_open: bool | None = None  # whether it began with a fence; None while that is unknown

    def feed(self, text: str) -> str:
        """Add a piece; returns what may be shown now."""
        buffered = self._buffered + text
        if self._is_open is None:
            opening = _OPENING.match(buffered)
            if opening is None and _MAY_OPEN.match(buffered):
                self._buffered = buffered
                return ""
            self._is_open = opening is not None
            buffered = buffered[opening.end() :] if opening is not None else buffered
        shown = len(buffered) - (_n_closing(buffered) if self._is_open else 0)
        self._buffered = buffered[shown:]
        return buffered[:shown]

    def flush(self) -> str:
        """End the text; returns what was held back, without the closing fence."""
        buffered, self._buffered = self._buffered, ""
        return "" if self._is_open and buffered.strip() == _CLOSING else buffered


def _n_closing(text: str) -> int:
    """How many characters at the end of the text may belong to a closing fence: space, backticks, space."""
    body = text.rstrip()
    inner = body.rstrip("`")
    n_ticks = len(body) - len(inner)
    is_fence = n_ticks == len(_CLOSING) or (0 < n_ticks < len(_CLOSING) and body == text)
    return len(text) - len(inner.rstrip() if is_fence else body)
