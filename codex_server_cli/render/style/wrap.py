"""Breaking lines for a terminal: between words, and never inside a command, which must be copied whole.

Widths are in cells. What is given must be safe already (`escape`). Must never cut: what is too wide for a line has one
of its own, which the terminal itself folds, so that a copied command has no line end in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from codex_server_cli.render.style.cells import cells
from codex_server_cli.render.style.ink import PLAIN, Ink, Style

Piece = tuple[str, Style]
"""A text and its look; a line is never broken inside of one by `joined`."""

_WORDS = re.compile(r"`[^`\n]*`\S*|codex-server [^`\n]*[^.`\n]$|\S+")
"""A command stands between backticks, or at the end of a line that no full stop ends."""

_GAP = " · "


class Display(NamedTuple):
    """What a text is laid out for.

    Attributes:
        width: of the terminal, in cells.
        ink: its colours.
        now_ms: Unix time, for ages.
        user_home: the directory that is shown as `~`.
    """

    width: int
    ink: Ink = PLAIN
    now_ms: int = 0
    user_home: str = "/nowhere"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Text as lines of at most `width` cells, as far as its words and commands are no longer.

    Args:
        text: its line ends stay; a line that fits stays as it is.
        indent: what every line begins with.
    """
    return [line for given in text.split("\n") for line in _lines(given, width, indent)]


def _lines(text: str, width: int, indent: str) -> list[str]:
    if cells(indent + text) <= width:
        return [f"{indent}{text}".rstrip()]
    start = indent + text[: len(text) - len(text.lstrip())]
    lines: list[str] = []
    end = 0
    for word in _WORDS.finditer(text):
        longer = f"{lines[-1]}{text[end : word.start()]}{word[0]}" if lines else ""
        if lines and cells(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(start + word[0])
        end = word.end()
    return lines


def joined(
    pieces: Sequence[Piece], width: int, indent: str = "", ink: Ink = PLAIN, hanging: str | None = None
) -> list[str]:
    """Pieces with ` · ` between them as lines of at most `width` cells, as far as no piece is wider.

    Args:
        pieces: those without a text are left out.
        indent: what every line begins with; those after the first with `hanging`, where it is given.
    """
    lines: list[str] = []
    room = 0
    for text, style in pieces:
        if not text:
            continue
        size = cells(text)
        if lines and size + len(_GAP) <= room:
            lines[-1] += _GAP + ink(text, style)
            room -= size + len(_GAP)
        else:
            start = hanging if lines and hanging is not None else indent
            lines.append(start + ink(text, style))
            room = width - len(start) - size
    return lines
