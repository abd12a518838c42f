"""The text of a turn as a page of the cockpit: what comes is added, and laid out anew at another width."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from codex_server_cli.actions.read import turn_text
from codex_server_cli.cli.terminal import text_sheet
from codex_server_cli.cli.terminal.text_sheet import TextSheet
from codex_server_cli.disk.turn.layout import TurnDir
from tests.kit.home import Home
from tests.kit.played_turn import PlayedTurn

LONG_CODE = "```\n" + "研究" * 30 + "\n\tend\n```\n\n"


def plain(rows: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[\d;]*m", "", row).rstrip() for row in rows]


def test_a_text_is_rendered_as_it_comes_and_anew_at_another_width(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    sheet = TextSheet(TurnDir(turn.path), lambda _width: ["│ hi"])
    assert sheet.rows(40) == ["│ hi"]
    turn.say("# Found\n\nThe **last** li")
    sheet.read(is_over=False)
    rows = plain(sheet.rows(40))
    assert rows == ["│ hi", "", "Found", "", "The **last** li"]
    turn.say(f"ne is \x1b[2J lost\n\n{LONG_CODE}")
    sheet.read(is_over=False)
    narrow = sheet.rows(30)
    assert plain(narrow)[:5] == ["│ hi", "", "Found", "", "The last line is ␛[2J lost"]
    assert max(cell_len(row) for row in plain(narrow)) == 30
    assert "".join(plain(narrow)).count("研究") == 30
    assert len(sheet.rows(80)) < len(narrow)
    turn.end("Done.")
    sheet.read(is_over=True)
    assert plain(sheet.rows(80))[-1] == "Done."
    before = sheet.rows(80)
    sheet.read(is_over=True)
    assert sheet.rows(80) == before
    sheet.close()


def test_of_a_very_long_text_the_end_is_shown_and_where_the_rest_is(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    sheet = TextSheet(TurnDir(turn.path), lambda _width: [])
    turn.say("".join(f"Line {number}.\n\n" for number in range(2 * text_sheet._BLOCKS + 5)))
    sheet.read(is_over=False)
    rows = plain(sheet.rows(80))
    assert rows[0] == f"… earlier: codex-server tail {turn.id}"
    assert rows[-1] == f"Line {2 * text_sheet._BLOCKS + 4}."
    assert len(rows) <= 2 * text_sheet._BLOCKS + 1
    sheet.close()


def test_a_block_of_megabytes_is_shown_by_its_end_as_it_is_and_so_are_many_long_ones(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    sheet = TextSheet(TurnDir(turn.path), lambda _width: ["│ hi"])
    words = "**word** " * (text_sheet._CHARS // 6)
    turn.say(f"{words}the end \x1b[2J.\n\n")
    sheet.read(is_over=False)
    rows = plain(sheet.rows(80))
    shown = sum(map(len, rows))
    assert text_sheet._CHARS * 0.8 < shown < text_sheet._CHARS * 1.2
    assert rows[:3] == ["│ hi", "", f"… earlier: codex-server tail {turn.id}"]
    assert "".join(rows).endswith("**word** the end ␛[2J.")
    turn.say(f"{'x' * (text_sheet._CHARS // 4)} \n\n" * 9 + "Last.\n\n")
    sheet.read(is_over=False)
    rows = plain(sheet.rows(80))
    assert "word" not in "".join(rows)
    assert rows[-1] == "Last."
    assert sum(map(len, rows)) < 2 * text_sheet._CHARS + 1000
    sheet.close()


def test_a_log_of_any_size_is_read_in_pieces(one_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = PlayedTurn(one_home)
    turn.say("The first half, ")
    turn.say("研究 and the second.\n\n")
    monkeypatch.setattr(turn_text, "_PIECE_BYTES", 7)
    sheet = TextSheet(TurnDir(turn.path), lambda _width: [])
    sheet.read(is_over=False)
    assert plain(sheet.rows(80))[-1] == "The first half, 研究 and the second."
    sheet.close()
