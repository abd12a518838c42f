"""The live board of turns, at the widths of real terminals."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.text import Text

from codex_server_cli.core.model.turn import Phase, State, format_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.tables import short_path
from codex_server_cli.render.turns.board import Row, board, fitting
from tests.kit.cases import for_each
from tests.render.test_escape import is_dangerous

NOW_MS = 1_795_193_701_482
HOME = "/home/dev"
APPROVAL = {
    "id": "0",
    "message": "run rm -rf build",
    "answer_with": "approve",
    "expires_at": format_time_ms(NOW_MS + 90_500),
}
QUESTION = {"id": "1", "message": "Which one?", "answer_with": "reply"}


def turn(number: int, what: Phase | State = Phase.THINKING, *pending: dict[str, Any], **facts: Any) -> TurnView:
    """A turn of that phase, or ended in that state; a higher number is newer."""
    meta = {"name": facts.pop("name", None), "cwd": facts.pop("cwd", f"{HOME}/app")}
    live = {"usage": {"total_tokens": facts.pop("tokens", 12_345)}, "pending": list(pending)}
    view = TurnView(f"20261120-1655{number:02d}-482-7f3a", "/", State.RUNNING, elapsed_s=72.4, meta=meta)
    view = view._replace(phase=what, live=live) if isinstance(what, Phase) else view._replace(state=what)
    return view._replace(**facts)


def header(text: str) -> str:
    return f"{text}{'q quits':>{80 - len(text)}}"


def shown(*rows: Row, width: int = 80, others: list[TurnView] | None = None) -> list[str]:
    return picture(*rows, width=width, others=others).plain.split("\n")


def picture(*rows: Row, width: int = 80, others: list[TurnView] | None = None) -> Text:
    return board(rows, [view for view, _ in rows] + (others or []), NOW_MS, HOME, width)


def test_a_turn_has_its_last_line_below_it() -> None:
    assert shown((turn(1, name="fix"), "Let me see")) == [
        header("1 running"),
        "▸ thinking  1m 12s  fix  12.3k  ~/app",
        "  Let me see",
    ]


def test_columns_are_aligned_and_a_turn_without_a_name_has_its_id() -> None:
    rows = [
        (turn(3, Phase.RUNNING_COMMAND, tokens=7), "$ make"),
        (turn(2, Phase.QUEUED, tokens=None), ""),
        (turn(1, name="fix"), "x"),
    ]
    assert shown(*rows)[1:] == [
        "▸ running_command  1m 12s  20261120-165503-482-7f3a  7      ~/app",
        "  $ make",
        "· queued           1m 12s  20261120-165502-482-7f3a         ~/app",
        "▸ thinking         1m 12s  fix                       12.3k  ~/app",
        "  x",
    ]


def test_a_wide_terminal_shows_a_turn_in_one_line_with_id_and_name() -> None:
    rows = [(turn(2, name="fix"), "Let me see"), (turn(1, State.COMPLETE), "Done.")]
    assert shown(*rows, width=120)[1:] == [
        "▸ thinking  1m 12s  20261120-165502-482-7f3a  fix  12.3k  ~/app  Let me see",
        "✓ complete  1m 12s  20261120-165501-482-7f3a              ~/app  Done.",
    ]


def test_what_waits_for_a_person_stands_out_with_its_command() -> None:
    row = (turn(1, Phase.WAITING_APPROVAL, APPROVAL, QUESTION), "not this")
    text = picture(row)
    assert text.plain.split("\n") == [
        header("1 waits for you · nothing runs"),
        "! waiting_approval  1m 12s  20261120-165501-482-7f3a  12.3k  ~/app",
        "  run rm -rf build",
        "  codex-server pending 20261120-165501-482-7f3a · 1m 30s left · 1 more",
    ]
    loud = [text.plain[span.start : span.end] for span in text.spans if span.style == "bold yellow"]
    assert loud == ["1 waits for you", "! waiting_approval", "run rm -rf build", " · 1 more"]
    assert shown(row, width=120)[2:] == [text.plain.split("\n")[3]]


def test_a_request_that_is_not_known_yet_is_looked_up_by_a_command() -> None:
    lines = shown((turn(1, Phase.WAITING_INPUT), "Hm."), (turn(2, Phase.WAITING_INPUT, QUESTION), ""))
    assert lines[0].startswith("2 wait for you · nothing runs")
    assert lines[2:4] == ["  Hm.", "  codex-server pending 20261120-165501-482-7f3a"]
    assert lines[5:] == ["  Which one?", "  codex-server pending 20261120-165502-482-7f3a"]


def test_an_end_has_its_reason_and_a_good_one_takes_one_line() -> None:
    error = {"kind": "usage_limit", "message": "You have hit your limit"}
    rows = [
        (turn(4, State.FAILED, error=error, result={"usage": {"total_tokens": 5}}), "some text"),
        (turn(3, State.CANCELLED, error={"kind": "cancelled", "message": "by you"}), ""),
        (turn(2, State.ABANDONED, elapsed_s=None), "cut off"),
        (turn(1, State.COMPLETE), "Done."),
    ]
    assert shown(*rows) == [
        header("nothing runs"),
        "✗ failed     1m 12s  20261120-165504-482-7f3a  5  ~/app",
        "  usage_limit: You have hit your limit",
        "– cancelled  1m 12s  20261120-165503-482-7f3a     ~/app",
        "✗ abandoned          20261120-165502-482-7f3a     ~/app",
        "  cut off",
        "✓ complete   1m 12s  20261120-165501-482-7f3a     ~/app",
    ]


def test_of_an_answer_that_streams_the_end_is_shown_and_of_all_else_the_beginning() -> None:
    words = "one two three four five six seven eight nine ten"
    rows = [(turn(2, Phase.ANSWERING), words), (turn(1), words)]
    _, _, growing, _, other = shown(*rows, width=30)
    assert growing == f"  …{words[-27:]}"
    assert other == f"  {words[:27]}…"


def test_how_many_there_are_stands_above_and_below() -> None:
    others = [turn(1), turn(2, Phase.QUEUED), turn(3, State.COMPLETE)]
    lines = shown((turn(9), "x"), others=others)
    assert lines[0].startswith("2 running · 1 queued  ")
    assert lines[-1] == "… 2 more running: codex-server status"
    assert shown((turn(9), "x"), others=others[2:])[-1] == "… more: codex-server list-turns"
    assert shown() == [header("nothing runs"), "No turns."]


ALL = [
    (turn(5, Phase.WAITING_APPROVAL, APPROVAL, name="a" * 64), "x" * 200),
    (turn(4, Phase.ANSWERING, cwd="/srv/日本語の長いディレクトリ名/" + "y" * 40), "日本語のテキスト" * 20),
    (turn(3, State.FAILED, error={"kind": "network", "message": "z" * 200}), ""),
    (turn(2, Phase.QUEUED), ""),
    (turn(1, State.COMPLETE), "w" * 200),
]


@for_each("width", [1, 2, 8, 20, 40, 60, 79, 80, 100, 119, 120, 130, 200])
def test_no_line_is_wider_than_the_terminal_nor_more_than_was_reckoned_with(width: int) -> None:
    lines = shown(*ALL, width=width)
    assert max(map(cell_len, lines)) <= width
    views = [view for view, _ in ALL]
    assert len(fitting(views, width, len(lines))) == len(ALL)
    assert len(fitting(views, width, len(lines) - 1)) < len(ALL)


@for_each(("width", "has"), [(80, "12.3k  …ong/way/to/the/app"), (60, "12.3k"), (53, "7f3a")])
def test_what_tells_least_is_left_out_first(width: int, has: str) -> None:
    line = shown((turn(1, Phase.WAITING_APPROVAL, APPROVAL, cwd="/a/rather/long/way/to/the/app"), ""), width=width)[1]
    assert line.rstrip().endswith(has)


def test_a_long_directory_is_shown_by_its_end() -> None:
    path = "/srv/a/rather/long/way/to/the/app"
    assert shown((turn(1, cwd=path), ""))[1].endswith(short_path(path, HOME, 24))


def test_whatever_a_turn_says_is_made_safe() -> None:
    evil = "\x1b[2Jred\x07\u202etxt\r\n\x9b31m"
    error = {"kind": evil, "message": evil}
    rows = [
        (turn(3, Phase.WAITING_APPROVAL, {"id": evil, "message": evil}, name=evil, cwd=f"/{evil}"), evil),
        (turn(2, name=evil, cwd=f"/{evil}"), evil),
        (turn(1, State.FAILED, error=error), evil),
    ]
    for width in (40, 80, 120):
        assert [char for char in picture(*rows, width=width).plain if char != "\n" and is_dangerous(char)] == []


def test_a_turn_whose_files_were_edited_by_hand_is_shown_all_the_same() -> None:
    view = turn(1)._replace(meta={"name": 7, "cwd": None}, live={"usage": {"total_tokens": "many"}, "pending": "x"})
    assert shown((view, "x"))[1:] == ["▸ thinking  1m 12s  20261120-165501-482-7f3a", "  x"]
    assert shown((view._replace(live={"usage": []}), "x"))[1].startswith("▸ thinking")


def test_newest_first_and_where_room_is_short_who_waits_before_who_runs_before_who_has_ended() -> None:
    views = [
        turn(1, Phase.WAITING_INPUT, QUESTION),
        turn(2),
        turn(3, Phase.QUEUED),
        turn(4, State.COMPLETE),
        turn(5, State.COMPLETE),
    ]
    seconds = [[view.turn_id[13:15] for view in fitting(views, 80, height)] for height in range(1, 11)]
    assert seconds[8] == ["05", "04", "03", "02", "01"]
    assert seconds == [
        *([[]] * 4),
        ["01"],
        ["01"],
        ["02", "01"],
        ["03", "02", "01"],
        *([["05", "04", "03", "02", "01"]] * 2),
    ]


def test_no_more_are_shown_than_are_asked_for() -> None:
    views = [turn(number, State.COMPLETE) for number in range(1, 6)]
    assert [view.turn_id[13:15] for view in fitting(views, 80, 24, limit=2)] == ["05", "04"]
    assert len(fitting(views, 80, 24, limit=5)) == 5
    assert len(fitting(views, 80, 6)) == 5
