"""Which turns a board lists, in which order, and which of them are on the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import text_in
from codex_server_cli.render.spinner import is_waiting
from codex_server_cli.render.turns.cockpit.state import Cockpit, Pane, Sorting
from codex_server_cli.render.turns.states import state_words


def rank(view: TurnView) -> int:
    """The priority of a turn: 0 waits for the user, 1 runs, 2 is queued, 3 has ended."""
    if view.state is not State.RUNNING:
        return 3
    return 0 if is_waiting(view) else 2 if view.phase is Phase.QUEUED else 1


def tokens_of(view: TurnView) -> int | None:
    """How many tokens a turn has used; None if unknown."""
    usage = view.result.get("usage") or view.live.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return tokens if isinstance(tokens, int) else None


_KEYS: dict[Sorting, Callable[[TurnView], tuple[int, ...]]] = {
    Sorting.STATE: lambda view: (rank(view),),
    Sorting.AGE: lambda view: (not is_waiting(view),),
    Sorting.TOKENS: lambda view: (not is_waiting(view), -(tokens_of(view) or 0)),
}


def arranged(views: Sequence[TurnView], sorting: Sorting, wanted: str, titles: Mapping[str, str]) -> list[TurnView]:
    """The turns that match the text, in order: those that wait for the user first.

    Args:
        wanted: a part of the title, the directory, the state or the id, case-insensitive; "" for all.
        titles: by turn id; of all turns if `wanted` is not empty.
    """
    sought = wanted.casefold()
    found = [view for view in views if not sought or sought in _text(view, titles)]
    newest = sorted(found, key=lambda view: view.turn_id, reverse=True)
    return sorted(newest, key=_KEYS[sorting])


def _text(view: TurnView, titles: Mapping[str, str]) -> str:
    parts = (titles.get(view.turn_id, ""), text_in(view.meta.get("cwd")), state_words(view), view.turn_id)
    return "\n".join(parts).casefold()


def index_of(selected: str | None, turns: Sequence[TurnView]) -> int:
    """The index of the selected turn; 0 if it is missing."""
    return next((number for number, view in enumerate(turns) if view.turn_id == selected), 0)


def kept(state: Cockpit, before: Sequence[TurnView], now: Sequence[TurnView]) -> Cockpit:
    """The state with the selection on its turn; on a neighbour if that has left the board's list."""
    if state.pane is not Pane.BOARD or state.selected is None or any(view.turn_id == state.selected for view in now):
        return state
    place = min(index_of(state.selected, before), len(now) - 1)
    return state._replace(selected=now[place].turn_id if now else None)


def window(heights: Sequence[int], index: int, first: int, room: int) -> tuple[int, int]:
    """The range of turns in the viewport, which includes the one at `index`: the first, and the one after the last.

    Args:
        heights: rows of each turn.
        first: the current first one: it scrolls as little as possible.
        room: rows of the viewport.
    """
    first = max(min(first, index), 0)
    while first < index and sum(heights[first : index + 1]) > room:
        first += 1
    last = first
    while last < len(heights) and sum(heights[first : last + 1]) <= room:
        last += 1
    while last == len(heights) and first > 0 and sum(heights[first - 1 :]) <= room:
        first -= 1
    return first, max(last, min(first + 1, len(heights)))
