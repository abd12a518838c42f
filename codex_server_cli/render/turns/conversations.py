"""The conversations that a chat can continue, as rows to choose from. Owns their cells; `choices` fits them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from codex_server_cli.core.model.turn import Phase
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.spinner import is_waiting
from codex_server_cli.render.style.when import age
from codex_server_cli.render.tables import short_path
from codex_server_cli.render.turns.choices import choice_rows
from codex_server_cli.render.turns.states import look

_WORDS_FROM = 60  # columns
_MAX_PLACE = 30


class ConversationRow(NamedTuple):
    """The facts about one: raw text.

    Attributes:
        title: its first prompt; its id if that is unknown.
        name: its name in Codex, else that of its newest named turn.
        used_at_ms: Unix time when it was last used; None if unknown.
        running: the turn that runs in it, if any.
    """

    title: str
    name: str | None
    used_at_ms: int | None
    cwd: str
    running: TurnView | None = None


def conversation_rows(rows: Sequence[ConversationRow], now_ms: int, user_home: str, width: int) -> list[str]:
    """One safe line for each: name and title, whether it runs or waits for the user, its age, its directory."""
    states = [_state(row.running, has_words=width >= _WORDS_FROM) for row in rows]
    cells = [
        (
            " · ".join(filter(None, (row.name, row.title))),
            *([state] if any(states) else []),
            age(row.used_at_ms, now_ms),
            short_path(row.cwd, user_home, _MAX_PLACE),
        )
        for row, state in zip(rows, states, strict=True)
    ]
    return choice_rows(cells, width)


def _state(running: TurnView | None, *, has_words: bool) -> str:
    if running is None:
        return ""
    is_queued = running.phase is Phase.QUEUED
    word = "waits" if is_waiting(running) else "queued" if is_queued else "runs"
    return f"{look(running)[0]} {word}" if has_words else look(running)[0]
