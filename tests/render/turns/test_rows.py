"""Turns as a list for a terminal: which columns a width has, and that no line is wider."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.ink import PLAIN, Ink
from codex_server_cli.render.turns.rows import long_turn_rows, turn_rows

NEWER, OLDER = "20261120-165501-482-7f3a", "20261119-165501-482-00ff"
NOW_MS = (time_ms(NEWER) or 0) + 180_000
LONG = "日本語 and explain, in as many words as you can find, what this repository is about and who wrote it"
HOME = "/home/ada"


def turn(turn_id: str = NEWER, state: State = State.COMPLETE, **facts: Any) -> TurnView:
    meta = {"cwd": f"{HOME}/work/parser"}
    return TurnView(turn_id, "/", state, meta=meta, result={"usage": {"total_tokens": 12_345}})._replace(**facts)


ROWS = [
    (turn(state=State.RUNNING, phase=Phase.WAITING_APPROVAL, result={}, live={"usage": {"total_tokens": 7}}), LONG),
    (turn(OLDER, meta={"name": "fix", "cwd": f"{HOME}/a/directory/that/lies/deep"}), "Mend it"),
]


def lines(width: int, rows: list[tuple[TurnView, str]] = ROWS, ink: Ink = PLAIN) -> list[str]:
    return turn_rows(rows, NOW_MS, HOME, width, ink, {NEWER: "7f3a", OLDER: "00ff"}).splitlines()


def test_a_turn_takes_one_line_at_80_columns() -> None:
    assert lines(80) == [
        "  TURN  WHEN  TITLE                                     DIR               TOKENS",
        "! 7f3a    3m  日本語 and explain, in as many words as…  ~/work/parser          7",
        "✓ 00ff    1d  fix                                       …/that/lies/deep   12.3k",
    ]


def test_a_narrow_terminal_shows_which_turns_and_what_they_are_about() -> None:
    assert lines(40) == [
        "  TURN  TITLE",
        "! 7f3a  日本語 and explain, in as many…",
        "✓ 00ff  fix",
    ]


def test_a_wide_one_shows_the_state_in_words_too() -> None:
    heading, waiting, ended = lines(120)
    assert heading.split() == ["TURN", "STATE", "WHEN", "TITLE", "DIR", "TOKENS"]
    assert waiting.startswith("! 7f3a  waits for approval    3m  日本語 and")
    assert ended.startswith("✓ 00ff  complete              1d  fix")


@pytest.mark.parametrize("width", [1, 10, 20, 40, 59, 60, 80, 119, 120, 200])
def test_no_line_is_wider_than_the_terminal_whatever_is_in_it(width: int) -> None:
    hostile = turn(meta={"cwd": f"/tmp/\x1b[2J日本\n{'x' * 90}", "name": "\x1b]0;owned\x07" + "é" * 300})
    rows = [*ROWS, (hostile, ""), (turn(OLDER, State.UNREADABLE, meta={}, result={"usage": 3}), "\u202eabc")]
    coloured = lines(width, rows, Ink(is_coloured=True))
    shown = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in coloured]
    assert shown == lines(width, rows)
    assert all(cell_len(line) <= width for line in shown)
    assert not re.search(r"[\x00-\x1f\x7f\u202e]", "".join(shown))


def test_no_turns_take_no_line_and_an_id_without_a_short_one_is_shown_whole() -> None:
    assert lines(80, []) == []
    assert OLDER in turn_rows(ROWS, NOW_MS, HOME, 80, PLAIN, {}).splitlines()[2]


def test_with_all_columns_a_line_is_as_wide_as_it_takes() -> None:
    meta = {
        "cwd": HOME,
        "name": "fix",
        "model": "gpt",
        "effort": "low",
        "thread_id": "01a2",
        "started_at": "2026-11-20T16:55:01.482Z",
    }
    heading, row = long_turn_rows([(turn(meta=meta, elapsed_s=72.0), LONG * 2)], HOME, PLAIN).splitlines()
    assert heading.split() == [
        *("TURN", "STATE", "STARTED", "TOOK", "TOKENS", "MODEL", "EFFORT", "THREAD", "DIR", "NAME", "PROMPT")
    ]
    cells = (
        f"{NEWER}  complete  2026-11-20T16:55:01  1m 12s   12.3k  gpt    low     01a2    ~    fix   日本語 and explain"
    )
    assert row.startswith(cells)
    assert row.endswith("…")
    assert long_turn_rows([], HOME, PLAIN) == ""
