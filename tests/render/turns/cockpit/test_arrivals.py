"""What comes to the cockpit from elsewhere, and what of it is shown."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.decisions import OVERDUE, TAKEN_BACK
from codex_server_cli.render.turns.cockpit import arrivals, machine
from codex_server_cli.render.turns.cockpit.machine import press
from codex_server_cli.render.turns.cockpit.state import (
    Cockpit,
    Decide,
    Intent,
    LineBuffer,
    Look,
    OpenRequest,
    Pane,
)
from tests.kit.cases import for_each
from tests.render.turns.cockpit.test_machine import APPROVAL, QUESTION, SEEN, asked, pressed

NEXT = {**APPROVAL, "id": "7", "command": "make"}


def test_a_request_is_shown_where_its_key_was_pressed() -> None:
    state = Cockpit(selected="t1", message="old")
    shown = arrivals.asked_for(state, Look("t1", Intent.APPROVE), APPROVAL)
    assert shown == Cockpit(Pane.REQUEST, "t1", asked=OpenRequest("t1", APPROVAL, Intent.APPROVE))
    reply = arrivals.asked_for(state, Look("t1", Intent.REPLY), QUESTION)
    assert reply.typing == LineBuffer()
    assert arrivals.asked_for(state, Look("t1", Intent.DECLINE), QUESTION).pane is Pane.REQUEST


def test_where_a_key_does_not_fit_what_is_asked_the_one_that_does_is_named() -> None:
    state = Cockpit(selected="t1")
    for intent, entry, message in (
        (Intent.APPROVE, None, "it asks nothing"),
        (Intent.APPROVE, QUESTION, "it asks a question: r answers it, x declines"),
        (Intent.REPLY, APPROVAL, "it asks for approval: a approves it, x declines"),
    ):
        assert arrivals.asked_for(state, Look("t1", intent), entry) == Cockpit(selected="t1", message=message)


def test_a_page_that_is_late_does_not_take_the_place_of_what_the_user_is_at() -> None:
    at_else = [
        Cockpit(selected="t2"),
        Cockpit(selected="t1", typing=LineBuffer()),
        Cockpit(selected="t1", confirming_cancel="t1"),
        Cockpit(Pane.HELP, selected="t1"),
        asked(),
    ]
    for state in at_else:
        assert arrivals.opened(state, Pane.DIFF, "t1") == state
        assert arrivals.asked_for(state, Look("t1", Intent.APPROVE), APPROVAL) == state
    page = arrivals.opened(Cockpit(selected="t1"), Pane.TAIL, "t1")
    assert page == Cockpit(Pane.TAIL, "t1", is_following=True)
    assert arrivals.opened(page, Pane.DIFF, "t1") == Cockpit(Pane.DIFF, "t1")


def test_what_goes_away_leads_back_to_the_board_and_is_told() -> None:
    page = Cockpit(Pane.TAIL, "t1", is_following=True)
    assert arrivals.deleted(page, "7f3a") == Cockpit(selected="t1", message="turn 7f3a was deleted")
    assert arrivals.deleted(page._replace(confirming_cancel="t1"), "7f3a").confirming_cancel is None
    assert arrivals.told(page, "x").message == "x"


@for_each(
    "outcome, end, message",
    [
        ("approved", None, "approved, from elsewhere"),
        ("answered", State.COMPLETE, "answered, from elsewhere"),
        (OVERDUE, None, "declined: no answer in time"),
        (TAKEN_BACK, None, "taken back by Codex; nothing was decided"),
        (TAKEN_BACK, State.CANCELLED, "its turn has ended: cancelled; nothing was decided"),
        (None, State.FAILED, "its turn has ended: failed; nothing was decided"),
        (None, None, "it waits no more, or has changed; nothing was decided"),
    ],
)
def test_of_a_request_that_is_gone_it_is_told_how_it_went(outcome: str | None, end: State | None, message: str) -> None:
    assert arrivals.withdrawn(asked(), outcome, end) == Cockpit(selected="t1", message=message)


# --- the next request of a turn


def sent(intent: Intent = Intent.APPROVE, entry: dict[str, Any] = APPROVAL) -> Cockpit:
    """A request was decided by the last key."""
    keys = ("2", "enter", "b", "enter") if intent is Intent.REPLY else ("y",)
    state = asked(intent, entry)
    for key in keys:
        state = machine.drawn(pressed(state, key)[0], SEEN)
    assert state.decided is not None
    return state


@for_each(
    "decided, entry, intent",
    [
        (Intent.APPROVE, NEXT, Intent.APPROVE),
        (Intent.APPROVE, QUESTION, Intent.REPLY),
        (Intent.REPLY, NEXT, Intent.APPROVE),
        (Intent.REPLY, {**QUESTION, "id": "8"}, Intent.REPLY),
        (Intent.DECLINE, NEXT, Intent.DECLINE),
        (Intent.DECLINE, QUESTION, Intent.DECLINE),
    ],
)
def test_after_a_request_the_next_one_of_its_turn_comes_up(
    decided: Intent, entry: dict[str, Any], intent: Intent
) -> None:
    state = arrivals.told(sent(decided, QUESTION if decided is Intent.REPLY else APPROVAL), "t1: approved")
    typing = LineBuffer() if intent is Intent.REPLY else None
    shown = OpenRequest("t1", entry, intent, before=1)
    assert arrivals.went_on(state, [entry, {**NEXT, "id": "9"}], "t1") == Cockpit(
        Pane.REQUEST, "t1", asked=shown, typing=typing, message="the one before: approved"
    )


def test_what_became_of_a_request_is_never_told_as_if_it_were_of_the_next_one() -> None:
    following = arrivals.went_on(sent(), [NEXT], "t1")
    assert following.message == ""  # it is still being sent
    assert arrivals.told_of(following, "t1", "t1", "approved").message == "the one before: approved"
    assert arrivals.told_of(following, "t2", "t2", "approved").message == "t2: approved"
    assert arrivals.told_of(asked(), "t1", "t1", "cancelled").message == "t1: cancelled"


def test_nothing_comes_up_before_the_decision_has_arrived_or_after_another_key() -> None:
    state = sent()
    assert arrivals.went_on(state, [APPROVAL, NEXT], "t1") == state
    assert arrivals.went_on(state, [], "t1") == state
    assert arrivals.acknowledged(state) == Cockpit(selected="t1")
    for after in (press(state, "y", SEEN)[0], arrivals.acknowledged(state), asked()):
        assert arrivals.went_on(after, [NEXT], "t1") == after


def test_a_key_that_was_meant_for_a_request_decides_not_the_one_that_came_up_after_it() -> None:
    for entry, keys in ((NEXT, ("y", "s")), (QUESTION, ("enter", "2", "y"))):
        following = machine.drawn(arrivals.went_on(sent(), [entry], "t1"), SEEN)
        for key in keys:
            after, act = press(following, key, SEEN._replace(shown_s=0.9))
            assert (act, after.asked, after.typing) == (None, following.asked, following.typing)
            assert machine.is_hasty(after)
    assert press(following, "escape", SEEN._replace(shown_s=0.0))[0].message == "nothing was sent"
    assert press(following, "2", SEEN)[0].typing == LineBuffer("2", 1)
    following = machine.drawn(arrivals.went_on(sent(), [NEXT], "t1"), SEEN)
    after, act = press(following, "y", SEEN._replace(shown_s=1.1))
    assert act == Decide(OpenRequest("t1", NEXT, Intent.APPROVE, is_seen=True, before=1))
    again = arrivals.went_on(after, [APPROVAL], "t1")
    assert again.asked == OpenRequest("t1", APPROVAL, Intent.APPROVE, before=2)
