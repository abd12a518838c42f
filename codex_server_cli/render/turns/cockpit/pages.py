"""The lines around a cockpit's content: the head of a page, the last line with its keys, the help."""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.core.documents.turn import time_left_s
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import objects_in
from codex_server_cli.render.approvals import (
    question_choices,
    question_rows,
    questions_of,
    request_rows,
    wants_words,
)
from codex_server_cli.render.changes import doubt_note
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.spinner import is_waiting
from codex_server_cli.render.status_line import clock
from codex_server_cli.render.style.cells import barred, broken
from codex_server_cli.render.style.cells import cut as cut_text
from codex_server_cli.render.style.diff import diff_lines
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.turns.asked import asked_lines
from codex_server_cli.render.turns.cockpit.state import Cockpit, Intent, LineBuffer, OnScreen, OpenRequest, Pane
from codex_server_cli.render.turns.lines import Line, cells_of, cut
from codex_server_cli.render.turns.states import look, state_words
from codex_server_cli.render.turns.titles import title

_GAP = "  "
_CURSOR = "▏"
_SHORTER = {"approve it": "approve", "decline it": "decline", "for this turn": "whole turn"}  # descriptions of keys
_HELP = (
    ("↑ ↓ j k", "another turn; g G first, last; PgUp PgDn"),
    ("Enter", "its text, as it grows"),
    ("d", "what it changed"),
    ("a", "see what it asks for, then approve it"),
    ("x", "see what it asks for, then decline it"),
    ("r", "answer its question"),
    ("c", "cancel it"),
    ("/", "show only turns that hold a text"),
    ("s", "order: by state, age or tokens"),
    ("Ctrl-L", "draw the screen anew"),
    ("q Esc", "back; q on the board leaves it"),
)


def help_rows(width: int) -> list[str]:
    """The keys and what they do, at any width."""
    return [cut_row(f"{keys:<8} {what}", width) for keys, what in _HELP]


def cut_row(text: str, width: int) -> str:
    """A row of plain text, cut to a width."""
    return "".join(piece for piece, _ in cut([(text, Style.PLAIN)], width))


def page_head(view: TurnView, prompt: str, short_id: str, page: str, width: int, *, is_timed: bool = True) -> Line:
    """The first line of a page: the turn and its state; with `is_timed` also its elapsed time."""
    glyph, style = look(view)
    since = [clock(view.elapsed_s)] if is_timed and view.elapsed_s is not None else []
    facts = " · ".join(["", *since, short_id, page])
    line: Line = [(f"{glyph} {neutralise(state_words(view))}", style), (facts, Style.DIM)]
    room = width - cells_of(line) - len(_GAP)
    return cut([*line, (_GAP, Style.PLAIN), (title(view, prompt, max(room, 1)), Style.BOLD)], width)


def page_name(state: Cockpit, now_ms: int, place: tuple[int, int] = (1, 1)) -> str:
    """The name of a page; for a request also its number and its remaining time.

    Args:
        place: its number among the requests of its turn, from 1 on, and how many these are.
    """
    if state.asked is None:
        return str(state.pane)
    left_s = time_left_s(state.asked.entry, now_ms)
    left = f"{clock(left_s)} left" if left_s is not None else ""
    number, count = place
    which = f"{number} of {count}" if count > 1 else ""
    return " · ".join(filter(None, (which, f"{state.asked.intent}?", left)))


def prompt_rows(prompt: str, width: int, ink: Ink) -> list[str]:
    """A turn's prompt, above its text."""
    rows = barred(neutralise(prompt.strip()), width) if prompt.strip() else []
    return [*(ink(row, Style.DIM) for row in rows), *([""] if rows else [])]


def diff_rows(diff: str, changes_of: str | None, width: int, *, is_running: bool, ink: Ink) -> list[str]:
    """What a turn changed, after notes about it."""
    notes = [doubt_note(changes_of, is_running=is_running)]
    if not diff:
        notes.insert(0, "it has changed no file" + (" so far" if is_running else ""))
    rows = [ink(row, Style.DIM) for note in notes if note for row in broken(note, width)]
    return [*rows, *diff_lines(diff, ink, width=width)]


def asked_rows(asked: OpenRequest, width: int, ink: Ink) -> list[str]:
    """A turn's whole request, with coloured patches; of its questions the one to answer now."""
    if not wants_words(asked.entry):
        return asked_lines(request_rows(asked.entry), width, ink)
    first = 0 if asked.intent is Intent.DECLINE else asked.questions
    questions = questions_of(asked.entry)[first:]
    shown = questions if asked.intent is Intent.DECLINE else questions[:1]
    return asked_lines([*request_rows(asked.entry), *question_rows(shown)], width, ink)


def foot_height(state: Cockpit) -> int:
    """How many lines `foot` returns."""
    is_typing = state.asked is not None and state.typing is not None
    return 2 if is_typing or (state.message and _is_answering(state)) else 1


def foot(state: Cockpit, seen: OnScreen, view: TurnView | None, hidden: tuple[int, int], width: int) -> list[Line]:
    """The last lines: what the next key answers, below a message if any; else the message or the available keys.

    Args:
        view: the selected turn, or that of the page; None if there is none.
        hidden: how many turns or rows are above and below the viewport.
    """
    message = [cut([(one_line(neutralise(state.message), 1000), Style.WARNING)], width)] if state.message else []
    if state.confirming_cancel is not None:
        return [*message, cut([(f"cancel {seen.short(state.confirming_cancel)}? y/n", Style.WARNING)], width)]
    if state.typing is not None and state.asked is None:
        return [*message, _typed_line(state, state.typing, width)]
    keys = [_keys_line(state, view, hidden, width)]
    if state.typing is not None:
        return [*(message or keys), _typed_line(state, state.typing, width)]
    return [*message, *keys] if state.asked is not None else message or keys


def _is_answering(state: Cockpit) -> bool:
    """Whether the next key decides, answers or is typed, so that a message must not hide it."""
    return state.confirming_cancel is not None or state.typing is not None or state.asked is not None


def _keys_line(state: Cockpit, view: TurnView | None, hidden: tuple[int, int], width: int) -> Line:
    """The keys with descriptions; if they do not fit, the last ones without: each active key is always shown."""
    keys = _keys(state, view)
    shorter = [(key, _SHORTER.get(what, what)) for key, what in keys]
    tries = [_hints(keys, hidden, len(keys)), *(_hints(shorter, hidden, n) for n in range(len(keys), -1, -1))]
    return cut(next((line for line in tries if cells_of(line) <= width), tries[-1]), width)


def _hints(keys: Sequence[tuple[str, str]], hidden: tuple[int, int], worded: int) -> Line:
    """How much is hidden above and below, and the keys: the first `worded` ones with descriptions."""
    arrows = [f"{arrow} {count} more" for arrow, count in zip("↑↓", hidden, strict=True) if count]
    parts: list[Line] = [[(" ".join(arrows), Style.BOLD)]] if arrows else []
    parts += [[(key, Style.BOLD), (f" {what}", Style.DIM)] for key, what in keys[:worded]]
    if keys[worded:]:
        parts.append([(" ".join(key for key, _ in keys[worded:]), Style.BOLD)])
    return [piece for number, part in enumerate(parts) for piece in [(_GAP, Style.PLAIN)] * bool(number) + part]


def _typed_line(state: Cockpit, line: LineBuffer, width: int) -> Line:
    """The end of the typed line, with the cursor in it; a secret answer is not shown."""
    asked = state.asked
    prompt, shown = "/", line.text
    if asked is not None:
        question = questions_of(asked.entry)[asked.questions]
        prompt = f"{question_choices(question)}: "
        shown = "•" * len(line.text) if question.get("isSecret") else line.text
    before, after = neutralise(shown[: line.at]), neutralise(shown[line.at :])
    room = width - len(prompt) - 1
    if room < 8:
        prompt, room = "> ", width - 3
    cursor: Line = [(cut_text(before, max(room, 1), is_end=True), Style.PLAIN), (_CURSOR, Style.BOLD)]
    return cut([(prompt, Style.BOLD), *cursor, (after, Style.PLAIN)], width)


def _keys(state: Cockpit, view: TurnView | None) -> Sequence[tuple[str, str]]:
    """The active keys, the most useful first."""
    if state.asked is not None:
        return _verdict_keys(state.asked)
    if state.pane is Pane.HELP:
        return (("q", "back"),)
    of_turn = _turn_keys(view)
    if state.pane is Pane.BOARD:
        filtered = (("Esc", f"all, not only “{one_line(state.filter, 20)}”"),) if state.filter else ()
        return (*filtered, *of_turn, ("/", "filter"), ("s", f"by {state.sorting}"))
    own = "Enter" if state.pane is Pane.TAIL else "d"
    return (("q", "back"), *(each for each in of_turn if each[0] != own))


def _turn_keys(view: TurnView | None) -> tuple[tuple[str, str], ...]:
    if view is None:
        return ()
    keys: list[tuple[str, str]] = []
    if is_waiting(view):
        pending = objects_in(view.live.get("pending"))
        keys += [("r", "reply")] if pending and wants_words(pending[0]) else [("a", "approve")]
        keys += [("x", "decline")]
    keys += [("Enter", "text"), ("d", "diff")]
    return (*keys, ("c", "cancel")) if view.state is State.RUNNING else tuple(keys)


def _verdict_keys(asked: OpenRequest) -> tuple[tuple[str, str], ...]:
    if asked.intent is Intent.REPLY:
        return (("Enter", "sends it"), ("Esc", "later"))
    if asked.intent is Intent.DECLINE:
        return (("y", "decline it"), ("Esc", "later"))
    session = (("s", "for this turn"),) if asked.entry.get("can_last") else ()
    return (("y", "approve it"), *session, ("Esc", "later"))
