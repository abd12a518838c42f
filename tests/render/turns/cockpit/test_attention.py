"""Since when a question is on the screen."""

from __future__ import annotations

from codex_server_cli.render.turns.cockpit.attention import Attention
from codex_server_cli.render.turns.cockpit.state import Cockpit, Intent, LineBuffer
from tests.render.turns.cockpit.test_machine import APPROVAL, QUESTION, asked


def test_a_question_that_has_not_been_drawn_has_been_shown_for_no_time() -> None:
    attention = Attention()
    attention.drawn(Cockpit(), 0.0)
    for state in (asked(), Cockpit(confirming_cancel="t1")):
        assert attention.shown_s(state, 100.0) == 0.0
        attention.drawn(state, 100.0)
        attention.drawn(state, 101.0)
        assert attention.shown_s(state, 102.0) == 2.0


def test_each_question_counts_anew_though_none_was_drawn_between_them() -> None:
    attention = Attention()
    first = asked(Intent.REPLY, QUESTION)
    assert first.asked is not None
    second = first._replace(asked=first.asked._replace(questions=1, answers={"q1": ["Long"]}))
    for at_s, state in enumerate((first, second, asked(), asked(entry={**APPROVAL, "id": "1"}))):
        assert attention.shown_s(state, at_s) == 0.0
        attention.drawn(state, at_s)
        assert attention.shown_s(state, at_s + 1) == 1.0


def test_a_key_that_came_too_soon_begins_it_anew() -> None:
    attention = Attention()
    attention.drawn(asked(), 0.0)
    attention.begin_again(0.4)
    attention.drawn(asked(), 0.5)
    assert attention.shown_s(asked(), 1.0) == 0.6


def test_typing_and_scrolling_do_not_begin_it_anew() -> None:
    attention = Attention()
    attention.drawn(asked(Intent.REPLY, QUESTION, is_seen=False), 0.0)
    later = asked(Intent.REPLY, QUESTION)._replace(typing=LineBuffer("x", 1), top=3)
    attention.drawn(later, 1.0)
    assert attention.shown_s(later, 2.0) == 2.0
