"""Turns as a list for a terminal: one line each, in colour. Owns its columns, and which of them fit a width.

Never for a pipe: `render.tables.turns_table` is what agents read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import text_in
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.status_line import short_count
from codex_server_cli.render.style.cells import cut
from codex_server_cli.render.style.grid import Column, grid
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.when import age
from codex_server_cli.render.tables import duration, short_path
from codex_server_cli.render.turns.states import look, state_words
from codex_server_cli.render.turns.titles import title

_ALL_FROM, _STATE_FROM = 60, 120
"""The widths from which more than the title is shown, and also the state in words."""

_MAX_PATH, _MAX_PROMPT = 4096, 80
_UNBOUNDED = 1_000_000


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
        ink: colours them, if allowed.
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


def long_turn_rows(rows: Sequence[tuple[TurnView, str]], home: str, ink: Ink) -> str:
    """Every column in its full width, so that the terminal may wrap lines; "" for no turns.

    Args:
        rows: turns in their order, each with the beginning of its prompt, raw.
        home: the directory that is shown as `~`.
        ink: colours them, if allowed.
    """
    if not rows:
        return ""
    views = [view for view, _ in rows]
    styles = [look(view)[1] for view in views]
    columns = [
        Column("TURN", [view.turn_id for view in views], Style.BOLD),
        Column("STATE", [_safe(state_words(view)) for view in views], styles),
        Column("STARTED", [_safe(text_in(view.meta.get("started_at"))[:19]) for view in views]),
        Column("TOOK", [duration(view.elapsed_s) for view in views], is_number=True),
        Column("TOKENS", [_tokens(view) for view in views], is_number=True),
        Column("MODEL", [_safe(text_in(view.meta.get("model"))) for view in views]),
        Column("EFFORT", [_safe(text_in(view.meta.get("effort"))) for view in views]),
        Column("THREAD", [_safe(view.thread_id or "") for view in views]),
        Column("DIR", [short_path(_safe(text_in(view.meta.get("cwd"))), home, _MAX_PATH) for view in views]),
        Column("NAME", [_safe(text_in(view.meta.get("name"))) for view in views]),
        Column("PROMPT", [one_line(prompt, _MAX_PROMPT) for _, prompt in rows]),
    ]
    return grid(columns, _UNBOUNDED, ink)


def _safe(text: str) -> str:
    return one_line(text, _MAX_PATH)


def when_column(times_ms: Sequence[int | None], now_ms: int) -> Column:
    """How long ago each of these Unix times was; empty if unknown."""
    return Column("WHEN", [age(at_ms, now_ms) for at_ms in times_ms], Style.DIM, is_number=True)


def directory_column(paths: Sequence[str], home: str, width: int) -> Column:
    """Directories by their end, in at most a quarter of the terminal's width; `~` for the home."""
    shown = [short_path(one_line(path, _MAX_PATH), home, _MAX_PATH) for path in paths]
    return Column("DIR", [_end_of(path, width // 4) for path in shown], Style.DIM)


def _end_of(path: str, width: int) -> str:
    """As many whole names at the end of a path as fit; the end of the last one if that does not fit."""
    end = cut(path, width, is_end=True)
    at = end.find("/") if end != path else 0
    return f"…{end[at:]}" if at > 1 else end


def _tokens(view: TurnView) -> str:
    usage = view.result.get("usage") or view.live.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return short_count(tokens) if isinstance(tokens, int) else ""
