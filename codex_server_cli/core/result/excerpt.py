"""The beginning of a long text. Owns where it is cut; must never decide the limit."""

from __future__ import annotations

_LAST_PART = 0.2
"""The text is cut at a line or word boundary only within its last fifth."""


def beginning_of(text: str, most_chars: int) -> str:
    """The text, cut at the end of a line or a word if it is longer than so many characters."""
    if len(text) <= most_chars:
        return text
    earliest = int(most_chars * (1 - _LAST_PART))
    for border in ("\n", " "):
        at = text.rfind(border, earliest, most_chars + 1)
        if at > 0:
            return text[:at]
    return text[:most_chars]
