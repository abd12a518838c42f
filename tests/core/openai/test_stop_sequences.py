"""The text of an answer up to a stop sequence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.openai.answer.stop_sequences import StopSequences


def passed(stop: list[str], *pieces: str) -> tuple[list[str], bool]:
    """What is shown of each piece and of the end, and whether a sequence was found."""
    sequences = StopSequences(stop)
    shown = [sequences.feed(piece) for piece in pieces]
    return [*shown, sequences.flush()], sequences.is_hit


@pytest.mark.parametrize(
    ("stop", "pieces", "shown", "is_hit"),
    [
        ([], ["a", "b"], ["a", "b", ""], False),
        (["END"], ["one END two"], ["one ", ""], True),
        (["END"], ["one E", "N", "D two", "three"], ["one ", "", "", "", ""], True),
        (["END"], ["one E", "N", "O"], ["one ", "", "ENO", ""], False),
        (["END"], ["one EN"], ["one ", "EN"], False),
        (["\n\n"], ["a\n", "b\n", "\nc"], ["a", "\nb", "", ""], True),
        (["aab"], ["aa", "ab"], ["", "a", ""], True),
        (["abcd", "c"], ["abcd"], ["ab", ""], True),  # the one that is complete first
        (["bc", "abc"], ["abc"], ["", ""], True),  # of two that end together, the longer one
        (["🙂"], ["wörld ", "🙂!"], ["wörld ", "", ""], True),
        (["x"], ["abc"], ["abc", ""], False),
    ],
)
def test_text_is_shown_up_to_the_first_sequence(
    stop: list[str], pieces: list[str], shown: list[str], is_hit: bool
) -> None:
    assert passed(stop, *pieces) == (shown, is_hit)


@given(st.text("ab🙂", max_size=12), st.lists(st.text("ab🙂", min_size=1, max_size=4), max_size=3))
def test_the_pieces_do_not_matter(text: str, stop: list[str]) -> None:
    whole, is_hit = passed(stop, text)
    shown, is_hit_in_pieces = passed(stop, *text)
    assert ("".join(shown), is_hit_in_pieces) == ("".join(whole), is_hit)
    assert is_hit or "".join(whole) == text
    assert not any(each in "".join(whole) for each in stop)


def test_no_more_is_held_back_than_one_character_less_than_the_longest_sequence() -> None:
    sequences = StopSequences(["aaaa", "b"])
    assert [sequences.feed("a") for _ in range(3)] == ["", "", ""]
    assert sequences.feed("c") == "aaac"
