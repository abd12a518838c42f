"""What a cockpit shows and waits for, and its actions for the caller. Data only; `machine` owns the rules."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Any, NamedTuple

from codex_server_cli.core.model.view import TurnView

Entry = dict[str, Any]


class Pane(StrEnum):
    """The content of the screen."""

    BOARD = auto()
    TAIL = auto()
    DIFF = auto()
    REQUEST = auto()
    HELP = auto()


class Sorting(StrEnum):
    """The order of the turns; those that wait for the user come first in each."""

    STATE = auto()
    AGE = auto()
    TOKENS = auto()


class Intent(StrEnum):
    """The intended decision when a request was opened."""

    APPROVE = auto()
    DECLINE = auto()
    REPLY = auto()


class LineBuffer(NamedTuple):
    """A line that is being typed.

    Attributes:
        text: so far.
        at: the position of the cursor, in characters.
    """

    text: str = ""
    at: int = 0


class OpenRequest(NamedTuple):
    """A request that is open on the screen.

    Attributes:
        turn_id: of its turn.
        entry: of `pending.json`, as it was shown.
        intent: the intended decision.
        is_seen: whether its last line was on the screen: no key before that counts as consent.
        answers: to its questions so far, by question id.
        questions: how many of its questions are answered.
        before: how many requests of its turn were decided right before it; if above 0, it appeared by itself.
    """

    turn_id: str
    entry: Entry
    intent: Intent
    is_seen: bool = False
    answers: Mapping[str, list[str]] = {}
    questions: int = 0
    before: int = 0


class Cockpit(NamedTuple):
    """The whole state that keys change.

    Attributes:
        pane: what is shown.
        selected: the turn's id; None for the first one.
        sorting: of the board.
        filter: what a turn's title, directory or state must contain; "" for any.
        typing: the filter or the answer that is being typed; None if keys are commands.
        asked: the request of the request pane.
        decided: the request that was decided by the last key.
        confirming_cancel: the turn to cancel if the user confirms it; None if no confirmation is pending.
        top: the first visible row of a page.
        is_following: whether a page stays at its end as it grows.
        message: for the last line; removed by the next key.
    """

    pane: Pane = Pane.BOARD
    selected: str | None = None
    sorting: Sorting = Sorting.STATE
    filter: str = ""
    typing: LineBuffer | None = None
    asked: OpenRequest | None = None
    decided: OpenRequest | None = None
    confirming_cancel: str | None = None
    top: int = 0
    is_following: bool = False
    message: str = ""


class OnScreen(NamedTuple):
    """What was on the screen when a key was pressed.

    Attributes:
        turns: the board's, in its order, filtered.
        rows: of the whole page.
        room: rows that fit on the screen.
        shown_s: how long the page has been on the screen.
        short_ids: by the whole ones.
    """

    turns: tuple[TurnView, ...] = ()
    rows: int = 0
    room: int = 20
    shown_s: float = 60.0
    short_ids: Mapping[str, str] = {}

    def short(self, turn_id: str) -> str:
        """The short id of a turn, for messages."""
        return self.short_ids.get(turn_id, turn_id)


class Quit(NamedTuple):
    """Leave the cockpit."""


class Redraw(NamedTuple):
    """Redraw the whole screen: another program has written on it."""


class OpenPage(NamedTuple):
    """Show the tail or the diff of a turn."""

    pane: Pane
    turn_id: str


class Look(NamedTuple):
    """Read a turn's request, to show it."""

    turn_id: str
    intent: Intent


class Decide(NamedTuple):
    """Send the decision on exactly the request that was shown.

    Attributes:
        is_for_session: for an approval: it holds for the rest of the turn.
    """

    asked: OpenRequest
    is_for_session: bool = False


class Cancel(NamedTuple):
    """Cancel a turn."""

    turn_id: str


Act = Quit | Redraw | OpenPage | Look | Decide | Cancel
"""An action for the caller."""
