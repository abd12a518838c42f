"""The line after a turn's text: what it says, and what it leaves out where there is little room."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import Phase, State, parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.spinner import column_after, is_waiting, pending_command, spinner_line
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
LAST_ACTIVITY = "2026-11-20T16:55:30.000Z"
APPROVAL = {"id": "0", "kind": "command", "message": "run make", "answer_with": "approve"}
QUESTION = {"id": "7", "kind": "question", "message": "Which?", "answer_with": "reply"}


def turn(phase: Phase, *pending: dict[str, Any], elapsed_s: float | None = 72.4) -> TurnView:
    live = {"last_activity": LAST_ACTIVITY, "pending": list(pending)}
    return TurnView(TURN_ID, "/", State.RUNNING, phase, elapsed_s, live=live)


def line(view: TurnView, width: int = 80, *, silent_s: float = 0, frame: int = 0) -> str:
    last_activity_ms = parse_time_ms(LAST_ACTIVITY)
    assert last_activity_ms is not None
    return spinner_line(view, frame, last_activity_ms + int(silent_s * 1000), width)


def test_it_says_what_the_turn_does_and_for_how_long() -> None:
    assert line(turn(Phase.THINKING)) == "⠋ thinking · 1m 12s"


def test_it_moves() -> None:
    pictures = [line(turn(Phase.THINKING), frame=frame)[0] for frame in range(20)]
    assert pictures[:10] == pictures[10:]
    assert len(set(pictures)) == 10


@for_each(
    ("phase", "silent_s", "shown"),
    [
        (Phase.RUNNING_COMMAND, 9.9, "⠋ running_command · 1m 12s"),
        (Phase.RUNNING_COMMAND, 45, "⠋ running_command · 1m 12s · silent for 45 s"),
        (Phase.QUEUED, 45, "⠋ queued · 1m 12s"),
    ],
)
def test_a_long_silence_of_codex_is_told_but_not_of_a_queued_turn(phase: Phase, silent_s: float, shown: str) -> None:
    assert line(turn(phase), silent_s=silent_s) == shown


def test_a_turn_that_tells_nothing_yet_has_a_line_all_the_same() -> None:
    assert line(TurnView(TURN_ID, "/", State.RUNNING, Phase.STARTING)) == "⠋ starting"


@for_each(
    ("width", "shown"),
    [
        (80, f"⠋ waiting_approval · 1m 12s · codex-server pending {TURN_ID}"),
        (70, f"⠋ waiting_approval · codex-server pending {TURN_ID}"),
        (52, f"⠋ codex-server pending {TURN_ID}"),
        (20, "⠋ codex-server pend…"),
    ],
)
def test_the_command_that_answers_is_what_stays_longest(width: int, shown: str) -> None:
    view = turn(Phase.WAITING_APPROVAL, APPROVAL, QUESTION)
    assert is_waiting(view)
    assert line(view, width, silent_s=100) == shown


@for_each(("width", "shown"), [(43, "⠋ running_command · 1m 12s"), (20, "⠋ running_command"), (12, "⠋ running_c…")])
def test_the_rest_gives_way_to_the_phase(width: int, shown: str) -> None:
    assert line(turn(Phase.RUNNING_COMMAND), width, silent_s=45) == shown


def test_what_is_not_shown_here_is_looked_at_before_it_is_decided() -> None:
    for phase, request in ((Phase.WAITING_APPROVAL, APPROVAL), (Phase.WAITING_INPUT, QUESTION)):
        assert pending_command(turn(phase, request)) == f"codex-server pending {TURN_ID}"
        assert line(turn(phase, request)).endswith(f" · codex-server pending {TURN_ID}")


def test_there_is_no_command_where_nothing_waits_any_more() -> None:
    assert line(turn(Phase.THINKING, APPROVAL)) == "⠋ thinking · 1m 12s"
    assert line(turn(Phase.WAITING_APPROVAL)) == "⠋ waiting_approval · 1m 12s"


@for_each(
    ("text", "column"),
    [
        ("", 0),
        ("abc", 3),
        ("a" * 10, 10),
        ("a" * 13, 3),
        ("日本", 4),
        ("a" * 9 + "日", 2),  # no half of it fits, so it wraps
        ("\t", 8),
        ("a\t", 8),
        ("a" * 8 + "\t", 9),
        ("a" * 10 + "\t", 10),
        ("\x1b[1m", 4),  # as it is shown: ␛[1m
        ("e\u0301", 1),
    ],
)
def test_the_cursor_stands_where_a_terminal_of_ten_columns_has_it(text: str, column: int) -> None:
    assert column_after(text, 10) == column
