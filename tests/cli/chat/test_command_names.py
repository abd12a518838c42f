"""Slash commands: what counts as one, and what the editor completes."""

from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from codex_server_cli.cli.chat import command_names
from codex_server_cli.cli.chat.command_names import COMMANDS, Command, CommandCompleter, help_text, parse


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/new", Command("new", "")),
        ("/model  gpt-5.5 ", Command("model", "gpt-5.5")),
        ("/resume\n2026", Command("resume", "2026")),
        ("/?", Command("?", "")),
        ("/", Command("", "")),
        ("/nonsense", Command("nonsense", "")),
        ("/etc/passwd is what?", None),
        ("/usr/bin", None),
        (" /new", None),
        ("new", None),
        ("//", None),
    ],
)
def test_a_command_is_told_from_a_message_that_begins_with_a_path(line: str, command: Command | None) -> None:
    assert parse(line) == command


def offered(text: str, *efforts: str) -> list[str]:
    return [each.text for each in CommandCompleter(lambda: [*efforts]).get_completions(Document(text), CompleteEvent())]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/", list(COMMANDS)),
        ("/s", ["sandbox", "status"]),
        ("/sandbox w", ["workspace-write"]),
        ("/effort x", ["xhigh"]),
        ("/model g", []),
        ("/unknown ", []),
        ("a message", []),
        ("/new\nof more lines", []),
        ("", []),
    ],
)
def test_the_editor_offers_commands_and_what_they_take(text: str, words: list[str]) -> None:
    assert offered(text) == words


def test_the_efforts_that_codex_lists_are_offered() -> None:
    assert offered("/effort ", "low", "max") == ["low", "max"]


def test_the_turns_that_can_be_resumed_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_names, "complete_turn", lambda beginning: [(f"{beginning}26", "its prompt")])
    assert offered("/resume 20") == ["2026"]


def test_the_help_names_every_command_and_fits_eighty_columns() -> None:
    assert all(f"/{name}" in help_text() for name in COMMANDS)
    assert max(map(len, help_text().split("\n"))) <= 80
