"""A CODEX_SERVER_HOME that does not exist, probably mistyped: every command that looks for turns there says so."""

from __future__ import annotations

import json

import pytest

from tests.kit.console import type_in
from tests.kit.home import COMMAND, Home
from tests.kit.tmux import Terminal

HINT = "Fix the variable; or `codex-server setup` makes that directory."


@pytest.fixture
def mistyped(one_home: Home) -> Home:
    one_home.env["CODEX_SERVER_HOME"] = str(one_home.path / "typo")
    return one_home


def words(home: Home) -> str:
    return f"CODEX_SERVER_HOME is {home.path}/typo, and there is no such directory"


def test_a_list_is_empty_and_says_why(mistyped: Home) -> None:
    for command, stdout in (
        ("list-turns", ""),
        ("list-turns --json", "[]\n"),
        ("status", '{"version":2,"turns":[]}\n'),
        ("pending", ""),
        ("tail --all", ""),
        ("cancel --all", '{"version":2,"turns":[]}\n'),
    ):
        run = mistyped.call(*command.split())
        assert (run.code, run.stdout) == (0, stdout), command
        assert run.stderr.splitlines() == [f"codex-server: {words(mistyped)}", HINT], command
        assert not (mistyped.path / "typo").exists(), command


def test_what_names_or_waits_for_a_turn_is_66_and_makes_nothing(mistyped: Home) -> None:
    commands = [
        *("wait 2026", "tail last", "answer fix", "cancel 2026", "status 2026", "watch", "tail --all --follow"),
        *("gc", "gc --dry-run", "usage"),  # a timer must not succeed for ever
    ]
    runs = [(command, mistyped.call(*command.split())) for command in commands]
    for command, run in (*runs, ("a real wait", mistyped.run("wait", "2026"))):
        assert run.code == 66, (command, run)
        assert run.stderr.startswith(f"codex-server: {words(mistyped)}\n"), (command, run)
        assert HINT in run.stderr + run.stdout or command == "status 2026", (command, run)  # whose JSON has no place
    assert not (mistyped.path / "typo").exists()


def test_at_a_terminal_nothing_is_told_of_turns_in_it(mistyped: Home) -> None:
    shown = type_in(f"{COMMAND} status; {COMMAND} cancel --all; {COMMAND} list-turns", mistyped.env, mistyped.project)
    assert shown.split() == f"codex-server: {words(mistyped)} {HINT} ".split() * 3


@pytest.mark.full
def test_the_doctor_says_so_and_what_makes_it(mistyped: Home) -> None:
    run = mistyped.call("doctor")
    assert run.code == 66
    assert f"✗ home          {words(mistyped)}" in run.stdout
    assert not (mistyped.path / "typo").exists()
    assert mistyped.call("setup").code == 0
    assert "✓ home" in mistyped.call("doctor").stdout


def test_a_home_that_is_a_file_is_no_empty_one(one_home: Home) -> None:
    home = one_home.root / "file"
    home.touch()
    one_home.env["CODEX_SERVER_HOME"] = str(home)
    for command in ("list-turns", "tail --all", "tail --all --json", "status", "gc", "watch"):
        run = one_home.call(*command.split())
        assert run.code == 73, (command, run)
        assert str(home) in run.stderr, (command, run)


def test_a_usual_home_that_is_not_made_yet_has_no_turns_and_nothing_is_wrong(one_home: Home) -> None:
    del one_home.env["CODEX_SERVER_HOME"]
    run = one_home.call("list-turns")
    assert (run.code, run.stdout, run.stderr) == (0, 'No turns yet. Start one: codex-server new "your prompt"\n', "")
    assert one_home.call("list-turns", "--state", "failed").stdout == "No turns.\n"
    run = one_home.call("tail", "--all")
    assert (run.code, run.stdout, run.stderr) == (0, "", "Nothing has happened yet.\n")
    assert json.loads(one_home.call("list-turns", "--json").stdout) == []


@pytest.mark.parametrize("command", ["watch", "tail --all --follow"])
def test_a_terminal_that_cannot_be_redrawn_is_told_that_nothing_runs(one_home: Home, command: str) -> None:
    with Terminal(one_home.root, ["env", "TERM=dumb", COMMAND, *command.split()], one_home.env) as terminal:
        terminal.wait_for("Nothing runs; each turn to come gets its lines here.")
