"""The lines around the cockpit's pages, and the pages themselves."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len

from codex_server_cli.core.model.turn import Phase, State, format_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.ink import PLAIN, Ink
from codex_server_cli.render.turns.cockpit import pages
from codex_server_cli.render.turns.cockpit.sheets import Sheet
from codex_server_cli.render.turns.cockpit.state import Cockpit, Intent, LineBuffer, OnScreen, OpenRequest, Pane
from codex_server_cli.render.turns.lines import painted
from tests.kit.cases import for_each
from tests.render.test_escape import is_dangerous
from tests.render.turns.cockpit.test_machine import APPROVAL, QUESTION, asked

NOW_MS = 1_795_193_701_482
RUNNING = TurnView("20261120-165501-482-7f3a", "/", State.RUNNING, Phase.ANSWERING, 12.0, meta={"name": "fix"})
TIMED = {**APPROVAL, "expires_at": format_time_ms(NOW_MS + 65_000)}
WAITING = RUNNING._replace(phase=Phase.WAITING_APPROVAL, live={"pending": [APPROVAL]})
ENDED = RUNNING._replace(state=State.FAILED, phase=None, elapsed_s=None, error={"kind": "network"})
SEEN = OnScreen(short_ids={RUNNING.turn_id: "7f3a"})
DIFF = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new line\x1b[2J\n"


def foot(state: Cockpit, view: TurnView | None = RUNNING, hidden: tuple[int, int] = (0, 0), width: int = 80) -> str:
    *above, line = pages.foot(state, SEEN, view, hidden, width)
    assert len(above) + 1 == pages.foot_height(state)
    return painted(line, PLAIN)


@for_each(
    "state, view, keys",
    [
        (Cockpit(), RUNNING, "Enter text  d diff  c cancel  / filter  s by state"),
        (Cockpit(), None, "/ filter  s by state"),
        (Cockpit(), ENDED, "Enter text  d diff  / filter  s by state"),
        (Cockpit(), WAITING, "a approve  x decline  Enter text  d diff  c cancel  / filter  s by state"),
        (
            Cockpit(),
            WAITING._replace(live={"pending": [QUESTION]}),
            "r reply  x decline  Enter text  d diff  c cancel  / filter  s by state",
        ),
        (Cockpit(filter="docs"), None, "Esc all, not only “docs”  / filter  s by state"),
        (Cockpit(Pane.TAIL), ENDED, "q back  d diff"),
        (Cockpit(Pane.DIFF), ENDED, "q back  Enter text"),
        (Cockpit(Pane.HELP), None, "q back"),
        (asked(), WAITING, "y approve it  s for this turn  Esc later"),
        (asked(entry={"answer_with": "approve"}), WAITING, "y approve it  Esc later"),
        (asked(Intent.DECLINE), WAITING, "y decline it  Esc later"),
    ],
)
def test_the_last_line_names_the_keys_there_are(state: Cockpit, view: TurnView | None, keys: str) -> None:
    assert foot(state, view) == keys


def test_the_last_line_tells_what_is_hidden_what_happened_and_what_is_asked() -> None:
    assert foot(Cockpit(), hidden=(0, 3), width=30) == "↓ 3 more  Enter text  d c / s"
    assert foot(Cockpit(), hidden=(2, 3), width=24) == "↑ 2 more ↓ 3 more  Ente…"
    assert foot(Cockpit(), hidden=(2000, 3000), width=10) == "↑ 2000 mo…"
    assert foot(Cockpit(message="it has\nended \x1b[2J")) == "it has ended ␛[2J"
    assert foot(Cockpit(confirming_cancel=RUNNING.turn_id)) == "cancel 7f3a? y/n"


def test_every_key_that_works_is_named_at_40_columns() -> None:
    assert foot(asked(), WAITING, width=40) == "y approve it  s for this turn  Esc later"
    assert foot(asked(), WAITING, hidden=(0, 12), width=40) == "↓ 12 more  y approve  s whole turn  Esc"
    assert foot(asked(), WAITING, hidden=(5, 12), width=40) == "↑ 5 more ↓ 12 more  y approve  s Esc"
    assert foot(asked(Intent.DECLINE), WAITING, hidden=(5, 12), width=40) == "↑ 5 more ↓ 12 more  y decline  Esc later"
    assert foot(Cockpit(), WAITING, width=40) == "a approve  x decline  Enter d c / s"
    assert foot(Cockpit(), WAITING, hidden=(1, 20), width=40) == "↑ 1 more ↓ 20 more  a x Enter d c / s"


def test_no_message_takes_the_place_of_what_the_next_key_answers() -> None:
    reply = asked(Intent.REPLY, QUESTION)
    for state in (Cockpit(confirming_cancel=RUNNING.turn_id), Cockpit(typing=LineBuffer("docs", 4)), reply, asked()):
        told = state._replace(message="482-1234: approved")
        above, last = (painted(line, PLAIN) for line in pages.foot(told, SEEN, RUNNING, (0, 0), 80))
        assert above == "482-1234: approved"
        assert last == foot(state)
        assert (pages.foot_height(state), pages.foot_height(told)) == (1 + (state is reply), 2)
    assert pages.foot_height(Cockpit(message="482-1234: approved")) == 1


@for_each("width", [1, 3, 10, 20, 40, 80])
def test_what_is_typed_is_shown_by_its_end_with_the_cursor(width: int) -> None:
    for state in (
        Cockpit(typing=LineBuffer("研究" * 30 + "x", 61)),
        asked(Intent.REPLY, QUESTION)._replace(typing=LineBuffer("y" * 90, 90)),
    ):
        line = foot(state, width=width)
        assert cell_len(line) <= width
        assert "▏" in line or width < 4
    assert foot(Cockpit(typing=LineBuffer("docs", 2))) == "/do▏cs"


def test_an_answer_is_typed_after_its_choices_and_a_secret_is_not_shown() -> None:
    reply = asked(Intent.REPLY, QUESTION)._replace(typing=LineBuffer("2", 1))
    assert foot(reply) == "type 1 or 2: 2▏"
    assert painted(pages.foot(reply, SEEN, WAITING, (0, 0), 40)[0], PLAIN) == "Enter sends it  Esc later"
    assert foot(reply, width=16) == "> 2▏"
    secret: dict[str, Any] = {"questions": [{"id": "q", "question": "Key?", "isSecret": True}]}
    assert foot(asked(Intent.REPLY, secret)._replace(typing=LineBuffer("abc", 2))) == "type your answer: ••▏•"


def test_the_head_of_a_page_names_the_turn_and_how_it_stands() -> None:
    def head(view: TurnView, width: int) -> str:
        return painted(pages.page_head(view, "Fix it", "7f3a", "tail", width), PLAIN)

    assert head(RUNNING, 80) == "● answering · 12 s · 7f3a · tail  fix"
    assert head(ENDED._replace(meta={}), 80) == "✗ failed (network) · 7f3a · tail  Fix it"
    assert head(RUNNING, 20) == "● answering · 12 s…"
    request = pages.page_head(
        WAITING, "Fix it", "7f3a", pages.page_name(asked(entry=TIMED), NOW_MS), 40, is_timed=False
    )
    assert painted(request, PLAIN) == "! waits for approval · 7f3a · approve?…"
    assert head(RUNNING, 36) == "● answering · 12 s · 7f3a · tail  f…"


def test_a_page_of_a_request_tells_how_long_it_waits_yet() -> None:
    assert pages.page_name(asked(entry=TIMED), NOW_MS) == "approve? · 1m 05s left"
    assert pages.page_name(asked(entry=TIMED), NOW_MS, (2, 3)) == "2 of 3 · approve? · 1m 05s left"
    assert pages.page_name(asked(), NOW_MS) == "approve?"
    assert pages.page_name(Cockpit(Pane.DIFF), NOW_MS) == "diff"


def test_a_request_is_shown_whole_behind_a_bar() -> None:
    entry = {**APPROVAL, "command": "echo   " + "yz " * 40, "cwd": "/srv"}
    rows = pages.asked_rows(OpenRequest("t", entry, Intent.APPROVE), 40, PLAIN)
    assert f"$ {entry['command']}" in "".join(row.removeprefix("│ ") for row in rows)
    assert all(row.startswith("│ ") and cell_len(row) <= 40 for row in rows)


def test_a_patch_is_asked_about_in_its_colours_and_to_its_end() -> None:
    changes = [{"path": "/srv/x", "kind": {"type": "add"}, "diff": "one\ntwo\n"}]
    entry = {"kind": "patch", "answer_with": "approve", "changes": changes}
    rows = pages.asked_rows(OpenRequest("t", entry, Intent.APPROVE), 40, Ink(is_coloured=True))
    assert rows[-2:] == [f"\x1b[2m│\x1b[0m \x1b[32m+{line}\x1b[0m" for line in ("one", "two")]


def test_of_questions_the_one_to_answer_is_shown_and_all_where_they_are_declined() -> None:
    first = pages.asked_rows(OpenRequest("t", QUESTION, Intent.REPLY), 40, PLAIN)
    assert first == ["│ Which style?", "│   1  Short", "│   2  Long"]
    assert pages.asked_rows(OpenRequest("t", QUESTION, Intent.REPLY, questions=1), 40, PLAIN) == ["│ Why?"]
    assert pages.asked_rows(OpenRequest("t", QUESTION, Intent.DECLINE), 40, PLAIN) == [*first, "│ Why?"]


def test_a_diff_has_its_colours_and_nothing_in_it_is_obeyed() -> None:
    rows = pages.diff_rows(DIFF, "work_tree", 80, is_running=False, ink=Ink(is_coloured=True))
    assert "\x1b[31m-old\x1b[0m" in rows
    assert "\x1b[32m+new line␛[2J\x1b[0m" in rows
    assert pages.diff_rows("", "work_tree", 80, is_running=True, ink=PLAIN) == ["it has changed no file so far"]
    assert len(pages.diff_rows("", "patches", 30, is_running=False, ink=PLAIN)) > 1


def test_the_prompt_stands_above_the_text_of_a_turn() -> None:
    assert pages.prompt_rows("Fix it\nnow\n", 80, PLAIN) == ["│ Fix it", "│ now", ""]
    assert pages.prompt_rows(" \n", 80, PLAIN) == []


def test_the_help_fits_any_width() -> None:
    assert any(row.startswith("Enter ") for row in pages.help_rows(80))
    assert max(map(cell_len, pages.help_rows(20))) == 20


def test_a_page_that_stays_is_made_once_for_a_width() -> None:
    widths: list[int] = []

    def make(width: int) -> list[str]:
        widths.append(width)
        return ["x" * width]

    sheet = Sheet(make)
    assert [sheet.rows(3), sheet.rows(3), sheet.rows(2)] == [["xxx"], ["xxx"], ["xx"]]
    sheet.read(is_over=False)
    sheet.close()
    assert widths == [3, 2]


def test_whatever_is_asked_or_typed_is_made_safe() -> None:
    evil = "\x1b[2Jred\x07\u202etxt\r\x9b31m"
    entry = {**QUESTION, "questions": [{"id": evil, "question": evil, "header": evil, "options": [{"label": evil}]}]}
    view = ENDED._replace(meta={"name": evil}, error={"kind": evil})
    state = asked(Intent.REPLY, entry)._replace(typing=LineBuffer(evil, 3))
    rows = [
        *pages.asked_rows(OpenRequest("t", {**APPROVAL, "command": evil, "reason": evil}, Intent.APPROVE), 40, PLAIN),
        *pages.asked_rows(OpenRequest("t", entry, Intent.REPLY), 40, PLAIN),
        *pages.prompt_rows(evil, 40, PLAIN),
        painted(pages.page_head(view, evil, "7f3a", "tail", 200), PLAIN),
        foot(state),
        foot(Cockpit(filter=evil)),
    ]
    assert [char for row in rows for char in row if is_dangerous(char)] == []
