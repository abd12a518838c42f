"""Unified diffs on a terminal: which line is a header, added or removed, and how it looks. Light: without rich.

Owns the colours of a diff, and that no control sequence in one reaches the terminal. Must never omit a line: users
decide about a diff by what they see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.style.cells import folded
from codex_server_cli.render.style.ink import Ink, Style

_TAB = 4
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_STYLE_OF_SIGN = {"+": Style.GREEN, "-": Style.RED, "\\": Style.DIM}


def diff_lines(patch: str, ink: Ink, *, width: int | None = None) -> list[str]:
    """A unified or git diff as safe lines: headers bold, hunks cyan, additions green, removals red.

    A carriage return shows as `␍`, also at the end of a line; a tab as blanks.

    Args:
        patch: raw.
        width: the most cells of a line; a longer one is folded. None leaves that to the terminal.
    """
    lines = patch.removesuffix("\n").split("\n") if patch else []
    return [
        ink(row, style) for line, style in zip(lines, _styles(lines), strict=True) for row in _rows(_safe(line), width)
    ]


def _styles(lines: list[str]) -> Iterator[Style]:
    """The style of each line. Inside a hunk only the sign counts: a removed `-- x` is not a header."""
    old = new = 0  # remaining lines of the hunk
    for line in lines:
        hunk = _HUNK.match(line)
        sign = line[:1]
        if old > 0 or new > 0:
            old -= sign not in ("+", "\\")
            new -= sign not in ("-", "\\")
            yield _STYLE_OF_SIGN.get(sign, Style.PLAIN)
        elif hunk is not None:
            old, new = (int(count or 1) for count in hunk.groups())
            yield Style.CYAN
        elif sign in _STYLE_OF_SIGN and not line.startswith(("--- ", "+++ ")):
            yield _STYLE_OF_SIGN[sign]  # a hunk whose head has no numbers, as in a model's own patch
        else:
            yield _style_outside(line)


def _style_outside(line: str) -> Style:
    if line.startswith("@@"):
        return Style.CYAN
    return Style.PLAIN if line[:1] in ("", " ") else Style.DIM if line.startswith("index ") else Style.BOLD


def _safe(line: str) -> str:
    return neutralise(line[:1] + line[1:].expandtabs(_TAB))


def _rows(line: str, width: int | None) -> list[str]:
    """The line, folded at a width in cells."""
    return [line] if width is None else folded(line, width)
