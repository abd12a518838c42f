"""What a cockpit shows and waits for, and what it asks its caller to do. Data only; `machine` owns the rules."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Any, NamedTuple

from codex_server_cli.core.model.view import TurnView

Entry = dict[str, Any]


class Pane(StrEnum):
    """What fills the screen."""

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
    """What a request was opened for."""

    APPROVE = auto()
    DECLINE = auto()
    REPLY = auto()


class LineBuffer(NamedTuple):
    """A line that is being typed.

    Attributes:
        text: so far.
        at: where the cursor is, in characters.
    """

    text: str = ""
    at: int = 0


class OpenRequest(NamedTuple):
    """A request that is open before the user.

    Attributes:
        turn_id: of its turn.
        entry: of `pending.json`, as it was shown.
        intent: what it was opened for.
        is_seen: whether its last line was on the screen: nothing before that is consent.
        answers: to its questions, by their ids, so far.
        questions: how many of its questions are answered.
        before: how many requests of its turn were decided right before it; where there are any, it came up by itself.
    """

    turn_id: str
    entry: Entry
    intent: Intent
    is_seen: bool = False
    answers: Mapping[str, list[str]] = {}
    questions: int = 0
    before: int = 0


class Cockpit(NamedTuple):
    """All that the keys change.

    Attributes:
        pane: what is shown.
        selected: the turn's id; None for the first one, whichever that is.
        sorting: of the board.
        filter: what a turn's title, directory or state must hold; "" for any.
        typing: the filter or the answer that is being typed; None where keys are commands.
        asked: the request of the request pane.
        decided: the request that was decided by the last key.
        confirming_cancel: the turn that is cancelled if the user confirms it; None where none is asked about.
        top: the first row that is shown of a page.
        is_following: whether a page stays at its end as it grows.
        message: for the last line; gone at the next key.
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
        rows: of the page, all of them.
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
        """What a turn is called in a message."""
        return self.short_ids.get(turn_id, turn_id)


class Quit(NamedTuple):
    """Leave the cockpit."""


class Redraw(NamedTuple):
    """Draw the whole screen anew: something else has written on it."""


class OpenPage(NamedTuple):
    """Show the tail or the diff of a turn."""

    pane: Pane
    turn_id: str


class Look(NamedTuple):
    """Look for what a turn asks, to show it."""

    turn_id: str
    intent: Intent


class Decide(NamedTuple):
    """Send the answer to the request as it was shown, and to no other.

    Attributes:
        is_for_session: of an approval: for the rest of the turn, too.
    """

    asked: OpenRequest
    is_for_session: bool = False


class Cancel(NamedTuple):
    """Cancel a turn."""

    turn_id: str


Act = Quit | Redraw | OpenPage | Look | Decide | Cancel
"""What the caller is to do."""
