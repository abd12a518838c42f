"""Where a long text is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.result.excerpt import beginning_of
from tests.kit.cases import for_each


@for_each(
    ("text", "most", "expected"),
    [
        ("short", 5, "short"),
        ("one line\nanother line", 10, "one line"),
        ("some words here", 11, "some words"),
        ("some words here", 10, "some words"),
        ("a verylongwordthatgoeson", 10, "a verylong"),  # a border far before is none
        ("é" * 30, 7, "é" * 7),
        ("", 1, ""),
        (" begins with a border", 1, " "),
    ],
)
def test_a_text_ends_at_a_line_or_a_word_where_one_is_near(text: str, most: int, expected: str) -> None:
    assert beginning_of(text, most) == expected


@given(st.text(alphabet="ab \n", max_size=60), st.integers(1, 40))
def test_it_is_the_beginning_of_the_text_and_never_longer(text: str, most: int) -> None:
    shown = beginning_of(text, most)
    assert text.startswith(shown)
    assert len(shown) <= most
    assert shown == text or len(shown) >= int(most * 0.8)
