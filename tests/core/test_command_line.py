"""A command in one text: words as a shell makes them, and nothing else of a shell."""

from __future__ import annotations

import pytest

from codex_server_cli.core.command_line import split_command
from codex_server_cli.errors import BadInputError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tell", ["tell"]),
        (" tell  --to 'two words' ", ["tell", "--to", "two words"]),
        ("sh -c 'cat > x; echo $HOME'", ["sh", "-c", "cat > x; echo $HOME"]),
        ("tell $HOME `ls` && rm * #all", ["tell", "$HOME", "`ls`", "&&", "rm", "*", "#all"]),
    ],
)
def test_a_command_is_split_and_nothing_in_it_is_expanded(text: str, words: list[str]) -> None:
    assert split_command(text, "--notify") == words


@pytest.mark.parametrize("text", ["", "  ", "''", "\0", "tell a\0b", "tell 'it", 'tell "', "tell \\"])
def test_a_text_that_is_no_command_is_refused_by_the_name_of_its_source(text: str) -> None:
    with pytest.raises(BadInputError, match=r"^--notify "):
        split_command(text, "--notify")
