"""Events for the cockpit that are not keys: a page is ready, a turn's request, the result of a decision.

Owns when they may replace what the user is looking at, and that the next request appears by itself only in place of the
one that was just decided, before any other key. Pure: no clock, no files.
"""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.decisions import OVERDUE, TAKEN_BACK
from codex_server_cli.render import approvals as approval_text
from codex_server_cli.render.turns.cockpit.state import Cockpit, Entry, Intent, LineBuffer, Look, OpenRequest, Pane

NOTHING_DECIDED = "nothing was decided"
SENDING = "sending …"
_BEFORE = "the one before"


def to_board(state: Cockpit, message: str = "") -> Cockpit:
    """The state with the board instead of a page, a question or typed text."""
    state = state._replace(asked=None, typing=None, confirming_cancel=None, message=message)
    return state._replace(pane=Pane.BOARD, top=0, is_following=False)


def told(state: Cockpit, message: str) -> Cockpit:
    """The state with a message in its last line."""
    return state._replace(message=message)


def told_of(state: Cockpit, turn_id: str, name: str, message: str) -> Cockpit:
    """The result of an action on a turn.

    If the next request of that turn is shown, the message must not seem to be about that one.

    Args:
        name: of the turn.
    """
    is_below_next = state.asked is not None and state.asked.turn_id == turn_id and state.asked.before > 0
    return told(state, f"{_BEFORE}: {message}" if is_below_next else f"{name}: {message}")


def opened(state: Cockpit, pane: Pane, turn_id: str) -> Cockpit:
    """A page of a turn is ready; it is not shown if the user has moved on."""
    if not _may_change(state) or state.selected != turn_id:
        return state
    return state._replace(pane=pane, top=0, is_following=pane is Pane.TAIL, message="")


def asked_for(state: Cockpit, look: Look, entry: Entry | None) -> Cockpit:
    """A turn's request was read; None if nothing is pending."""
    if not _may_change(state) or state.selected != look.turn_id:
        return state
    if entry is None:
        return told(state, "it asks nothing")
    if not fits(look.intent, entry):
        is_question = look.intent is Intent.APPROVE
        what = "it asks a question: r answers it" if is_question else "it asks for approval: a approves it"
        return told(state, f"{what}, x declines")
    return _asking(state, OpenRequest(look.turn_id, entry, look.intent))._replace(message="")


def went_on(state: Cockpit, pending: Sequence[Entry], name: str) -> Cockpit:
    """Show the next request of a turn, if the one that the user has just decided is no longer pending.

    Args:
        pending: the pending requests of that turn, oldest first.
        name: of the turn.
    """
    decided = state.decided
    if decided is None or not pending or any(each["id"] == decided.entry["id"] for each in pending):
        return state
    entry = pending[0]
    own = Intent.REPLY if approval_text.wants_words(entry) else Intent.APPROVE
    intent = decided.intent if fits(decided.intent, entry) else own
    state = _asking(state, OpenRequest(decided.turn_id, entry, intent, before=decided.before + 1))
    of_last = state.message.removeprefix(f"{name}: ")
    return told(state, "" if of_last == SENDING else f"{_BEFORE}: {of_last}")


def _asking(state: Cockpit, asked: OpenRequest) -> Cockpit:
    typing = LineBuffer() if asked.intent is Intent.REPLY else None
    state = state._replace(pane=Pane.REQUEST, asked=asked, decided=None, typing=typing)
    return state._replace(top=0, is_following=False)


def fits(intent: Intent, entry: Entry) -> bool:
    """Whether a request can be decided in this way."""
    return intent is Intent.DECLINE or (intent is Intent.REPLY) == approval_text.wants_words(entry)


def withdrawn(state: Cockpit, outcome: str | None, end: State | None = None) -> Cockpit:
    """The request that is shown is no longer pending, or has changed.

    Args:
        outcome: how it ended, as in `decisions`; None if unknown.
        end: how its turn ended; None if it runs.
    """
    if outcome == TAKEN_BACK or outcome is None:
        why = f"its turn has ended: {end}" if end is not None else outcome or "it waits no more, or has changed"
        return to_board(state, f"{why}; {NOTHING_DECIDED}")
    return to_board(state, outcome if outcome == OVERDUE else f"{outcome}, from elsewhere")


def acknowledged(state: Cockpit) -> Cockpit:
    """The message was read: its line shows the keys again, and no request appears by itself any more."""
    return state._replace(message="", decided=None)


def deleted(state: Cockpit, name: str) -> Cockpit:
    """The turn of the page was deleted."""
    return to_board(state, f"turn {name} was deleted")


def _may_change(state: Cockpit) -> bool:
    """Whether a page may replace what the user is doing."""
    return state.typing is None and state.confirming_cancel is None and state.pane in (Pane.BOARD, Pane.TAIL, Pane.DIFF)
