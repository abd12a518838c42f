"""Facts and findings for a terminal: a label and a value, wrapped with a hanging indent. Owns that layout.

Never for a pipe, where lines are not wrapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.style.cells import broken
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.style.wrap import Display, command_rows, wrapped

_GAP, _BELOW = "  ", "    "
_LEAST_ROOM = 26
"""If there are fewer cells beside the labels, values are below them."""

_MAX_VALUE = 4096
_LOOK_OF = {True: ("✓", Style.GREEN), None: ("!", Style.WARNING), False: ("✗", Style.RED)}


class Fact(NamedTuple):
    """One fact.

    Attributes:
        label: our own text.
        value: raw text, shown as one line; a fact without one is omitted.
        style: of the value.
        is_command: it is a command, which must stay copyable if it is broken into rows.
    """

    label: str
    value: str | None
    style: Style = Style.PLAIN
    is_command: bool = False


def facts_block(facts: Sequence[Fact], display: Display) -> str:
    """A line for each fact, or more on a narrow terminal."""
    width, ink = display.width, display.ink
    known = [fact for fact in facts if fact.value]
    pad = max((len(fact.label) for fact in known), default=0)
    lines: list[str] = []
    for label, value, style, is_command in known:
        room = _room(pad + len(_GAP), width)
        shown = one_line(value or "", _MAX_VALUE)
        pieces = [ink(piece, style) for piece in (command_rows if is_command else broken)(shown, room)]
        lines += _hanging(ink(label, Style.DIM), len(label), pad + len(_GAP), pieces, width)
    return _text(lines)


def checks_block(checks: Sequence[tuple[str, bool, str, str]], display: Display) -> str:
    """Checks: a mark, the name, what was found, and what to do. One that is ok and has a hint is a warning.

    Args:
        checks: name, whether it is ok, detail and hint of each, as for `notes.check_lines`.
    """
    width, ink = display.width, display.ink
    indent = max(len(name) for name, *_ in checks) + len(_GAP) * 2
    lines: list[str] = []
    for name, is_ok, detail, hint in checks:
        mark, style = _LOOK_OF[None if is_ok and hint else is_ok]
        room = _room(indent, width)
        pieces = [ink(line, Style.PLAIN if is_ok else style) for line in broken(one_line(detail, _MAX_VALUE), room)]
        pieces += wrapped(neutralise(hint), room) if hint else []
        lines += _hanging(ink(f"{mark} {name}", style), len(name) + 2, indent, pieces, width)
    return _text(lines)


def _room(indent: int, width: int) -> int:
    """The cells for a value: beside its label, or below it."""
    return width - indent if width - indent >= _LEAST_ROOM else width - len(_BELOW)


def _hanging(label: str, size: int, indent: int, pieces: Sequence[str], width: int) -> list[str]:
    """A label of `size` cells with the pieces beside it, or below it if there is no room."""
    if width - indent < _LEAST_ROOM:
        return [label, *(_BELOW + piece for piece in pieces)]
    first, *others = pieces
    return [label + " " * (indent - size) + first, *(" " * indent + piece for piece in others)]


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
