"""The live board of turns: its columns, and the lines below a turn. Owns what a narrow terminal omits.

A wide terminal shows a turn in one line, with its last line of output at the end; a narrow one shows that below, if it
is informative. A turn that waits for the user has the command that shows its request.
Must never read a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.documents.turn import time_left_s
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import objects_in, text_in
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.spinner import is_waiting
from codex_server_cli.render.status_line import clock, short_count
from codex_server_cli.render.style.cells import cells as cells_in
from codex_server_cli.render.style.cells import cut as cut_text
from codex_server_cli.render.style.cells import padded
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.style.when import age
from codex_server_cli.render.tables import short_path
from codex_server_cli.render.turns.cockpit.listing import rank, tokens_of
from codex_server_cli.render.turns.lines import Line, cells_of, cut
from codex_server_cli.render.turns.states import look, state_words
from codex_server_cli.render.turns.titles import title

WIDE = 120
"""The width from which a turn's last line of output is beside it."""

_GAP, _INDENT = "  ", "   "
_MARK = "❯"
_MIN_TITLE, _WANTED_TITLE, _MAX_TITLE, _MIN_PLACE, _MAX_PLACE, _MAX_STATE, _MIN_BESIDE = 10, 28, 40, 8, 24, 19, 24
_LONG = 4096
_WORDS = ("state", "time", "title", "tokens", "age", "directory", "id")
_NUMBERS = ("time", "tokens", "age")
_OPTIONAL = ("time", "age", "tokens")  # the most important first; the directory comes last


class BoardRow(NamedTuple):
    """A turn of a board.

    Attributes:
        last: the last line of its output, raw.
        prompt: the beginning of its prompt, raw.
    """

    view: TurnView
    last: str = ""
    prompt: str = ""


class BoardLook(NamedTuple):
    """How a board is drawn.

    Attributes:
        width: of the terminal, in cells.
        now_ms: Unix time.
        user_home: the directory that is shown as `~`.
        short_ids: by the whole ones.
        selected: the id of the turn that the keys act on.
        has_words: whether the columns have headings.
    """

    width: int
    now_ms: int
    user_home: str = "/"
    short_ids: Mapping[str, str] = {}
    selected: str | None = None
    has_words: bool = False


def height(view: TurnView, width: int) -> int:
    """How many lines a turn takes."""
    return 1 + _has_text_below(view, width) + is_waiting(view)


def _has_text_below(view: TurnView, width: int) -> bool:
    if view.phase is Phase.QUEUED:
        return width < WIDE and bool(view.meta.get("name"))  # its prompt is not its title
    return width < WIDE and (view.phase or view.state) not in (State.COMPLETE, State.CANCELLED)


def header(views: Sequence[TurnView], keys: Sequence[str], width: int) -> Line:
    """The first line: how many turns wait, run and are queued; then the first of `keys` that fits."""
    ranks = [rank(view) for view in views]
    waiting, running, queued = (ranks.count(number) for number in range(3))
    line: Line = []
    if waiting:
        line += [(f"{waiting} {'waits' if waiting == 1 else 'wait'} for you", Style.WARNING), (" · ", Style.PLAIN)]
    line.append((f"{running} running" if running else "nothing runs", Style.BOLD))
    if queued:
        line.append((f" · {queued} queued", Style.PLAIN))
    room = width - cells_of(line) - len(_GAP)
    shown = next((text for text in keys if cells_in(text) <= room), "")
    blank = " " * (room + len(_GAP) - cells_in(shown))
    return [*line, (blank, Style.PLAIN), (shown, Style.DIM)] if shown else cut(line, width)


def table(rows: Sequence[BoardRow], drawn: BoardLook) -> list[Line]:
    """The turns, each in `height` lines, none wider than the terminal."""
    columns = _columns(rows, drawn)
    lines: list[Line] = []
    if drawn.has_words and rows:
        lines.append([(_INDENT, Style.PLAIN), (_GAP.join(column[0] for column in columns.values()), Style.DIM)])
    for number, row in enumerate(rows, 1):
        lines += _lines(row, {name: column[number] for name, column in columns.items()}, drawn)
    return [cut(line, drawn.width) for line in lines]


def _columns(rows: Sequence[BoardRow], drawn: BoardLook) -> dict[str, list[str]]:
    """The padded cells of each column by its name, the heading first; the least informative columns are omitted."""
    cells = {name: [name.upper() if drawn.has_words else ""] for name in _WORDS}
    cells["directory"] = ["DIR" if drawn.has_words else ""]
    for row in rows:
        for name, text in _cells(row, drawn).items():
            cells[name].append(text)
    sizes = {name: max(map(cells_in, column)) for name, column in cells.items()}
    shown = {"state", "title", "id"}
    room = drawn.width - len(_INDENT) - sizes["state"] - sizes["id"] - 2 * len(_GAP)  # of the title
    if drawn.width >= WIDE:
        room -= _MIN_BESIDE
    for name in _OPTIONAL:
        if sizes[name] and room - sizes[name] - len(_GAP) >= _MIN_TITLE:
            shown.add(name)
            room -= sizes[name] + len(_GAP)
    wanted = min(sizes["title"], _WANTED_TITLE)
    longest = min(max(map(len, cells["directory"][1:]), default=0), _MAX_PLACE)
    place = min(room - wanted - len(_GAP), longest)
    if longest and place >= min(_MIN_PLACE, longest):
        shown.add("directory")
        room -= place + len(_GAP)
        cells["directory"][1:] = [short_path(path, drawn.user_home, place) for path in cells["directory"][1:]]
    if drawn.width >= WIDE:
        room = min(room, _MAX_TITLE)
    cells["title"] = [cut_text(text, max(room, 1)) for text in cells["title"]]
    return {name: padded(cells[name], is_right=name in _NUMBERS) for name in _WORDS if name in shown}


def _cells(row: BoardRow, drawn: BoardLook) -> dict[str, str]:
    view, tokens = row.view, tokens_of(row.view)
    place = one_line(text_in(view.meta.get("cwd")), _LONG)
    return {
        "state": cut_text(state_words(view._replace(error=None)), _MAX_STATE),
        "time": clock(view.elapsed_s) if view.elapsed_s is not None else "",
        "title": title(view, row.prompt, 400),
        "tokens": short_count(tokens) if tokens is not None else "",
        "age": age(time_ms(view.turn_id), drawn.now_ms),
        "directory": short_path(place, drawn.user_home, _LONG),
        "id": drawn.short_ids.get(view.turn_id, view.turn_id),
    }


def _lines(row: BoardRow, cells: Mapping[str, str], drawn: BoardLook) -> list[Line]:
    """One turn: its columns, its message beside or below them, and the command that shows its request."""
    glyph, style = look(row.view)
    is_selected = row.view.turn_id == drawn.selected
    first: Line = [(_MARK if is_selected else " ", Style.BOLD), (f"{glyph} {cells['state']}", style)]
    for name, cell in list(cells.items())[1:]:
        first += [(_GAP, Style.PLAIN), (cell, _style_of(name, is_selected=is_selected))]
    is_beside = drawn.width >= WIDE
    room = drawn.width - (cells_of(first) + len(_GAP) if is_beside else len(_INDENT))
    message = " ".join(neutralise(_message(row)).split())
    text = cut_text(message, room, is_end=row.view.phase is Phase.ANSWERING)
    piece = (text, Style.YELLOW if is_waiting(row.view) else Style.DIM)
    lines = [[*first, (_GAP, Style.PLAIN), piece] if is_beside else first]
    if _has_text_below(row.view, drawn.width):
        lines.append([(_INDENT, Style.PLAIN), piece])
    return [*lines, _answer_line(row.view, drawn)] if is_waiting(row.view) else lines


def _style_of(column: str, *, is_selected: bool) -> Style:
    if is_selected:
        return Style.BOLD
    return Style.PLAIN if column in ("time", "title", "tokens") else Style.DIM


def _message(row: BoardRow) -> str:
    """A turn's request, its error, the prompt of a queued one, or its last line of output."""
    view = row.view
    for entry in _waiting(view):
        return text_in(entry.get("message"))
    if view.error:
        return f"{view.error.get('kind')}: {view.error.get('message')}"
    return row.prompt if view.phase is Phase.QUEUED and view.meta.get("name") else row.last


def _waiting(view: TurnView) -> list[dict[str, Any]]:
    return objects_in(view.live.get("pending")) if is_waiting(view) else []


def _answer_line(view: TurnView, drawn: BoardLook) -> Line:
    """The line below a waiting turn; never the command that decides: a user cannot consent to what is not shown."""
    waiting = _waiting(view)
    command = of_turn("pending", drawn.short_ids.get(view.turn_id, view.turn_id))
    line: Line = [(_INDENT, Style.PLAIN), (command, Style.BOLD)]
    if len(waiting) > 1:
        line.append((f" · 1 of {len(waiting)}", Style.WARNING))
    left_s = time_left_s(waiting[0], drawn.now_ms) if waiting else None
    if left_s is not None:
        line.append((f" · {clock(left_s)} left", Style.DIM))
    return line
