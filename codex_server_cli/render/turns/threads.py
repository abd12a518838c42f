"""Threads of Codex as a list for a terminal: one line each. Owns its columns, and which of them fit a width.

Never for a pipe: `render.tables.table` is what agents read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from codex_server_cli.render.escape import one_line
from codex_server_cli.render.style.grid import Column, grid
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.style.wrap import Display
from codex_server_cli.render.turns.rows import directory_column, when_column

_ALL_FROM, _MODEL_FROM = 60, 100
"""The widths from which more than the title is shown, and also the model."""

_MAX_MODEL = 24


class ThreadRow(NamedTuple):
    """The facts about a thread in a list: raw text.

    Attributes:
        used_at_ms: Unix time when it was last used; None if unknown.
        name: its name in Codex.
        prompt: the first one.
    """

    thread_id: str
    used_at_ms: int | None
    name: str | None
    prompt: str | None
    cwd: str
    model: str | None


def thread_rows(rows: Sequence[ThreadRow], short: Mapping[str, str], display: Display) -> str:
    """The headings and a line for each thread, none wider than the terminal.

    Args:
        rows: at least one.
        short: the short id by the whole one.
    """
    width = display.width
    titles = [one_line(row.name or row.prompt or "(no prompt)", width) for row in rows]
    columns = [Column("THREAD", [short.get(row.thread_id, row.thread_id) for row in rows], Style.BOLD)]
    if width >= _ALL_FROM:
        columns.append(when_column([row.used_at_ms for row in rows], display.now_ms))
    columns.append(Column("TITLE", titles, is_flexible=True))
    if width >= _ALL_FROM:
        columns.append(directory_column([row.cwd for row in rows], display.user_home, width))
    if width >= _MODEL_FROM:
        columns.append(Column("MODEL", [one_line(row.model or "", _MAX_MODEL) for row in rows], Style.DIM))
    return grid(columns, width, display.ink)
