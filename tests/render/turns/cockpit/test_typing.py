"""The line editor of the cockpit."""

from __future__ import annotations

from codex_server_cli.render.turns.cockpit.state import LineBuffer
from codex_server_cli.render.turns.cockpit.typing import typed, with_text
from tests.kit.cases import for_each


@for_each(
    "key, line",
    [
        ("x", LineBuffer("one twxo", 7)),
        ("研", LineBuffer("one tw研o", 7)),
        ("left", LineBuffer("one two", 5)),
        ("right", LineBuffer("one two", 7)),
        ("home", LineBuffer("one two", 0)),
        ("ctrl-e", LineBuffer("one two", 7)),
        ("backspace", LineBuffer("one to", 5)),
        ("delete", LineBuffer("one tw", 6)),
        ("ctrl-u", LineBuffer("o", 0)),
        ("ctrl-k", LineBuffer("one tw", 6)),
        ("ctrl-w", LineBuffer("one o", 4)),
        ("page_up", LineBuffer("one two", 6)),
        ("\x85", LineBuffer("one two", 6)),
    ],
)
def test_each_key_edits_the_line_where_the_cursor_is(key: str, line: LineBuffer) -> None:
    assert typed(LineBuffer("one two", 6), key) == line


def test_at_its_ends_nothing_is_left_to_delete_or_to_move_over() -> None:
    empty = LineBuffer()
    for key in ("left", "right", "backspace", "delete", "ctrl-u", "ctrl-k", "ctrl-w"):
        assert typed(empty, key) == empty


def test_a_paste_goes_in_as_one_line_of_a_bounded_length() -> None:
    assert with_text(LineBuffer("ac", 1), "b\nb\tb\x1b[") == LineBuffer("ab b b [c", 8)
    assert len(with_text(LineBuffer("a", 1), "x" * 20_000).text) == 10_000
    assert with_text(LineBuffer("a" * 10_000, 0), "x").text == "a" * 10_000
