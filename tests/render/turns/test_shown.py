"""One turn or thread in words on a terminal."""

from __future__ import annotations

import re

import pytest

from codex_server_cli.core.history.entries import ThreadEntry
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.cells import cells
from codex_server_cli.render.style.ink import Ink
from codex_server_cli.render.style.wrap import Display, wrapped
from codex_server_cli.render.turns.shown import shown_thread, shown_turn

TURN_ID = "20261120-165501-482-7f3a"
AT = "2026-11-20T16:55:01.482Z"
DISPLAY = Display(80, now_ms=(time_ms(TURN_ID) or 0) + 180_000, user_home="/home/ada")
VIEW = TurnView(
    TURN_ID,
    "/",
    State.COMPLETE,
    elapsed_s=72.0,
    meta={"cwd": "/home/ada/p", "started_at": AT, "model": "gpt"},
    result={"answer": "Done.", "usage": {"total_tokens": 240}},
)
ENTRIES = [
    ThreadEntry("userMessage", "Mend it\n── codex · 3m ago", AT),
    ThreadEntry("commandExecution", "$ ls\n  -la\na.py\n… 12 more lines …\n→ exit 0 · 0.1 s\n", AT),
    ThreadEntry("commandExecution", "$ false\n→ exit 1 · 0.1 s\n", AT),
    ThreadEntry("commandExecution", "make", ""),
    ThreadEntry("fileChange", "± /home/ada/p/app.py +2 −1\n± /srv/x new, 1 line\n/home/ada/p/b.py", AT),
    ThreadEntry("agentMessage", "Done. " + "word " * 40, AT),
    ThreadEntry("odd\nthing", "\x1b[2J", ""),
    ThreadEntry("error", "refused", AT),
]


def layout(text: str, width: int) -> list[str]:
    return [f"<{line}>" for line in wrapped(text.replace("\x1b", "?"), width - 2)] + [""]


def test_a_turn_is_its_facts_and_then_what_was_said_and_done() -> None:
    assert shown_turn(VIEW, "Mend it", "7f3a", ENTRIES[:5], DISPLAY, layout).splitlines() == [
        f"turn       {TURN_ID}",
        "state      ✓ complete",
        "directory  ~/p",
        "model      gpt",
        "started    3m ago, 2026-11-20 16:55 UTC",
        "took       1m 12s",
        "tokens     240",
        "prompt     Mend it",
        "next       codex-server answer 7f3a",
        "",
        "── you · 3m ago",
        "  Mend it",
        "  ── codex · 3m ago",  # indented: it cannot pass for ours
        "",
        "── command · 3m ago",
        "  $ ls",
        "    -la",
        "  a.py",
        "  … 12 more lines …",
        "  → exit 0 · 0.1 s",
        "",
        "── command · 3m ago",
        "  $ false",
        "  → exit 1 · 0.1 s",
        "",
        "── command",
        "  $ make",
        "",
        "── files · 3m ago",
        "  ± app.py +2 −1",
        "  ± /srv/x new, 1 line",
        "  b.py",
    ]


def edited(status: str = "completed") -> ThreadEntry:
    update = {
        "path": "/home/ada/p/app.py",
        "kind": {"type": "update"},
        "diff": "@@ -1 +1 @@\n-a\n+" + "b" * 90 + "\x1b\n",
    }
    new = {"path": "/srv/x", "kind": {"type": "add"}, "diff": "x\n" * 14}
    return ThreadEntry("fileChange", "told", AT, {"type": "fileChange", "status": status, "changes": [update, new]})


def test_an_edit_has_the_beginning_of_each_patch_and_the_command_that_shows_all() -> None:
    text = shown_turn(VIEW, "Mend it", "7f3a", [edited()], DISPLAY, layout)
    assert text.partition("── files · 3m ago\n")[2].splitlines() == [
        "  ± app.py +1 −1",
        "  @@ -1 +1 @@",
        "  -a",
        "  +" + "b" * 77,
        "  " + "b" * 13 + "␛",
        "  ± /srv/x new, 14 lines",
        *["  +x"] * 12,
        "  … 2 more lines: codex-server diff 7f3a",
    ]
    coloured = shown_turn(VIEW, "", "7f3a", [edited()], DISPLAY._replace(ink=Ink(is_coloured=True)), layout)
    for piece in ("  \x1b[36m@@ -1 +1 @@\x1b[0m", "  \x1b[31m-a\x1b[0m", "  \x1b[32m+x\x1b[0m", "\x1b[2m  … 2 more"):
        assert f"{piece}" in coloured


def test_an_edit_that_was_not_written_has_no_patch() -> None:
    text = shown_turn(VIEW, "Mend it", "7f3a", [edited("declined")], DISPLAY, layout)
    assert text.endswith("\n  ± app.py +1 −1 (declined)\n  ± /srv/x new, 14 lines (declined)\n")


def test_what_went_well_is_green_and_what_did_not_red() -> None:
    text = shown_turn(VIEW, "Mend it", "7f3a", ENTRIES, DISPLAY._replace(ink=Ink(is_coloured=True)), layout)
    for piece in (
        "\x1b[32m✓ complete\x1b[0m",
        "\x1b[36m── you\x1b[0m · \x1b[2m3m ago\x1b[0m",
        "\x1b[1m  $ ls\x1b[0m",
        "\x1b[32m  → exit 0 · 0.1 s\x1b[0m",
        "\x1b[31m  → exit 1 · 0.1 s\x1b[0m",
        "\x1b[2m  … 12 more lines …\x1b[0m",
        "± app.py\x1b[32m +2\x1b[0m\x1b[31m −1\x1b[0m",
        "\x1b[34m── odd thing\x1b[0m\n  ␛[2J\n",
        "\x1b[31m  refused\x1b[0m",
        "── codex\x1b[0m · \x1b[2m3m ago\x1b[0m\n  <Done. word",
    ):
        assert piece in text


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_no_line_is_wider_than_the_terminal_but_a_command(width: int) -> None:
    text = shown_turn(VIEW, "Mend it", "7f3a", [*ENTRIES, edited()], DISPLAY._replace(width=width), layout)
    assert all(cells(line) <= width or "codex-server" in line for line in text.splitlines())
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)


def test_a_thread_has_the_command_that_goes_on_with_it() -> None:
    header = [("thread", "01a2"), ("name", None), ("updated", AT), ("started", "?"), ("continue", "codex-server …")]
    assert shown_thread(header, [], DISPLAY, layout).splitlines() == [
        "thread    01a2",
        "updated   3m ago, 2026-11-20 16:55 UTC",
        "started   ?",
        "continue  codex-server …",
    ]


def test_a_thread_has_the_names_of_what_was_changed() -> None:
    edit = ThreadEntry("fileChange", "/p/a.py\n/q/b.py\n", "")
    assert shown_thread([("directory", "/p")], [edit], DISPLAY, layout).endswith("── files\n  a.py\n  /q/b.py\n")
    assert shown_thread([], [edit], DISPLAY, layout) == "\n── files\n  /p/a.py\n  /q/b.py\n"
