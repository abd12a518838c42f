"""A verb of two words: found by both parsers, listed by its group, and named whole in what goes wrong."""

from __future__ import annotations

import pytest

from codex_server_cli.cli import app, table, typer_parser
from codex_server_cli.cli.completion.line import context_at
from codex_server_cli.cli.parameters import argument, switch
from codex_server_cli.cli.verb import Verb
from tests.kit.shell import Shell

TAKES = (argument("word", help="Any word."), switch("loud", "--loud", help="Louder."))


@pytest.fixture(autouse=True)
def group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group `box`, with two verbs."""
    monkeypatch.setitem(table.GROUPS, "box", "What is in the box.")
    monkeypatch.setitem(table.VERBS, "box open", Verb("verbs.system:version", "System", "Open the box.", TAKES))
    monkeypatch.setitem(table.VERBS, "box show", Verb("verbs.system:version", "System", "Show the box."))


def test_a_verb_is_the_first_word_or_a_group_and_the_second() -> None:
    assert table.verb_of(["box", "open", "x"]) == "box open"
    assert table.verb_of(["new", "open"]) == "new"
    assert [table.verb_of(line.split()) for line in ("", "box", "box shut", "open", "--help")] == [None] * 5


@pytest.mark.parametrize("line", ["box open", "box open x --loud", "box open --loud -- -x"])
def test_both_parsers_read_it_alike(line: str) -> None:
    read = app.parse(line.split(), "box open")
    assert read == typer_parser.parse(line.split(), "box open") == typer_parser.parse(line.split(), None)
    assert read is not None
    assert read[0] == "box open"


def test_it_is_run(shell: Shell) -> None:
    run = shell.call("box", "show")
    assert (run.code, run.stderr) == (0, "")
    assert run.stdout.startswith("codex-server ")


def test_the_help_lists_the_group_and_the_group_its_verbs(shell: Shell) -> None:
    assert "What is in the box." in shell.call("--help").stdout
    for line in ("box", "box --help", "help box"):
        run = shell.call(*line.split())
        assert (run.code, run.stderr) == (0, ""), line
        assert "codex-server box" in run.stdout, line
        assert "Open the box." in run.stdout, line
    assert "--loud" in shell.call("help", "box", "open").stdout
    assert "--loud" in shell.call("box", "open", "-h").stdout


def test_what_is_wrong_names_the_command_to_try(shell: Shell) -> None:
    for line, message, hint in (
        ("box shut", "No such command 'shut'", "Try: codex-server box --help"),
        ("box open --quiet", "No such option: --quiet", "Try: codex-server box open --help"),
        ("box show x", "unexpected extra argument", "Try: codex-server box show --help"),
    ):
        run = shell.call(*line.split())
        assert run.code == 64, line
        assert message in run.stderr, line
        assert run.stderr.endswith(f"{hint}\n"), line


def test_the_shell_completes_the_second_word() -> None:
    assert [each.word for each in context_at(["box"], "").words] == ["open", "show"]
