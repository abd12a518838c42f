"""What comes to a cockpit from elsewhere: a page that was made, what a turn asks, what became of it.

Owns what may take the place of what the user is at, and that the next request comes up by itself only there where the
one before it was decided, before any other key. Pure: no clock, no files.
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
    """The state with the board in the place of a page, a question or what was typed."""
    state = state._replace(asked=None, typing=None, confirming_cancel=None, message=message)
    return state._replace(pane=Pane.BOARD, top=0, is_following=False)


def told(state: Cockpit, message: str) -> Cockpit:
    """The state with a message in its last line."""
    return state._replace(message=message)


def told_of(state: Cockpit, turn_id: str, name: str, message: str) -> Cockpit:
    """What became of something that was done to a turn.

    Below the next request of that turn it must not read as if it were of this one.

    Args:
        name: of the turn.
    """
    is_below_next = state.asked is not None and state.asked.turn_id == turn_id and state.asked.before > 0
    return told(state, f"{_BEFORE}: {message}" if is_below_next else f"{name}: {message}")


def opened(state: Cockpit, pane: Pane, turn_id: str) -> Cockpit:
    """A page of a turn is there; not shown where the user is at something else by now."""
    if not _may_change(state) or state.selected != turn_id:
        return state
    return state._replace(pane=pane, top=0, is_following=pane is Pane.TAIL, message="")


def asked_for(state: Cockpit, look: Look, entry: Entry | None) -> Cockpit:
    """What a turn asks was looked up; None where nothing waits."""
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
    """Where the request that the user has just decided waits no more, the next of its turn comes up.

    Args:
        pending: what waits in that turn, oldest first.
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
    """Whether a request can be decided so."""
    return intent is Intent.DECLINE or (intent is Intent.REPLY) == approval_text.wants_words(entry)


def withdrawn(state: Cockpit, outcome: str | None, end: State | None = None) -> Cockpit:
    """The request that is shown waits no more, or is another by now.

    Args:
        outcome: how it ended, of `decisions`; None where that is not known.
        end: how its turn ended; None where it runs.
    """
    if outcome == TAKEN_BACK or outcome is None:
        why = f"its turn has ended: {end}" if end is not None else outcome or "it waits no more, or has changed"
        return to_board(state, f"{why}; {NOTHING_DECIDED}")
    return to_board(state, outcome if outcome == OVERDUE else f"{outcome}, from elsewhere")


def acknowledged(state: Cockpit) -> Cockpit:
    """What was told has been read: its line is that of the keys again, and no request comes up by itself any more."""
    return state._replace(message="", decided=None)


def deleted(state: Cockpit, name: str) -> Cockpit:
    """The turn of the page was deleted."""
    return to_board(state, f"turn {name} was deleted")


def _may_change(state: Cockpit) -> bool:
    """Whether the user is at nothing that a page must not replace."""
    return state.typing is None and state.confirming_cancel is None and state.pane in (Pane.BOARD, Pane.TAIL, Pane.DIFF)
