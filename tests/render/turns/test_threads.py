"""Threads of Codex as a list for a terminal."""

from __future__ import annotations

import pytest

from codex_server_cli.render.style.cells import cells
from codex_server_cli.render.style.wrap import Display
from codex_server_cli.render.turns.threads import ThreadRow, thread_rows

THREAD = "01a22ccd-6713-7c90-8923-ef1cf4ea89a1"
ROWS = [
    ThreadRow(THREAD, 1_000_000, None, "Mend the\nparser \x1b[2J日本", "/home/ada/p", "gpt-6"),
    ThreadRow("other", None, "My feature", "Mend", "/srv", None),
]


def lines(width: int) -> list[str]:
    return thread_rows(ROWS, {THREAD: "89a1"}, Display(width, now_ms=1_180_000, user_home="/home/ada")).splitlines()


def test_a_thread_takes_one_line_with_the_columns_that_there_is_room_for() -> None:
    assert lines(80) == [
        "THREAD  WHEN  TITLE                     DIR",
        "89a1      3m  Mend the parser ␛[2J日本  ~/p",
        "other         My feature                /srv",
    ]
    assert lines(100)[1].endswith("  ~/p   gpt-6")
    assert lines(40) == ["THREAD  TITLE", "89a1    Mend the parser ␛[2J日本", "other   My feature"]


@pytest.mark.parametrize("width", [10, 20, 60, 99])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert all(cells(line) <= width for line in lines(width))


def test_a_thread_without_a_prompt_is_listed_all_the_same() -> None:
    assert "(no prompt)" in thread_rows([ThreadRow("t", None, None, None, "", None)], {}, Display(80))
