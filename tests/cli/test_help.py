"""The help is a document: stored, compared, and correct."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from codex_server_cli import __version__
from codex_server_cli.cli import app
from codex_server_cli.cli.table import GROUPS, VERBS, verb_of
from codex_server_cli.cli.tables.examples import EXAMPLES
from codex_server_cli.core.model.request import Sandbox
from tests.kit.cases import in_full
from tests.kit.help_text import REFERENCE, REGENERATE
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk

READING = (
    *(
        "answer last",
        "answer last --max-chars 500",
        "wait last --timeout 5m",
        "status",
        "status last",
        "show last",
        "version",
    ),
    *("list-turns --cwd .", "list-turns --since 1d --state failed", "list --cwd .", "pending", "pending last"),
    *("usage --by cwd", "gc --dry-run", "cancel last", "server status", "--version"),
)


def help_of(columns: int) -> str:
    """The whole help, for a terminal of this width."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.kit.help_text", str(columns)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout


def test_the_stored_help_is_what_the_commands_say() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == help_of(100), f"the help has changed; run: {REGENERATE}"


def test_every_verb_stands_in_a_panel_that_there_is() -> None:
    assert {verb.panel for verb in VERBS.values()} == {"Start", "Read", "Control", "Account", "System"}


def test_every_verb_and_option_is_explained() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert re.findall(r"^\$ codex-server (\S.*) --help$", text, re.MULTILINE) == list(VERBS)
    options = re.findall(r"^ +(-\S.*\n(?: {10}.*\n)*)", text, re.MULTILINE)
    assert len(options) > len(VERBS)
    assert [line for line in options if not re.search(r"\s{2,}\S.*[a-z]", line)] == []


@pytest.mark.parametrize("columns", [in_full(80), 40])
def test_no_line_of_help_is_longer_than_a_narrow_terminal_but_commands_to_copy(columns: int) -> None:
    text = help_of(columns)
    long = [line for line in text.splitlines() if len(line) > columns]
    assert [line for line in long if not re.match(r"(?:  |\$ )codex-server ", line)] == []
    assert "\u2026" not in re.sub(r"high …|failed …", "", text)
    assert all(str(mode) in text for mode in Sandbox)


def test_every_verb_has_two_examples_that_are_valid_commands() -> None:
    assert {*EXAMPLES} == {"", *GROUPS, *VERBS}
    for name, examples in EXAMPLES.items():
        assert len(examples) == 2, name
        for what, command in examples:
            words = shlex.split(command)
            assert what.endswith("."), command
            if words != ["--version"]:
                verb = verb_of(words)
                assert verb is not None, command
                assert app.parse(words, verb) is not None, command


def test_the_examples_that_only_read_do_so(shell: Shell, turns: TurnsOnDisk) -> None:
    (shell.codex_home / "sessions").mkdir()
    turn = turns.complete("It is fine.", prompt="Explain it.", cwd=str(shell.project))
    for command in READING:
        assert command in {each for examples in EXAMPLES.values() for _, each in examples}
        run = shell.call(*shlex.split(command))
        assert (run.code, run.stderr) == (0, ""), (command, run.stderr)
    assert shell.left == [turn.turn_id]


def test_help_is_no_error_and_names_every_verb(shell: Shell) -> None:
    runs = {words: shell.call(*words.split()) for words in ("", "--help", "-h", "help")} | {"a real one": shell.run()}
    for words, run in runs.items():
        assert (run.code, run.stderr) == (0, ""), words
        assert all(re.search(rf"\b{verb.split()[0]}\b", run.stdout) for verb in VERBS), words
    assert shell.left == []


def test_help_of_a_verb_starts_no_turn(shell: Shell) -> None:
    run = shell.run("new", "--help")
    assert (run.code, run.stderr) == (0, "")
    assert "Start a turn on a new thread" in run.stdout
    assert not shell.home.exists()


def test_the_version_is_told_without_asking_codex(shell: Shell) -> None:
    (shell.bin / "codex").unlink()
    for option in ("--version", "-V"):
        assert shell.call(option).stdout == f"codex-server {__version__}\n"


def test_version_tells_the_version_of_codex_too(shell: Shell) -> None:
    shell.install("silent", version="codex-cli 0.169.0")
    assert shell.call("version").stdout == f"codex-server {__version__} (codex 0.169.0)\n"
