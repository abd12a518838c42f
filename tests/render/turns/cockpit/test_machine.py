"""What each key of the cockpit does."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.turns.cockpit import machine
from codex_server_cli.render.turns.cockpit.machine import paste, press
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
from tests.kit.cases import for_each

RUNNING = [TurnView(f"t{number}", "/", State.RUNNING, Phase.THINKING) for number in range(5)]
ENDED = TurnView("t9", "/", State.COMPLETE)
SEEN = OnScreen((*RUNNING, ENDED), room=2, short_ids={"t9": "9"})
APPROVAL = {"id": "0", "kind": "command", "answer_with": "approve", "command": "rm -rf build", "can_last": True}
STYLE = {
    "id": "q1",
    "question": "Which style?",
    "options": [{"label": "Short"}, {"label": "Long"}],
}
QUESTION: dict[str, Any] = {"id": "1", "answer_with": "reply", "questions": [STYLE, {"id": "q2", "question": "Why?"}]}


def asked(intent: Intent = Intent.APPROVE, entry: dict[str, Any] = APPROVAL, *, is_seen: bool = True) -> Cockpit:
    """A request that is on the screen."""
    typing = LineBuffer() if intent is Intent.REPLY else None
    return Cockpit(Pane.REQUEST, "t1", asked=OpenRequest("t1", entry, intent, is_seen), typing=typing)


def pressed(state: Cockpit, *keys: str, seen: OnScreen = SEEN) -> tuple[Cockpit, Act | None]:
    """The state after several keys, and what the last of them asks for."""
    act: Act | None = None
    for key in keys:
        state, act = press(state, key, seen)
    return state, act


# --- the board


@for_each(
    "keys, selected",
    [
        ("j", "t1"),
        ("jj", "t2"),
        ("jk", "t0"),
        ("k", "t0"),
        ("G", "t9"),
        ("Gj", "t9"),
        ("Gg", "t0"),
        (["down", "up", "page_down"], "t2"),
        ([" ", "ctrl-f", "b"], "t2"),
        (["end", "page_up", "ctrl-b"], "t1"),
        (["end", "home"], "t0"),
    ],
)
def test_keys_move_the_selection(keys: str | list[str], selected: str) -> None:
    assert pressed(Cockpit(), *keys) == (Cockpit(selected=selected), None)


def test_where_there_is_no_turn_no_key_finds_one() -> None:
    for key in ("j", "G", "enter", "d", "a", "c"):
        state, act = press(Cockpit(), key, OnScreen())
        assert (state.selected, state.pane, act) == (None, Pane.BOARD, None)
    assert press(Cockpit(), "enter", OnScreen())[0].message == "there is no turn"


def test_the_turn_under_the_selection_is_opened() -> None:
    assert press(Cockpit(selected="t2"), "enter", SEEN) == (Cockpit(selected="t2"), OpenPage(Pane.TAIL, "t2"))
    assert press(Cockpit(), "d", SEEN) == (Cockpit(selected="t0"), OpenPage(Pane.DIFF, "t0"))


def test_what_a_turn_asks_is_looked_up_before_anything_is_decided() -> None:
    for key, intent in (("a", Intent.APPROVE), ("x", Intent.DECLINE), ("r", Intent.REPLY)):
        assert press(Cockpit(), key, SEEN) == (Cockpit(selected="t0"), Look("t0", intent))


def test_of_a_turn_that_has_ended_nothing_can_be_decided_or_cancelled() -> None:
    for key in ("a", "x", "r", "c"):
        assert press(Cockpit(selected="t9"), key, SEEN) == (
            Cockpit(selected="t9", message="9 has ended: complete"),
            None,
        )


def test_a_cancel_asks_first() -> None:
    asking, act = press(Cockpit(), "c", SEEN)
    assert (asking.confirming_cancel, act) == ("t0", None)
    assert press(asking, "y", SEEN) == (Cockpit(selected="t0", message="cancelling …"), Cancel("t0"))
    for key in ("n", "q", "enter", "c"):
        assert press(asking, key, SEEN) == (Cockpit(selected="t0", message="not cancelled"), None)


def test_a_cancel_that_is_confirmed_before_its_question_could_be_read_is_asked_about_again() -> None:
    for shown_s in (0.0, 0.4):
        after, act = press(Cockpit(confirming_cancel="t0"), "y", SEEN._replace(shown_s=shown_s))
        assert (act, after.confirming_cancel, after.message) == (
            None,
            "t0",
            "too soon: read it first, then y",
        )
        assert press(after, "y", SEEN)[1] == Cancel("t0")


def test_the_order_goes_round() -> None:
    orders = [pressed(Cockpit(), *"s" * count)[0].sorting for count in range(4)]
    assert orders == [Sorting.STATE, Sorting.AGE, Sorting.TOKENS, Sorting.STATE]


def test_a_filter_is_in_force_while_it_is_typed_and_until_it_is_taken_off() -> None:
    state, act = pressed(Cockpit(), "/", "q", "x", "backspace")
    assert (state.filter, state.typing, act) == ("q", LineBuffer("q", 1), None)
    state = paste(state, "uick\n")
    assert state.filter == "quick "
    kept, _ = press(state, "enter", SEEN)
    assert kept == Cockpit(filter="quick ")
    assert pressed(kept, "/")[0].typing == LineBuffer("quick ", 6)
    assert press(state, "escape", SEEN)[0] == Cockpit()
    assert press(kept, "escape", SEEN)[0] == Cockpit()


def test_some_keys_leave_redraw_or_help_and_others_do_nothing() -> None:
    assert press(Cockpit(), "q", SEEN) == (Cockpit(), Quit())
    assert press(Cockpit(), "ctrl-l", SEEN) == (Cockpit(), Redraw())
    assert press(Cockpit(), "?", SEEN)[0].pane is Pane.HELP
    for key in ("y", "n", "Z", "tab"):
        assert press(Cockpit(message="old"), key, SEEN) == (Cockpit(), None)


def test_a_paste_is_never_taken_for_keys() -> None:
    assert paste(Cockpit(), "qqq") == Cockpit(message="a paste is no command")
    assert paste(asked(), "y").asked is not None


# --- the pages


@for_each(
    "keys, top, is_following",
    [
        ("k", 79, False),
        ("kj", 80, True),
        ("g", 0, False),
        ("gG", 80, True),
        (["g", "page_down"], 19, False),
        (["page_up", "page_up"], 42, False),
    ],
)
def test_a_text_is_scrolled_and_followed_again_at_its_end(keys: str | list[str], top: int, is_following: bool) -> None:
    state = Cockpit(Pane.TAIL, "t1", is_following=True)
    after, act = pressed(state, *keys, seen=SEEN._replace(rows=100, room=20))
    assert (after.top, after.is_following, act) == (top, is_following, None)


def test_a_page_that_fits_is_not_scrolled_and_one_that_got_shorter_shows_its_end() -> None:
    assert press(Cockpit(Pane.DIFF), "G", OnScreen(rows=3, room=20))[0] == Cockpit(Pane.DIFF)
    assert machine.top_of(Cockpit(Pane.DIFF, top=50), 30, 20) == 10
    assert machine.top_of(Cockpit(Pane.TAIL, is_following=True), 30, 20) == 10


def test_from_a_page_its_turn_is_acted_on_and_no_other() -> None:
    page = Cockpit(Pane.TAIL, "t2", is_following=True)
    assert press(page, "d", SEEN)[1] == OpenPage(Pane.DIFF, "t2")
    assert press(page, "a", SEEN)[1] == Look("t2", Intent.APPROVE)
    assert press(page, "c", SEEN)[0].confirming_cancel == "t2"
    assert press(page._replace(selected="gone"), "c", SEEN) == (
        page._replace(selected="gone", message="there is no turn"),
        None,
    )
    for key in ("q", "escape"):
        assert press(page, key, SEEN)[0] == Cockpit(selected="t2")


def test_the_help_scrolls_and_closes_and_acts_on_nothing() -> None:
    page = Cockpit(Pane.HELP, top=1)
    assert press(page, "j", OnScreen(rows=9, room=2))[0].top == 2
    assert press(page, "c", SEEN) == (page, None)
    for key in ("q", "?", "escape"):
        assert press(page, key, SEEN)[0] == Cockpit()


# --- a request


def test_a_second_key_decides_the_request_that_was_shown() -> None:
    for intent in (Intent.APPROVE, Intent.DECLINE):
        state = asked(intent)
        after, act = press(state, "y", SEEN)
        assert after == Cockpit(selected="t1", message="sending …", decided=state.asked)
        assert (act, state.asked is not None) == (Decide(OpenRequest("t1", APPROVAL, intent, is_seen=True)), True)


def test_an_approval_may_last_only_where_codex_offers_it() -> None:
    _, act = press(asked(), "s", SEEN)
    assert act == Decide(OpenRequest("t1", APPROVAL, Intent.APPROVE, is_seen=True), is_for_session=True)
    for state in (asked(entry={**APPROVAL, "can_last": False}), asked(Intent.DECLINE)):
        assert press(state, "s", SEEN) == (state, None)


def test_nothing_is_decided_before_the_end_of_a_request_was_on_the_screen() -> None:
    state = asked(is_seen=False)
    long = OnScreen(rows=100, room=20)
    state = machine.drawn(state, long)
    after, act = press(state, "y", long)
    assert (act, after.message) == (None, "read it to its end first: space, or G")
    at_end = machine.drawn(press(after, "G", long)[0], long)
    assert press(at_end, "y", long)[1] is not None
    assert press(machine.drawn(asked(is_seen=False), OnScreen(rows=5, room=20)), "y", SEEN)[1] is not None
    assert machine.drawn(Cockpit(), OnScreen()) == Cockpit()
    state = asked(is_seen=False)
    assert machine.drawn(state, OnScreen(rows=5, room=0)) == state  # a terminal of one line


def test_a_key_that_was_pressed_before_the_request_could_be_read_decides_nothing() -> None:
    after, act = press(asked(), "y", SEEN._replace(shown_s=0.1))
    assert (act, after.message) == (None, "too soon: read it first, then y")


def test_a_request_is_left_undecided() -> None:
    for key in ("q", "n", "escape"):
        assert press(asked(), key, SEEN) == (Cockpit(selected="t1", message="nothing was decided"), None)
    for key in ("a", "x", "enter", "d", "c"):
        assert press(asked(), key, SEEN) == (asked(), None)


def test_questions_are_answered_one_by_one_and_sent_together() -> None:
    state = asked(Intent.REPLY, QUESTION)
    wrong, _ = pressed(state, "7", "enter")
    assert wrong.message == "none of the choices: type 1 or 2"
    empty, _ = press(state, "enter", SEEN)
    assert empty.message == "an answer is needed; Esc gives none"
    second, act = pressed(wrong, "backspace", "2", "enter")
    assert act is None
    assert second.asked is not None
    assert (second.asked.questions, second.asked.answers, second.typing) == (1, {"q1": ["Long"]}, LineBuffer())
    done, act = pressed(machine.drawn(second, SEEN), "s", "o", "enter")
    assert isinstance(act, Decide)
    assert done == Cockpit(selected="t1", message="sending …", decided=act.asked)
    assert act.asked.answers == {"q1": ["Long"], "q2": ["so"]}


def test_an_answer_is_sent_only_once_its_question_could_be_read_to_its_end() -> None:
    state = pressed(asked(Intent.REPLY, QUESTION, is_seen=False), "1")[0]
    soon, act = press(state, "enter", SEEN._replace(shown_s=0.1))
    assert (act, soon.typing, soon.message) == (
        None,
        LineBuffer("1", 1),
        "too soon: read it first, then Enter",
    )
    unread, act = press(state, "enter", SEEN)
    assert (act, unread.typing, unread.message) == (None, LineBuffer("1", 1), "read it to its end first: PgDn")
    long = OnScreen(rows=100, room=20)
    assert press(machine.drawn(state, long), "enter", long)[0].asked == state.asked
    second, _ = press(machine.drawn(state, SEEN), "enter", SEEN)
    assert second.asked is not None
    assert (second.asked.questions, second.asked.is_seen) == (1, False)


def test_an_answer_may_be_left_out_where_none_is_required() -> None:
    entry = {"answer_with": "reply", "questions": [{"id": "q", "question": "More?", "isRequired": False}]}
    _, act = press(asked(Intent.REPLY, entry), "enter", SEEN)
    assert isinstance(act, Decide)
    assert act.asked.answers == {}


def test_while_an_answer_is_typed_its_request_scrolls_and_esc_sends_nothing() -> None:
    state = asked(Intent.REPLY, QUESTION)
    after, _ = press(state, "down", OnScreen(rows=9, room=2))
    assert (after.top, after.typing) == (1, LineBuffer())
    assert pressed(state, "q", "escape") == (Cockpit(selected="t1", message="nothing was sent"), None)
