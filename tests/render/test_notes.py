"""Single turns, threads and findings for people."""

from __future__ import annotations

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.notes import check_lines, end_note, entries_text, running_note, turn_header

TURN_ID = "20261120-165501-482-7f3a"


def failed(**error: object) -> TurnView:
    known = {"kind": "usage_limit", "message": "The limit is reached.", "hint": "Wait.", "resets_at": None}
    return TurnView(TURN_ID, "/", State.FAILED, error={**known, **error})


def test_a_complete_turn_needs_no_word() -> None:
    assert end_note(TurnView(TURN_ID, "/", State.COMPLETE)) == ""


def test_a_failed_turn_says_why_and_what_to_do_next() -> None:
    assert end_note(failed()).splitlines() == [
        f"codex-server: turn {TURN_ID} failed (usage_limit): The limit is reached.",
        "Wait.",
    ]
    assert end_note(failed(hint="")).count("\n") == 0


def test_a_turn_that_was_deleted_is_said_to_be_gone() -> None:
    assert end_note(TurnView(TURN_ID, "/", State.MISSING)).splitlines() == [
        f"codex-server: no such turn: {TURN_ID}",
        "codex-server list-turns shows the turns there are.",
    ]


def test_a_turn_that_may_not_be_read_is_said_to_be_unreadable() -> None:
    error = {"kind": "disk", "message": f"turn {TURN_ID} cannot be read: /x", "hint": "It belongs to root."}
    assert end_note(TurnView(TURN_ID, "/", State.UNREADABLE, error=error)).splitlines() == [
        f"codex-server: turn {TURN_ID} cannot be read: /x",
        "It belongs to root.",
    ]


def test_a_limit_that_resets_says_when() -> None:
    assert end_note(failed(resets_at="2026-11-20T21:00:00.000Z")).endswith(
        "\nWait. The limit resets at 2026-11-20T21:00:00.000Z."
    )
    assert end_note(failed(resets_at="2026-11-20T21:00:00.000Z", hint="Then: `x`")).endswith(
        "\nThen: `x`. The limit resets at 2026-11-20T21:00:00.000Z."
    )
    assert end_note(failed(resets_at="2026-11-20T21:00:00.000Z", hint="")).endswith(
        "\nThe limit resets at 2026-11-20T21:00:00.000Z."
    )


def test_a_running_turn_says_how_to_go_on_waiting() -> None:
    view = TurnView(TURN_ID, "/", State.RUNNING, Phase.THINKING, 3.0)
    assert running_note(view, " --timeout 5m").splitlines() == [
        f"codex-server: turn {TURN_ID} is still running (thinking, 3.0 s)",
        f"codex-server wait {TURN_ID} --timeout 5m",
    ]


def test_a_turn_that_waits_for_the_usage_limit_says_until_when() -> None:
    live = {"resets_at": "2026-11-20T21:00:00.000Z"}
    view = TurnView(TURN_ID, "/", State.RUNNING, Phase.QUEUED, 3.0, live=live)
    assert "(queued until the usage limit resets at 2026-11-20T21:00:00.000Z, 3.0 s)" in running_note(view, "")


def test_a_thread_is_its_facts_and_then_its_entries() -> None:
    header = [("thread", "t"), ("name", None), ("directory", "/home\n/dev")]
    entries = [("user", "2026", "what?\n"), ("agent", None, "that")]
    assert entries_text(header, entries, 80).splitlines() == [
        "thread     t",
        "directory  /home /dev",
        "",
        "── user · 2026",
        "what?",
        "",
        "── agent",
        "that",
    ]
    assert entries_text([], [], 80) == "\n"


def test_the_facts_of_a_turn_end_with_the_command_to_run_next() -> None:
    running = TurnView(TURN_ID, "/", State.RUNNING, Phase.THINKING, 1.25, {"cwd": "/p", "name": "n"})
    known = {label: value for label, value in turn_header(running, "hi") if value}
    assert known == {
        "turn": TURN_ID,
        "name": "n",
        "state": "running: thinking",
        "directory": "/p",
        "took": "1.2 s",
        "prompt": "hi",
        "next": f"codex-server wait {TURN_ID} --timeout 100",
    }
    ended = dict(turn_header(failed()._replace(result={"usage": {"total_tokens": 0}}), ""))
    assert (ended["state"], ended["tokens"], ended["next"]) == ("failed", "0", None)
    assert ended["error"] == "usage_limit: The limit is reached."


def test_findings_show_what_to_do_and_a_warning_differs_from_a_fault() -> None:
    checks = [
        ("codex", True, "fine", ""),
        ("home", True, "on nfs4", "one machine only"),
        ("login", False, "not logged in", "codex login\nor so"),
    ]
    assert check_lines(checks).splitlines() == [
        "✓ codex  fine",
        "! home   on nfs4",
        "         one machine only",
        "✗ login  not logged in",
        "         codex login",
        "         or so",
    ]
