"""Threads of Codex as a list for a terminal: one line each. Owns its columns, and which of them a width has room for.

Imports rich's table of widths, so must never be imported for a pipe: `render.tables.table` is what agents read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from codex_server_cli.render.escape import one_line
from codex_server_cli.render.style.grid import Column, grid
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.turns.rows import directory_column, when_column

_ALL_FROM, _MODEL_FROM = 60, 100
"""The widths from which on there is more than the title, and the model, too."""

_MAX_MODEL = 24


class ThreadRow(NamedTuple):
    """What a list tells of a thread: raw text.

    Attributes:
        used_at_ms: Unix time when it was last used; None where that is not known.
        name: the one that it was given in Codex.
        prompt: the first one.
    """

    thread_id: str
    used_at_ms: int | None
    name: str | None
    prompt: str | None
    cwd: str
    model: str | None


def thread_rows(
    rows: Sequence[ThreadRow], now_ms: int, home: str, width: int, ink: Ink, short: Mapping[str, str]
) -> str:
    """The headings and a line for each thread, none wider than the terminal.

    Args:
        rows: at least one.
        now_ms: Unix time, for how long ago each was used.
        home: the directory that is shown as `~`.
        width: of the terminal, in cells.
        ink: what colours them, or does not.
        short: the short id by the whole one.
    """
    titles = [one_line(row.name or row.prompt or "(no prompt)", width) for row in rows]
    columns = [Column("THREAD", [short.get(row.thread_id, row.thread_id) for row in rows], Style.BOLD)]
    if width >= _ALL_FROM:
        columns.append(when_column([row.used_at_ms for row in rows], now_ms))
    columns.append(Column("TITLE", titles, is_flexible=True))
    if width >= _ALL_FROM:
        columns.append(directory_column([row.cwd for row in rows], home, width))
    if width >= _MODEL_FROM:
        columns.append(Column("MODEL", [one_line(row.model or "", _MAX_MODEL) for row in rows], Style.DIM))
    return grid(columns, width, ink)
