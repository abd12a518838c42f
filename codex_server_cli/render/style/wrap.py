"""Breaking lines for a terminal: between words, and a command only if it does not fit on a line.

Widths are in cells. Text must already be safe (`escape`). Must never cut: a word that is too wide for a line has its
own, which the terminal itself folds; a command is continued after a backslash, so that a copy of it runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from codex_server_cli.render.style.cells import cells
from codex_server_cli.render.style.ink import PLAIN, Ink, Style

Piece = tuple[str, Style]
"""A text and its style; `joined` never breaks a line inside one."""

_WORDS = re.compile(
    r"`[^`\n]*`\S*"
    r"|codex-server [^`\n]*[^.`\n]$"
    r"|codex-server (?:(?:server|remote) )?[a-z][a-z-]*(?: \d{8}-\d+-\S+)?\S*"
    r"|\S+"
)
"""A command is between backticks, or at the end of a line without a full stop. In a sentence its verb and the turn
belong to it."""

_ARGUMENTS = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+|\S""")
"""One word of a shell command."""
_GOES_ON = " \\"

_GAP = " · "


class Display(NamedTuple):
    """The terminal that a text is laid out for.

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
    """Text as lines of at most `width` cells, unless a word or the word of a command is longer.

    Args:
        text: its line ends are kept; a line that fits is unchanged.
        indent: the beginning of every line.
    """
    return [line for given in text.split("\n") for line in _lines(given, width, indent)]


def command_rows(command: str, width: int) -> list[str]:
    """A command as rows of at most `width` cells, unless a word is longer; a copy of them is the same command.

    It is broken between shell words, and each row except the last ends with a backslash.
    """
    rows: list[str] = []
    end = 0
    words = list(_ARGUMENTS.finditer(command))
    for word in words:
        gap = command[end : word.start()]
        longer = f"{rows[-1]}{gap}{word[0]}" if rows else word[0]
        room = width if word is words[-1] else width - len(_GOES_ON)
        if rows and gap and cells(longer) > room:
            rows[-1] += _GOES_ON
            rows.append(word[0])
        else:
            rows[-1:] = [longer]
        end = word.end()
    return rows


def arrowed(command: str, display: Display) -> list[str]:
    """The command to run next as lines after an arrow; none for an empty one."""
    rows = command_rows(command, display.width - 4)
    return [f"  {' ' if number else '→'} {display.ink(row, Style.BOLD)}" for number, row in enumerate(rows)]


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
            lines += [start + row for row in command_rows(word[0], width - cells(start))]
        end = word.end()
    return lines


def joined(
    pieces: Sequence[Piece], width: int, indent: str = "", ink: Ink = PLAIN, hanging: str | None = None
) -> list[str]:
    """Pieces with ` · ` between them as lines of at most `width` cells, unless a piece is wider.

    Args:
        pieces: those without text are omitted.
        indent: the beginning of every line; `hanging`, if given, replaces it after the first line.
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
