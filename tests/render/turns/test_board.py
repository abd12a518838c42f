"""The live board of turns, at the widths of real terminals."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len

from codex_server_cli.core.model.turn import Phase, State, format_time_ms
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.ink import PLAIN, Style
from codex_server_cli.render.turns.board import BoardLook, BoardRow, header, height, table
from codex_server_cli.render.turns.lines import Line, painted
from tests.kit.cases import for_each
from tests.render.test_escape import is_dangerous

HOME = "/home/dev"
NOW_MS = (time_ms("20261120-165501-482-7f3a") or 0) + 72_400
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
    view = TurnView(f"20261120-1655{number:02d}-482-000{number}", "/", State.RUNNING, elapsed_s=72.4, meta=meta)
    view = view._replace(phase=what, live=live) if isinstance(what, Phase) else view._replace(state=what)
    return view._replace(**facts)


def look_of(rows: tuple[BoardRow, ...], width: int, **facts: Any) -> BoardLook:
    return BoardLook(width, NOW_MS, HOME, {row.view.turn_id: row.view.turn_id[-4:] for row in rows}, **facts)


def lines_of(*rows: BoardRow, width: int = 80, **facts: Any) -> list[Line]:
    return table(rows, look_of(rows, width, **facts))


def shown(*rows: BoardRow, width: int = 80, **facts: Any) -> list[str]:
    return [painted(line, PLAIN).rstrip() for line in lines_of(*rows, width=width, **facts)]


def head(*views: TurnView, width: int = 80) -> str:
    return painted(header(views, ("? help  q quits", "? help"), width), PLAIN)


def test_a_turn_has_its_title_its_age_and_its_last_line_below_it() -> None:
    assert shown(BoardRow(turn(1, name="fix"), "Let me see", "Fix it")) == [
        " ● thinking  1m 12s  fix  12.3k  1m  ~/app  0001",
        "   Let me see",
    ]


def test_columns_are_aligned_under_their_headings_and_the_selected_turn_is_marked() -> None:
    rows = [
        BoardRow(turn(3, Phase.RUNNING_COMMAND, tokens=7), "$ make", "Build it"),
        BoardRow(turn(2, Phase.QUEUED, tokens=None), "", "Then test it"),
        BoardRow(turn(1, name="fix"), "x"),
    ]
    assert shown(*rows, has_words=True, selected=rows[1].view.turn_id) == [
        "   STATE              TIME  TITLE         TOKENS  AGE  DIR    ID",
        " ● running command  1m 12s  Build it           7   1m  ~/app  0003",
        "   $ make",
        "❯· queued           1m 12s  Then test it           1m  ~/app  0002",
        " ● thinking         1m 12s  fix            12.3k   1m  ~/app  0001",
        "   x",
    ]
    assert shown(has_words=True) == []


def test_a_wide_terminal_shows_a_turn_in_one_line() -> None:
    rows = [BoardRow(turn(2, name="fix"), "Let me see"), BoardRow(turn(1, State.COMPLETE), "Done.", "Sum it up")]
    assert shown(*rows, width=120) == [
        " ● thinking  1m 12s  fix        12.3k  1m  ~/app  0002  Let me see",
        " ✓ complete  1m 12s  Sum it up         1m  ~/app  0001  Done.",
    ]


def test_what_waits_for_a_person_stands_out_with_its_command() -> None:
    row = BoardRow(turn(1, Phase.WAITING_APPROVAL, APPROVAL, QUESTION, name="asker"), "not this")
    text = shown(row)
    assert text == [
        " ! waits for approval  1m 12s  asker  12.3k  1m  ~/app  0001",
        "   run rm -rf build",
        "   codex-server pending 0001 · 1 of 2 · 1m 30s left",
    ]
    pieces = [piece for line in lines_of(row) for piece in line]
    assert [text for text, style in pieces if style is Style.WARNING] == ["! waits for approval", " · 1 of 2"]
    assert shown(row, width=120)[1:] == [text[2]]


@for_each("width", [40, 39, 34])
def test_the_command_that_is_shown_works_on_a_narrow_terminal_too(width: int) -> None:
    row = BoardRow(turn(1, Phase.WAITING_APPROVAL, APPROVAL), "", "Delete what was built")
    first, _, command = shown(row, width=width)
    assert command.startswith("   codex-server pending 0001")
    assert first.endswith("0001")
    assert "Del" in first


def test_a_request_that_is_not_known_yet_is_looked_up_by_a_command() -> None:
    lines = shown(BoardRow(turn(1, Phase.WAITING_INPUT), "Hm."), BoardRow(turn(2, Phase.WAITING_INPUT, QUESTION)))
    assert lines[1:3] == ["   Hm.", "   codex-server pending 0001"]
    assert lines[4:] == ["   Which one?", "   codex-server pending 0002"]


def test_a_queued_turn_shows_its_prompt_whether_it_has_a_name_or_not() -> None:
    named, other = turn(2, Phase.QUEUED, name="later"), turn(1, Phase.QUEUED)
    lines = shown(BoardRow(named, "", "Fix\nthe tests"), BoardRow(other, "", "And the docs"))
    assert "later" in lines[0]
    assert lines[1] == "   Fix the tests"
    assert "And the docs" in lines[2]
    assert "Fix the tests" in shown(BoardRow(named, "", "Fix\nthe tests"), width=120)[0]


def test_an_end_has_its_reason_and_a_good_one_takes_one_line() -> None:
    error = {"kind": "usage_limit", "message": "You have hit your limit"}
    rows = [
        BoardRow(turn(4, State.FAILED, error=error, result={"usage": {"total_tokens": 5}}), "some text", "Four"),
        BoardRow(turn(3, State.CANCELLED, error={"kind": "cancelled", "message": "by you"}), "", "Three"),
        BoardRow(turn(2, State.ABANDONED, elapsed_s=None), "cut off", "Two"),
        BoardRow(turn(1, State.COMPLETE), "Done.", "One"),
    ]
    assert shown(*rows) == [
        " ✗ failed     1m 12s  Four   5  1m  ~/app  0004",
        "   usage_limit: You have hit your limit",
        " – cancelled  1m 12s  Three     1m  ~/app  0003",
        " ✗ abandoned          Two       1m  ~/app  0002",
        "   cut off",
        " ✓ complete   1m 12s  One       1m  ~/app  0001",
    ]


def test_of_an_answer_that_streams_the_end_is_shown_and_of_all_else_the_beginning() -> None:
    words = "one two three four five six seven eight nine ten"
    _, growing, _, other = shown(BoardRow(turn(2, Phase.ANSWERING), words), BoardRow(turn(1), words), width=30)
    assert growing == f"   …{words[-26:]}"
    assert other == f"   {words[:26].rstrip()}…"


def test_the_head_counts_what_waits_runs_and_is_queued_and_names_keys_where_there_is_room() -> None:
    views = [turn(1), turn(2, Phase.QUEUED), turn(3, State.COMPLETE)]
    assert head(*views) == f"{'1 running · 1 queued':<65}? help  q quits"
    assert head(turn(9, Phase.WAITING_INPUT), turn(8, Phase.WAITING_INPUT)).startswith(
        "2 wait for you · nothing runs  "
    )
    assert head(*views, width=30) == f"{'1 running · 1 queued':<24}? help"
    assert head(*views, width=27) == "1 running · 1 queued"
    assert head(*views, width=12) == "1 running ·…"
    assert head() == f"{'nothing runs':<65}? help  q quits"


ALL = (
    BoardRow(turn(5, Phase.WAITING_APPROVAL, APPROVAL, name="a" * 64), "x" * 200),
    BoardRow(
        turn(4, Phase.ANSWERING, cwd="/srv/日本語の長いディレクトリ名/" + "y" * 40),
        "日本語のテキスト" * 20,
        "👩‍💻 研究" * 40,
    ),
    BoardRow(turn(3, State.FAILED, error={"kind": "network", "message": "z" * 200}), "", "p" * 300),
    BoardRow(turn(2, Phase.QUEUED)),
    BoardRow(turn(1, State.COMPLETE), "w" * 200),
)


@for_each("width", [1, 2, 8, 20, 40, 60, 79, 80, 100, 119, 120, 130, 200])
def test_no_line_is_wider_than_the_terminal_nor_more_than_was_reckoned_with(width: int) -> None:
    lines = shown(*ALL, width=width)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) == sum(height(row.view, width) for row in ALL)


@for_each(
    ("width", "has"),
    [
        (100, ["1m 12s", "12.3k", "1m", "…r/long/way/to/the/app"]),
        (70, ["1m 12s", "12.3k", "1m"]),
        (52, ["1m 12s", "1m"]),
        (46, ["1m"]),
        (40, []),
    ],
)
def test_what_tells_least_is_left_out_first(width: int, has: list[str]) -> None:
    view = turn(1, Phase.WAITING_APPROVAL, APPROVAL, cwd="/a/rather/long/way/to/the/app")
    line = shown(BoardRow(view, "", "Write a good deal about all of it, please"), width=width)[0]
    columns = line.replace(" ! waits for approval", "").split("  ")
    assert [column.strip() for column in columns if "Write" not in column and column.strip()] == [*has, "0001"]


def test_what_would_hide_the_beginning_of_a_command_is_seen() -> None:
    waiting = turn(1, Phase.WAITING_APPROVAL, {"id": "0", "message": "curl evil\r\n \rls"})
    assert any("curl evil ␍ls" in line for line in shown(BoardRow(waiting)))


def test_whatever_a_turn_says_is_made_safe() -> None:
    evil = "\x1b[2Jred\x07\u202etxt\r\n\x9b31m"
    error = {"kind": evil, "message": evil}
    rows = [
        BoardRow(turn(3, Phase.WAITING_APPROVAL, {"id": evil, "message": evil}, name=evil, cwd=f"/{evil}"), evil, evil),
        BoardRow(turn(2, name=evil, cwd=f"/{evil}"), evil, evil),
        BoardRow(turn(1, State.FAILED, error=error), evil, evil),
    ]
    for width in (40, 80, 120):
        assert [char for line in shown(*rows, width=width) for char in line if is_dangerous(char)] == []


def test_a_turn_whose_files_were_edited_by_hand_is_shown_all_the_same() -> None:
    view = turn(1)._replace(meta={"name": 7, "cwd": None}, live={"usage": {"total_tokens": "many"}, "pending": "x"})
    assert shown(BoardRow(view, "x")) == [" ● thinking  1m 12s  (no prompt)  1m  0001", "   x"]
    assert shown(BoardRow(view._replace(live={"usage": []}), "x"))[0].startswith(" ● thinking")
