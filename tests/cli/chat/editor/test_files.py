"""Which files an `@` offers, and what is inserted."""

from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from codex_server_cli.cli.chat.editor import files
from codex_server_cli.cli.chat.editor.files import MOST, FileCompleter, matching, word_of_file

PATHS = ["README.md", "src/app.py", "src/cli/chat/loop.py", "src/cli/chat.py", "my notes/todo.md", "tests/test_app.py"]


@pytest.mark.parametrize(
    ("before", "word"),
    [("@", ""), ("see @sr", "sr"), ("a\n@x/y", "x/y"), ("mail@host", None), ("@a b", None), ("", None)],
)
def test_an_at_that_begins_a_word_asks_for_a_file(before: str, word: str | None) -> None:
    assert word_of_file(before) == word


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("app", ["src/app.py"]),
        ("cl/ch", ["src/cli/chat.py", "src/cli/chat/loop.py"]),
        ("SRC/lo", ["src/cli/chat/loop.py"]),
        ("src/", ["src/app.py", "src/cli/chat.py", "src/cli/chat/loop.py"]),
        ("read", ["README.md"]),
        ("zzz", []),
    ],
)
def test_parts_of_a_path_are_matched_by_their_beginnings_in_order(typed: str, found: list[str]) -> None:
    assert matching(PATHS, typed) == found


def test_few_of_many_are_offered_the_shortest_first() -> None:
    assert matching([f"d/{number}" for number in range(1000)], "")[:2] == ["d/0", "d/1"]
    assert len(matching(map(str, range(1000)), "")) == MOST


def test_the_path_takes_the_place_of_the_at_and_the_project_is_listed_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = []

    def list_files() -> list[str]:
        listed.append(1)
        return PATHS

    completer = FileCompleter(list_files)

    def offered(text: str) -> list[tuple[str, int]]:
        found = completer.get_completions(Document(text), CompleteEvent())
        return [(each.text, each.start_position) for each in found]

    assert offered("see @todo") == [("'my notes/todo.md'", -5)]
    assert offered("see @loo") == [("src/cli/chat/loop.py", -4)]
    assert offered("see this") == []
    assert len(listed) == 1
    monkeypatch.setattr(files, "_FRESH_S", -1.0)
    offered("@")
    assert len(listed) == 2
