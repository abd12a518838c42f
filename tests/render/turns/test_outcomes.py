"""What was brought back of a turn's worktree, and what Codex's record had of it."""

from __future__ import annotations

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.wrap import Display
from codex_server_cli.render.turns.outcomes import applied, recovered

WIDE = Display(80)


def test_what_was_applied_is_listed_and_a_conflict_stands_out() -> None:
    changes = [("new.py", "add"), ("old.py", "delete"), ("a\x1b.py", "update"), ("both.py", "update")]
    shown = applied("7f3a", changes, ["both.py", "gone.py"], "Applied to /p, with conflicts.", "git status", WIDE)
    assert shown.splitlines() == [
        "! 7f3a Applied to /p, with conflicts.",
        "  + new.py",
        "  − old.py",
        '  ± "a\\033.py"',
        "  ! both.py",
        "  ! gone.py",
        "  → git status",
    ]


def test_where_nothing_was_changed_the_message_is_all() -> None:
    shown = applied("7f3a", [], [], "The turn changed nothing: it never began.", "", Display(30))
    assert shown.splitlines() == ["✓ 7f3a The turn changed", "  nothing: it never", "  began."]


def test_what_was_recovered_comes_with_the_command_that_shows_it() -> None:
    complete = TurnView("20261120-165501-482-7f3a", "/t", State.COMPLETE, result={"answer": "yes"})
    assert recovered(complete, "7f3a", "The answer.", WIDE, is_recovered=True).splitlines() == [
        "✓ 7f3a recovered",
        "  The answer.",
        "  → codex-server answer 7f3a",
    ]
    failed = TurnView("20261120-165501-482-7f3a", "/t", State.FAILED, error={"kind": "auth"})
    shown = recovered(failed, "7f3a", "Nothing new.", WIDE, is_recovered=False)
    assert shown == "✗ 7f3a failed (auth)\n  Nothing new.\n"
