"""What the line of a search through earlier messages says."""

from __future__ import annotations

from prompt_toolkit.history import InMemoryHistory

from codex_server_cli.cli.chat.editor.search import HistorySearch
from tests.kit.cases import for_each


@for_each(
    "sought, prompt",
    [
        ("", "history, back: "),
        ("PARSER", "history, back: "),
        ("draft", "history, back: "),
        ("past", "history, back, no match: "),
    ],
)
def test_a_search_without_a_match_says_so(sought: str, prompt: str) -> None:
    history = InMemoryHistory()
    for line in ("Mend the parser", "two"):
        history.append_string(line)
    search = HistorySearch(history, lambda: "a draft")
    search.toolbar.search_buffer.text = sought
    assert search.prompt("history, back") == prompt
