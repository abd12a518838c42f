"""Terms with their explanations, as `--help` lists flags and verbs, for a terminal of any width.

Owns only the layout: lines break between words, never inside one, and a term is never cut. The text must be our own,
in which every character takes one cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import TextWrapper

from codex_server_cli.render.style.ink import Ink, Style

_INDENT = 2
_GAP = 2
_MOST_TERM = 30
"""A longer term has its own line, so that it does not push all explanations to the right."""
_LEAST_COLUMNS = 70
"""On a narrower terminal each explanation is under its term."""
_UNDER = " " * 6


def wrap(text: str, width: int, begin: str = "") -> str:
    """A paragraph in lines of at most `width` columns, except for a longer word, each with the prefix `begin`."""
    return TextWrapper(
        width, initial_indent=begin, subsequent_indent=begin, break_long_words=False, break_on_hyphens=False
    ).fill(text)


def definitions(rows: Sequence[tuple[str, str]], width: int, ink: Ink) -> str:
    """Terms and their explanations: side by side if there is room, else below each other.

    Args:
        rows: each a term and its explanation, which may be "".
        width: columns of the terminal.
    """
    if width < _LEAST_COLUMNS:
        return "\n".join(_stacked(term.strip(), text, width, ink) for term, text in rows)
    fitting = [len(term) for term, _ in rows if len(term) <= _MOST_TERM]
    column = _INDENT + max(fitting, default=_MOST_TERM) + _GAP
    return "\n".join(_beside(term, text, column, width, ink) for term, text in rows)


def _stacked(term: str, text: str, width: int, ink: Ink) -> str:
    head = " " * _INDENT + ink(term, Style.CYAN)
    return f"{head}\n{wrap(text, width, _UNDER)}" if text else head


def _beside(term: str, text: str, column: int, width: int, ink: Ink) -> str:
    head = " " * _INDENT + ink(term, Style.CYAN)
    if not text:
        return head
    lines = wrap(text, width, " " * column)
    room = column - _INDENT - len(term)
    return f"{head}\n{lines}" if room < _GAP else head + " " * room + lines[column:]
