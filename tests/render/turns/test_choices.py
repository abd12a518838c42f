"""Rows to choose from: aligned in cells, never wider than the terminal."""

from __future__ import annotations

from rich.cells import cell_len

from codex_server_cli.render.turns.choices import choice_rows

THREADS = [("Fix the parser of dates", "3m", "~/work/app"), ("日本語の題名です", "2h", "~/x")]


def test_cells_are_aligned_also_where_a_character_takes_two_columns() -> None:
    assert choice_rows(THREADS, 80) == [
        "Fix the parser of dates  3m  ~/work/app",
        "日本語の題名です         2h  ~/x",
    ]


def test_a_narrow_terminal_cuts_the_first_cell_and_then_leaves_the_last_ones_out() -> None:
    assert choice_rows(THREADS, 36)[0] == "Fix the parser of d…  3m  ~/work/app"
    assert choice_rows(THREADS, 30)[0] == "Fix the parser of dates  3m"
    assert choice_rows(THREADS, 12) == ["Fix the par…", "日本語の題…"]
    for width in range(1, 60):
        assert max(map(cell_len, choice_rows(THREADS, width))) <= width


def test_a_cell_is_one_safe_line_and_no_rows_are_none() -> None:
    assert choice_rows([("a\nb\x1b[2J", "\u202e")], 40) == ["a b␛[2J  \\u202e"]
    assert choice_rows([], 40) == []
