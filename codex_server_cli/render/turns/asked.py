"""A turn's request as rows of a terminal: complete, after a bar, each command and patch as it would be run or applied.

The one layout of a request, for every shell that may decide it. Must never omit, join or alter the request: a row ends
only where it is full, and all rows joined are the request.
"""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.render.approvals import AskedRow
from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.style.cells import BAR, barred
from codex_server_cli.render.style.diff import diff_lines
from codex_server_cli.render.style.ink import Ink, Style


def asked_lines(parts: Sequence[AskedRow], width: int, ink: Ink, bar: Style = Style.DIM) -> list[str]:
    """The parts of a request as safe rows: a patch with its signs in their colours, a command bold.

    Args:
        parts: raw.
        width: of the terminal, in cells.
        bar: the style of the bar before each row.
    """
    return [ink(BAR.strip(), bar) + BAR[1:] + row for part in parts for row in _rows(part, width - len(BAR), ink)]


def _rows(part: AskedRow, room: int, ink: Ink) -> list[str]:
    if part.is_patch:
        return diff_lines(part.text, ink, width=room)
    style = Style.BOLD if part.is_command else Style.PLAIN
    return [ink(row, style) for row in barred(neutralise(part.text), room, bar="", is_exact=True)]
