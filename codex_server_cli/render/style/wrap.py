"""Breaking lines for a terminal: between words, and never inside a command, which must be copied whole.

Widths are in cells. What is given must be safe already (`escape`). Must never cut: what is too wide for a line has one
of its own, which the terminal itself folds, so that a copied command has no line end in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from codex_server_cli.render.style.ink import PLAIN, Ink, Style

Piece = tuple[str, Style]
"""A text and its look; a line is never broken inside of one by `joined`."""

_WORDS = re.compile(r"`[^`\n]*`\S*|codex-server [^`\n]*[^.`\n]$|\S+")
"""A command stands between backticks, or at the end of a line that no full stop ends."""

_GAP = " · "
_NARROW_UNTIL = "\u0300"
"""Every printable character before this one takes one cell."""


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


def cells(text: str) -> int:
    """How many cells a line of text takes on a terminal."""
    if max(text, default="") < _NARROW_UNTIL:
        return len(text)
    from rich.cells import cell_len  # 15 ms that plain text need not spend

    return cell_len(text)


def cut(line: str, width: int) -> str:
    """A line as at most `width` cells, with an ellipsis where something was cut."""
    if cells(line) <= width:
        return line
    if width < 1:
        return ""
    while cells(line) > width - 1:
        line = line[:-1]
    return line + "…"


def wrapped(text: str, width: int, indent: str = "", *, folds: bool = False) -> list[str]:
    """Text as lines of at most `width` cells, as far as its words and commands are no longer.

    Args:
        text: its line ends stay; a line that fits stays as it is.
        indent: what every line begins with.
        folds: break a word that is too long, too: every line begins with `indent` then. No command may be in it.
    """
    return [line for given in text.split("\n") for line in _lines(given, width, indent, folds=folds)]


def _lines(text: str, width: int, indent: str, *, folds: bool) -> list[str]:
    if cells(indent + text) <= width:
        return [f"{indent}{text}".rstrip()]
    start = indent + text[: len(text) - len(text.lstrip())]
    lines: list[str] = []
    for word in _WORDS.findall(text):
        if lines and cells(lines[-1]) + 1 + cells(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines += _folded(start + word, width, indent) if folds else [start + word]
    return lines


def _folded(line: str, width: int, indent: str) -> list[str]:
    pieces = [""]
    for char in line:
        if pieces[-1] not in ("", indent) and cells(pieces[-1] + char) > width:
            pieces.append(indent)
        pieces[-1] += char
    return pieces


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
