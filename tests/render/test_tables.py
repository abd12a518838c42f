"""Lists for people, at the width of an ordinary terminal."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.tables import duration, short_path, table, turns_table
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
LONG = "Explain, in as many words as you can find, what this repository is about and who wrote it"


def turn(state: State = State.COMPLETE, name: str | None = None, **facts: Any) -> TurnView:
    view = TurnView(TURN_ID, "/", state, elapsed_s=72.0, meta={"name": name}, result={"usage": {"total_tokens": 120}})
    return view._replace(**facts)


def test_turns_are_aligned_and_the_prompt_is_cut_at_the_width() -> None:
    running = turn(State.RUNNING, phase=Phase.RUNNING_COMMAND, result={}, live={"usage": {"total_tokens": 7}})
    assert turns_table([(turn(), "short"), (running, LONG)], 80).splitlines() == [
        "TURN                      STATE            TIME    TOKENS  PROMPT",
        "20261120-165501-482-7f3a  complete         1m 12s  120     short",
        "20261120-165501-482-7f3a  running_command  1m 12s  7       Explain, in as many …",
    ]


def test_names_have_a_column_where_there_are_any() -> None:
    lines = turns_table([(turn(name="fix"), "one"), (turn(), "two")], 80).splitlines()
    assert lines[0].split() == ["TURN", "STATE", "TIME", "TOKENS", "NAME", "PROMPT"]
    assert lines[1].endswith("120     fix   one")
    assert lines[2].endswith("120           two")


def test_no_turns_are_said_to_be_none() -> None:
    assert turns_table([], 80) == "No turns.\n"


def test_a_turn_that_tells_nothing_is_listed_all_the_same() -> None:
    view = TurnView(TURN_ID, "/", State.ABANDONED)
    assert turns_table([(view, "")], 80).splitlines()[1] == f"{TURN_ID}  abandoned"


@for_each("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [(turn(name="fix"), LONG * 3), (turn(State.RUNNING, phase=Phase.WAITING_APPROVAL), LONG)]
    assert max(map(len, turns_table(rows, width).splitlines())) == width


def test_a_narrow_terminal_still_shows_the_beginning_of_the_last_column() -> None:
    assert table(("A", "B"), [("x" * 30, LONG)], 20).splitlines()[1] == f"{'x' * 30}  Explain, …"


def test_cells_are_made_safe_and_single_line() -> None:
    assert table(("A", "B"), [("one\ntwo", "red\x1b[31m\r\n")], 80).splitlines()[1] == "one two  red␛[31m"


@for_each(
    ("path", "shown"),
    [
        ("/home/dev", "~"),
        ("/home/dev/project", "~/project"),
        ("/home/developer", "/home/developer"),
        ("/srv/" + "x" * 40, "…" + "x" * 31),
    ],
)
def test_a_directory_is_shown_from_the_home_on_and_by_its_end(path: str, shown: str) -> None:
    assert short_path(path, "/home/dev") == shown


@for_each(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0.0 s"),
        (1.24, "1.2 s"),
        (59.9, "59.9 s"),
        (60.0, "1m 00s"),
        (200.9, "3m 20s"),
        (7500, "2h 05m"),
    ],
)
def test_durations_are_short(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
    assert len(text) <= 7
