"""Which turns the cockpit lists, in which order, and which fit."""

from __future__ import annotations

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.turns.cockpit.listing import arranged, index_of, kept, window
from codex_server_cli.render.turns.cockpit.state import Cockpit, Pane, Sorting
from tests.kit.cases import for_each


def turn(number: int, what: Phase | State, tokens: int | None = None, cwd: str = "/srv") -> TurnView:
    view = TurnView(f"t{number}", "/", State.RUNNING, meta={"cwd": cwd}, live={"usage": {"total_tokens": tokens}})
    return view._replace(phase=what) if isinstance(what, Phase) else view._replace(state=what)


TURNS = [
    turn(1, Phase.WAITING_INPUT),
    turn(2, Phase.THINKING, 50, "/home/dev/Parser"),
    turn(3, Phase.QUEUED),
    turn(4, State.COMPLETE, 70),
    turn(5, State.FAILED, 60),
    turn(6, Phase.ANSWERING),
]


@for_each(
    "sorting, order",
    [(Sorting.STATE, "162354"), (Sorting.AGE, "165432"), (Sorting.TOKENS, "145263")],
)
def test_what_waits_comes_first_in_each_order(sorting: Sorting, order: str) -> None:
    found = arranged(TURNS, sorting, "", {})
    assert [view.turn_id for view in found] == [f"t{number}" for number in order]


@for_each(
    "wanted, found",
    [("PARSER", ["t2"]), ("docs", ["t4"]), ("fail", ["t5"]), ("t3", ["t3"]), ("waits", ["t1"]), ("zzz", [])],
)
def test_a_filter_looks_in_title_directory_state_and_id(wanted: str, found: list[str]) -> None:
    assert [view.turn_id for view in arranged(TURNS, Sorting.STATE, wanted, {"t4": "Write the Docs"})] == found


def test_the_selection_stays_on_its_turn_and_goes_to_a_neighbour_where_that_is_gone() -> None:
    state = Cockpit(selected="t3")
    assert index_of("t3", TURNS) == 2
    assert index_of(None, TURNS) == 0
    assert kept(state, TURNS, TURNS[::-1]) == state
    assert kept(Cockpit(), TURNS, TURNS[1:]) == Cockpit()
    without = [view for view in TURNS if view.turn_id != "t3"]
    assert kept(state, TURNS, without).selected == "t4"
    assert kept(state, TURNS, TURNS[:1]).selected == "t1"
    assert kept(state, TURNS, []).selected is None


def test_a_page_stays_on_its_turn_though_that_has_left_the_board() -> None:
    state = Cockpit(Pane.TAIL, selected="t3")
    assert kept(state, TURNS, []) == state


@for_each(
    "heights, index, first, room, shown",
    [
        ([1, 1, 1], 0, 0, 10, (0, 3)),
        ([1, 1, 1, 1], 0, 0, 2, (0, 2)),
        ([1, 1, 1, 1], 3, 0, 2, (2, 4)),
        ([1, 1, 1, 1], 2, 2, 2, (2, 4)),
        ([1, 1, 1, 1], 1, 2, 2, (1, 3)),
        ([3, 1, 2, 1], 2, 0, 4, (1, 4)),
        ([1, 1, 1, 1], 3, 3, 3, (1, 4)),
        ([5], 0, 0, 2, (0, 1)),
        ([1, 5, 1], 1, 0, 2, (1, 2)),
        ([], 0, 3, 5, (0, 0)),
    ],
)
def test_the_selected_turn_is_on_the_screen_and_no_more_is_scrolled_than_it_takes(
    heights: list[int], index: int, first: int, room: int, shown: tuple[int, int]
) -> None:
    assert window(heights, index, first, room) == shown
