"""Text by the cells that it takes on a terminal, of which an emoji needs two. Owns cutting and wrapping by them.

Imports rich's table of widths, so must never be imported for a pipe. What it is given must be safe, and has no colours
yet.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

_WORD = re.compile(r"\S+\s*|\s+")
_PHRASE = re.compile(r"`[^`]*`\S*\s*|codex-server \S+\s*|\S+\s*|\s+")
_COMMAND = re.compile(r"`|codex-server ")


def cut(text: str, width: int) -> str:
    """A line of at most `width` cells, with an ellipsis where it is cut."""
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1).rstrip()}…" if width > 0 else ""


def cut_start(text: str, width: int) -> str:
    """The same, but the end is kept: the most informative part of a path."""
    if cell_len(text) <= width:
        return text
    start = next((at for at in range(len(text)) if cell_len(text[at:]) < width), len(text))
    return f"…{text[start:]}" if width > 0 else ""


def wrap(text: str, width: int, *, keeps_commands: bool = False) -> list[str]:
    """A text in lines of at most `width` cells, broken between words, and within those that are longer than a line.

    What stands at the beginning of a line is kept, as is an empty line; there is one line at least.

    Args:
        keeps_commands: a command of ours, or in backquotes, is not broken, so that it can be copied: the terminal does
            that where it is too long. For texts of ours alone.
    """
    words = _PHRASE if keeps_commands else _WORD
    paragraphs = text.expandtabs(4).split("\n")
    return [line for paragraph in paragraphs for line in _wrap_line(paragraph, max(width, 2), words)]


def _wrap_line(line: str, width: int, words: re.Pattern[str]) -> list[str]:
    if cell_len(line) <= width:
        return [line.rstrip()]
    lines = [""]
    for word in words.findall(line):
        if lines[-1] and cell_len(lines[-1] + word.rstrip()) > width:
            lines.append("")
        for piece in _pieces(word, width, words):
            if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
                lines.append("")
            lines[-1] += piece
    return [each.rstrip() for each in lines]


def _pieces(word: str, width: int, words: re.Pattern[str]) -> list[str]:
    """A word, or its characters where it is longer than a line; but not a command."""
    is_kept = words is _PHRASE and _COMMAND.match(word) is not None
    return [word] if is_kept or cell_len(word.rstrip()) <= width else list(word)
