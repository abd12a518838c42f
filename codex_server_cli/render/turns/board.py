"""The live board of turns: which ones fit, and how they look. Owns order, columns, and emphasis.

A wide terminal shows a turn in one line, with its last line of output at the end; a narrow one puts that below, for
turns where it is informative. Turns that wait for the user always keep their room, and the command that answers them.
Must never read a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from codex_server_cli.core.documents.turn import time_left_s
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import objects_in, text_in
from codex_server_cli.core.result.commands import PROGRAM
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.spinner import is_waiting, pending_command
from codex_server_cli.render.status_line import clock, short_count
from codex_server_cli.render.tables import short_path

WIDE = 120
"""Columns from which on a turn's last line of output is beside it."""

Row = tuple[TurnView, str]
"""A turn, and its last line of output."""

_GAP, _INDENT = "  ", "  "
_KEYS = "q quits"
_NEEDED_COLUMNS = 3  # state, time and turn: cut rather than left out
_MAX_NAME, _MAX_PLACE, _MIN_PLACE, _MAX_PATH = 16, 24, 8, 4096
_EMPHASIS, _DIM = "bold yellow", "dim"
_STYLE_OF = {  # by phase or state: mark and style
    Phase.WAITING_APPROVAL: ("!", _EMPHASIS),
    Phase.WAITING_INPUT: ("!", _EMPHASIS),
    Phase.QUEUED: ("·", _DIM),
    State.COMPLETE: ("✓", "green"),
    State.CANCELLED: ("–", _DIM),
    State.FAILED: ("✗", "red"),
    State.ABANDONED: ("✗", "red"),
    State.UNREADABLE: ("?", _DIM),
}
_RUNNING = ("▸", "cyan")


def fitting(views: Sequence[TurnView], width: int, height: int, limit: int | None = None) -> list[TurnView]:
    """The turns that fit, newest first.

    Where not all fit, turns that wait for the user come before running, those before queued, and those before ended
    ones.

    Args:
        limit: how many at the most.
    """
    newest = sorted(views, key=lambda view: view.turn_id, reverse=True)
    room = height - 1  # the first line has the counts
    if sum(_height(view, width) for view in newest) > room or len(newest) > (limit or len(newest)):
        room -= 1  # the last one says that there are more
    chosen = set()
    for view in sorted(newest, key=_importance)[:limit]:
        room -= _height(view, width)
        if room < 0:
            break
        chosen.add(view.turn_id)
    return [view for view in newest if view.turn_id in chosen]


def _importance(view: TurnView) -> int:
    if view.state is not State.RUNNING:
        return 3
    return 0 if is_waiting(view) else 2 if view.phase is Phase.QUEUED else 1


def _height(view: TurnView, width: int) -> int:
    return 1 + _has_text_below(view, width) + is_waiting(view)


def _has_text_below(view: TurnView, width: int) -> bool:
    return width < WIDE and (view.phase or view.state) not in (Phase.QUEUED, State.COMPLETE, State.CANCELLED)


def board(rows: Sequence[Row], views: Sequence[TurnView], now_ms: int, user_home: str, width: int) -> Text:
    """The whole board, at most `width` cells wide.

    Args:
        rows: the turns to show, in their order.
        views: all turns.
        now_ms: Unix time, for the time left to answer.
        user_home: the directory that is shown as `~`.
    """
    lines = [_header(views, width)]
    table = _columns([view for view, _ in rows], user_home, width)
    for (view, last), cells in zip(rows, table, strict=True):
        lines += _lines(view, cells, _message(view, last), width)
        if is_waiting(view):
            lines.append(_answer_line(view, now_ms))
    if len(rows) < len(views):
        lines.append(Text(_others(rows, views), _DIM))
    if not views:
        lines.append(Text("No turns.", _DIM))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n", no_wrap=True).join(lines)


def _header(views: Sequence[TurnView], width: int) -> Text:
    ranks = [_importance(view) for view in views]
    waiting, running, queued = (ranks.count(rank) for rank in range(3))
    header = Text()
    if waiting:
        header.append(f"{waiting} {'waits' if waiting == 1 else 'wait'} for you", _EMPHASIS).append(" · ")
    header.append(f"{running} running" if running else "nothing runs", "bold")
    if queued:
        header.append(f" · {queued} queued")
    room = width - header.cell_len - len(_KEYS)
    return header.append(" " * room).append(_KEYS, _DIM) if room > 0 else header


def _others(rows: Sequence[Row], views: Sequence[TurnView]) -> str:
    running = sum(view.state is State.RUNNING for view in views)
    hidden = running - sum(view.state is State.RUNNING for view, _ in rows)
    return f"… {hidden} more running: {PROGRAM} status" if hidden else f"… more: {PROGRAM} list-turns"


def _columns(views: Sequence[TurnView], user_home: str, width: int) -> list[list[str]]:
    """The cells of each turn, padded; the least informative columns are left out where there is no room for them."""
    table = [_cells(view, is_wide=width >= WIDE) for view in views]
    columns: list[list[str]] = []
    room = width - len(_INDENT)  # of the mark
    for column in zip(*table, strict=True):
        size = max(map(cell_len, column))
        if size > room and len(columns) >= _NEEDED_COLUMNS:
            break
        if size:
            columns.append(_padded(column))
            room -= size + len(_GAP)
    places = [one_line(text_in(view.meta.get("cwd")), _MAX_PATH) for view in views]
    if room >= _MIN_PLACE and any(places):
        columns.append(_padded([short_path(place, user_home, min(room, _MAX_PLACE)) for place in places]))
    return [list(cells) for cells in zip(*columns, strict=True)]


def _padded(column: Sequence[str]) -> list[str]:
    size = max(map(cell_len, column))
    return [set_cell_size(cell, size) for cell in column]


def _cells(view: TurnView, *, is_wide: bool) -> list[str]:
    """The cells of a turn but for its directory, the most important first."""
    name = one_line(text_in(view.meta.get("name")), _MAX_NAME)
    usage = view.result.get("usage") or view.live.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return [
        str(view.phase or view.state),
        clock(view.elapsed_s) if view.elapsed_s is not None else "",
        *((view.turn_id, name) if is_wide else (name or view.turn_id,)),
        short_count(tokens) if isinstance(tokens, int) else "",
    ]


def _message(view: TurnView, last: str) -> str:
    """What a turn asks, why it failed, or its last line of output."""
    for entry in _waiting(view):
        return text_in(entry.get("message"))
    return f"{view.error.get('kind')}: {view.error.get('message')}" if view.error else last


def _waiting(view: TurnView) -> list[dict[str, Any]]:
    return objects_in(view.live.get("pending")) if is_waiting(view) else []


def _answer_line(view: TurnView, now_ms: int) -> Text:
    waiting = _waiting(view)
    line = Text.assemble(_INDENT, (neutralise(pending_command(view)), "bold"))
    left_s = time_left_s(waiting[0], now_ms) if waiting else None
    if left_s is not None:
        line.append(f" · {clock(left_s)} left", _DIM)
    if len(waiting) > 1:
        line.append(f" · {len(waiting) - 1} more", _EMPHASIS)
    return line


def _lines(view: TurnView, cells: list[str], message: str, width: int) -> list[Text]:
    """One turn, without the command that answers it."""
    mark, style = _STYLE_OF.get(view.phase or view.state, _RUNNING)
    state, *others = cells
    line = Text.assemble((f"{mark} {state}", style), _GAP, _GAP.join(others))
    is_beside = width >= WIDE
    text = Text(_GAP if is_beside else _INDENT)
    room = width - len(text) - (line.cell_len if is_beside else 0)
    text.append(_cut(message, room, is_end=view.phase is Phase.ANSWERING), style if is_waiting(view) else _DIM)
    if is_beside:
        return [line.append_text(text)]
    return [line, text] if _has_text_below(view, width) else [line]


def _cut(message: str, room: int, *, is_end: bool) -> str:
    """The beginning of a text, or the end of one that grows, in one line of `room` characters."""
    line = neutralise(" ".join(message.split()))
    if len(line) <= room:
        return line
    kept = max(room, 1) - 1
    return f"…{line[len(line) - kept :]}" if is_end else f"{line[:kept]}…"
