"""The state machine of `watch`: each key maps the state to a new one, and to an action for the caller.

Owns that nothing can be decided, answered or cancelled before it was shown: a key opens a request, and only a second
key, after the request's end was on the screen, decides it. Pure: no clock, no files.
"""

from __future__ import annotations

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import text_in
from codex_server_cli.render import approvals as approval_text
from codex_server_cli.render.turns.cockpit.arrivals import NOTHING_DECIDED, SENDING, to_board
from codex_server_cli.render.turns.cockpit.listing import index_of
from codex_server_cli.render.turns.cockpit.state import (
    Act,
    Cancel,
    Cockpit,
    Decide,
    Intent,
    LineBuffer,
    Look,
    OnScreen,
    OpenPage,
    OpenRequest,
    Pane,
    Quit,
    Redraw,
    Sorting,
)
from codex_server_cli.render.turns.cockpit.typing import typed, with_text

Step = tuple[Cockpit, Act | None]

HASTE_S = 0.5
"""A key pressed within this time after a question appeared was not meant for it."""

FOLLOWING_HASTE_S = 1.0
"""The same if the request appeared by itself: longer than the delay of a key's autorepeat."""

_INTENTS = {"a": Intent.APPROVE, "x": Intent.DECLINE, "r": Intent.REPLY}
_LEAVE = ("q", "escape")
_HASTY = "too soon: "


def press(state: Cockpit, key: str, seen: OnScreen) -> Step:
    """The state after a key, and the action for the caller.

    Args:
        key: a character, or a name: `enter`, `escape`, `up`, `page_down`, `ctrl-l`.
    """
    state = state._replace(message="", decided=None)
    if key == "ctrl-l":
        return state, Redraw()
    if state.confirming_cancel is not None:
        return _confirm(state, key, seen, state.confirming_cancel)
    if state.typing is not None:
        return _type(state, key, seen, state.typing)
    if state.pane is Pane.BOARD:
        return _on_board(state, key, seen)
    if state.asked is not None:
        return _on_request(state, key, seen, state.asked)
    return _on_page(state, key, seen)


def paste(state: Cockpit, text: str) -> Cockpit:
    """The state after a paste: it is text for the line being typed, and never keys."""
    if state.typing is None:
        return state._replace(message="a paste is no command")
    return _with_typing(state, with_text(state.typing, text))


# --- the panes


def _on_board(state: Cockpit, key: str, seen: OnScreen) -> Step:
    match key:
        case "q":
            return state, Quit()
        case "?":
            return state._replace(pane=Pane.HELP, top=0, is_following=False), None
        case "/":
            return state._replace(typing=LineBuffer(state.filter, len(state.filter))), None
        case "escape":
            return state._replace(filter=""), None
        case "s":
            order = list(Sorting)
            return state._replace(sorting=order[(order.index(state.sorting) + 1) % len(order)]), None
    moved = _moved(key, index_of(state.selected, seen.turns), len(seen.turns) - 1, seen.room)
    if moved is not None:
        return state._replace(selected=seen.turns[moved].turn_id if seen.turns else None), None
    return _of_turn(state, key, seen)


def _on_page(state: Cockpit, key: str, seen: OnScreen) -> Step:
    if key in _LEAVE or (state.pane is Pane.HELP and key == "?"):
        return to_board(state), None
    scrolled = _scrolled(state, key, seen)
    if scrolled is not None:
        return scrolled, None
    return (state, None) if state.pane is Pane.HELP else _of_turn(state, key, seen)


def _on_request(state: Cockpit, key: str, seen: OnScreen, asked: OpenRequest) -> Step:
    if key in (*_LEAVE, "n"):
        return to_board(state, NOTHING_DECIDED), None
    scrolled = _scrolled(state, key, seen)
    if scrolled is not None:
        return scrolled, None
    is_for_session = key == "s" and asked.intent is Intent.APPROVE and bool(asked.entry.get("can_last"))
    if key != "y" and not is_for_session:
        return state, None
    if unread := _unread(seen, key, asked, "space, or G"):
        return state._replace(message=unread), None
    return _sending(state, asked), Decide(asked, is_for_session)


def _sending(state: Cockpit, asked: OpenRequest) -> Cockpit:
    return to_board(state, SENDING)._replace(decided=asked)


def is_hasty(state: Cockpit) -> bool:
    """Whether the last key came too soon to be meant for the question that is shown."""
    return state.message.startswith(_HASTY)


def _is_too_soon(seen: OnScreen, asked: OpenRequest | None) -> bool:
    return seen.shown_s < (FOLLOWING_HASTE_S if asked is not None and asked.before else HASTE_S)


def _unread(seen: OnScreen, key: str, asked: OpenRequest | None = None, scrolls: str = "") -> str:
    """Why a key cannot be meant for the question that is shown, for people; empty if it can.

    Args:
        scrolls: the keys that lead to the end of the request.
    """
    if _is_too_soon(seen, asked):
        return f"{_HASTY}read it first, then {key}"
    return "" if asked is None or asked.is_seen else f"read it to its end first: {scrolls}"


def _of_turn(state: Cockpit, key: str, seen: OnScreen) -> Step:
    """The keys that act on the selected turn."""
    if key not in (*_INTENTS, "enter", "d", "c"):
        return state, None
    view = _selected(state, seen)
    if view is None:
        return state._replace(message="there is no turn"), None
    if key in ("enter", "d"):
        page = Pane.TAIL if key == "enter" else Pane.DIFF
        return state._replace(selected=view.turn_id), OpenPage(page, view.turn_id)
    if view.state is not State.RUNNING:
        return state._replace(message=f"{seen.short(view.turn_id)} has ended: {view.state}"), None
    if key == "c":
        return state._replace(selected=view.turn_id, confirming_cancel=view.turn_id), None
    return state._replace(selected=view.turn_id), Look(view.turn_id, _INTENTS[key])


def _selected(state: Cockpit, seen: OnScreen) -> TurnView | None:
    """The turn that keys act on: for a page its own turn, even if a filter or a limit hides that on the board."""
    if state.pane is Pane.BOARD:
        return seen.turns[index_of(state.selected, seen.turns)] if seen.turns else None
    return next((view for view in seen.turns if view.turn_id == state.selected), None)


def _confirm(state: Cockpit, key: str, seen: OnScreen, turn_id: str) -> Step:
    if key not in ("y", "Y"):
        return state._replace(confirming_cancel=None, message="not cancelled"), None
    if unread := _unread(seen, "y"):
        return state._replace(message=unread), None
    return state._replace(confirming_cancel=None, message="cancelling …"), Cancel(turn_id)


# --- typing


def _type(state: Cockpit, key: str, seen: OnScreen, line: LineBuffer) -> Step:
    is_answer = state.asked is not None
    if key == "escape":
        if is_answer:
            return to_board(state, "nothing was sent"), None
        return state._replace(typing=None, filter=""), None
    if key == "enter":
        return _answered(state, seen, line) if is_answer else (state._replace(typing=None), None)
    if is_answer and key in ("up", "down", "page_up", "page_down"):
        return _scrolled(state, key, seen) or state, None
    if state.asked is not None and state.asked.before and _is_too_soon(seen, state.asked):  # it may be a command
        return state._replace(message=f"{_HASTY}read it first, then type"), None
    return _with_typing(state, typed(line, key)), None


def _with_typing(state: Cockpit, line: LineBuffer) -> Cockpit:
    state = state._replace(typing=line)
    return state if state.asked is not None else state._replace(filter=line.text)


def _answered(state: Cockpit, seen: OnScreen, line: LineBuffer) -> Step:
    """Take the line as the answer to the question that is shown; the last answer sends them all."""
    asked = state.asked
    assert asked is not None
    if unread := _unread(seen, "Enter", asked, "PgDn"):
        return state._replace(message=unread), None
    questions = approval_text.questions_of(asked.entry)
    question = questions[asked.questions]
    texts = approval_text.choose(question, line.text)
    if not all(approval_text.is_choice(question, text) for text in texts):
        return state._replace(message=f"none of the choices: {approval_text.question_choices(question)}"), None
    if not texts and question.get("isRequired", True):
        return state._replace(message="an answer is needed; Esc gives none"), None
    answers = {**asked.answers, text_in(question.get("id")): texts} if texts else asked.answers
    asked = asked._replace(answers=answers, questions=asked.questions + 1, is_seen=False)
    if asked.questions < len(questions):
        return state._replace(asked=asked, typing=LineBuffer(), top=0), None
    return _sending(state, asked), Decide(asked)


# --- moving


def _moved(key: str, at: int, last: int, page: int) -> int | None:
    """The position that a key moves to, from 0 to `last`; None if it is not a movement key."""
    match key:
        case "j" | "down":
            at += 1
        case "k" | "up":
            at -= 1
        case "page_down" | " " | "ctrl-f":
            at += page
        case "page_up" | "b" | "ctrl-b":
            at -= page
        case "g" | "home":
            at = 0
        case "G" | "end":
            at = last
        case _:
            return None
    return max(min(at, last), 0)


def top_of(state: Cockpit, rows: int, room: int) -> int:
    """The first visible row of a page with so many rows."""
    last = max(rows - room, 0)
    return last if state.is_following else min(state.top, last)


def _scrolled(state: Cockpit, key: str, seen: OnScreen) -> Cockpit | None:
    last = max(seen.rows - seen.room, 0)
    top = _moved(key, top_of(state, seen.rows, seen.room), last, max(seen.room - 1, 1))
    if top is None:
        return None
    return state._replace(top=top, is_following=state.pane is Pane.TAIL and top == last)


def drawn(state: Cockpit, seen: OnScreen) -> Cockpit:
    """The state after drawing: a request whose last row is visible has been seen."""
    is_end = seen.room > 0 and top_of(state, seen.rows, seen.room) + seen.room >= seen.rows
    return state._replace(asked=state.asked._replace(is_seen=True)) if state.asked is not None and is_end else state
