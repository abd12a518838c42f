"""Colours and weights for short texts on a terminal, without rich, whose import would double the time of `status`.

Owns the control sequences that we write ourselves: the sixteen colours that a terminal's own theme defines, so that
light and dark are both readable. Must never decide whether colours are allowed: `cli.output.ink` does.
"""

from __future__ import annotations

from enum import StrEnum


class Style(StrEnum):
    """A style, as the parameters of SGR (ECMA-48, 8.3.117)."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BLUE = "34"
    MAGENTA = "35"
    CYAN = "36"
    WARNING = "1;33"


class Ink:
    """Writes a text in a style; unchanged if no colours are allowed.

    The text must already be safe (`escape.neutralise`, `escape.one_line`), and its width measured before.
    """

    def __init__(self, *, is_coloured: bool) -> None:
        self.is_coloured = is_coloured

    def __call__(self, text: str, style: Style) -> str:
        """The text between the sequence of its style and a reset."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.is_coloured and text and style else text


PLAIN = Ink(is_coloured=False)
"""For pipes, `NO_COLOR` and tests."""
