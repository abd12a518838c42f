"""The status line after a turn's text on a terminal while there is no output. Owns its text, and how it is shortened.

Plain text, and never wider than allowed; `cli.terminal.spinner` prints and erases it.
"""

from __future__ import annotations

from functools import lru_cache

from codex_server_cli.core.model.turn import Phase, parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result.commands import PROGRAM
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.status_line import clock

_WAITING = (Phase.WAITING_APPROVAL, Phase.WAITING_INPUT)
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SILENT_MS = 10_000
"""Codex's silence is shown after this time."""
_TAB = 8


def spinner_line(view: TurnView, frame: int, now_ms: int, width: int) -> str:
    """A running turn in one line of at most `width` characters; the least informative parts are omitted first.

    Args:
        frame: a counter; each shows another character.
        now_ms: Unix time, for how long Codex has been silent.
    """
    mark, phase = _FRAMES[frame % len(_FRAMES)], str(view.phase)
    since = [clock(view.elapsed_s)] if view.elapsed_s is not None else []
    command = pending_command(view)
    if is_waiting(view) and view.live.get("pending"):
        tries = ([f"{mark} {phase}", *since, command], [f"{mark} {phase}", command], [f"{mark} {command}"])
    else:
        tries = ([f"{mark} {phase}", *since, *_silence(view, now_ms)], [f"{mark} {phase}", *since], [f"{mark} {phase}"])
    lines = [" · ".join(parts) for parts in tries]
    return one_line(next((line for line in lines if len(line) <= width), lines[-1]), width)


def is_waiting(view: TurnView) -> bool:
    """Whether a turn waits for the user."""
    return view.phase in _WAITING


def pending_command(view: TurnView) -> str:
    """The command to type if a turn waits for the user, and the whole request does not fit.

    Never the command that decides it: a user cannot consent to what is not shown.
    """
    return f"{PROGRAM} pending {view.turn_id}"


def _silence(view: TurnView, now_ms: int) -> list[str]:
    heard_ms = parse_time_ms(view.live.get("last_activity"))
    if view.phase is Phase.QUEUED or heard_ms is None or now_ms - heard_ms < _SILENT_MS:
        return []
    return [f"silent for {clock((now_ms - heard_ms) / 1000)}"]


@lru_cache(1)  # called for each frame
def column_after(line: str, width: int) -> int:
    """The cursor's column on a terminal after an unterminated line, as `neutralise` shows it.

    Returns:
        Cells from the left; `width` if the last cell is used and the next character wraps.
    """
    from rich.cells import get_character_cell_size

    column = 0
    for char in neutralise(line):
        if char == "\t":
            column = min((column // _TAB + 1) * _TAB, width - 1) if column < width else column
            continue
        cells = get_character_cell_size(char)
        column = column + cells if column + cells <= width else cells
    return column
