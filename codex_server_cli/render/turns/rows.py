"""Turns as a list for a terminal: one line each, in colour. Owns its columns, and which of them a width has room for.

Imports rich's table of widths, so must never be imported for a pipe: `render.tables.turns_table` is what agents read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import text_in
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.status_line import short_count
from codex_server_cli.render.style.cells import cut_start
from codex_server_cli.render.style.grid import Column, grid
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.when import age
from codex_server_cli.render.tables import short_path
from codex_server_cli.render.turns.states import look, state_words
from codex_server_cli.render.turns.titles import title

_ALL_FROM, _STATE_FROM = 60, 120
"""The widths from which on there is more than the title, and the state in words, too."""

_MAX_PATH = 4096


def turn_rows(
    rows: Sequence[tuple[TurnView, str]],
    now_ms: int,
    home: str,
    width: int,
    ink: Ink,
    short: Mapping[str, str],
) -> str:
    """The headings and a line for each turn, none wider than the terminal; "" for no turns.

    Args:
        rows: turns in their order, each with the beginning of its prompt, raw.
        now_ms: Unix time, for how long ago each was started.
        home: the directory that is shown as `~`.
        width: of the terminal, in cells.
        ink: what colours them, or does not.
        short: the short id by the whole one (`core.model.short_ids`); an id that is not in it is shown whole.
    """
    if not rows:
        return ""
    views = [view for view, _ in rows]
    marks, styles = zip(*map(look, views), strict=True)
    columns = [
        Column("", marks, styles),
        Column("TURN", [short.get(view.turn_id, view.turn_id) for view in views], Style.BOLD),
    ]
    if width >= _STATE_FROM:
        columns.append(Column("STATE", [one_line(state_words(view), 40) for view in views], styles))
    if width >= _ALL_FROM:
        columns.append(when_column([time_ms(view.turn_id) for view in views], now_ms))
    columns.append(Column("TITLE", [title(view, prompt, width) for view, prompt in rows], is_flexible=True))
    if width >= _ALL_FROM:
        columns.append(directory_column([text_in(view.meta.get("cwd")) for view in views], home, width))
        columns.append(Column("TOKENS", [_tokens(view) for view in views], is_number=True))
    return grid(columns, width, ink)


def when_column(times_ms: Sequence[int | None], now_ms: int) -> Column:
    """How long ago each of these Unix times was; empty where it is not known."""
    return Column("WHEN", [age(at_ms, now_ms) for at_ms in times_ms], Style.DIM, is_number=True)


def directory_column(paths: Sequence[str], home: str, width: int) -> Column:
    """Directories by their end, in at most a quarter of the terminal's width; `~` for the home."""
    shown = [short_path(one_line(path, _MAX_PATH), home, _MAX_PATH) for path in paths]
    return Column("DIR", [_end_of(path, width // 4) for path in shown], Style.DIM)


def _end_of(path: str, width: int) -> str:
    """As many whole names at the end of a path as fit; the end of the last one where that does not."""
    end = cut_start(path, width)
    at = end.find("/") if end != path else -1
    return f"…{end[at:]}" if at > 0 else end


def _tokens(view: TurnView) -> str:
    usage = view.result.get("usage") or view.live.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return short_count(tokens) if isinstance(tokens, int) else ""
