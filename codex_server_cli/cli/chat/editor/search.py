"""The search through earlier messages in a chat's line editor (Ctrl-R): its line below the editor, and its end.

Owns the message for a search without a match: the editor's text is then unchanged. Must never change the history.
"""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.filters import is_searching
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.search import stop_search
from prompt_toolkit.widgets import SearchToolbar


class HistorySearch:
    """The search of one editor.

    Attributes:
        toolbar: its line; shown during a search.

    Args:
        history: the lines to search.
        current: returns the editor's text, which is searched, too.
    """

    def __init__(self, history: History, current: Callable[[], str]) -> None:
        self._history, self._current = history, current
        self.toolbar = SearchToolbar(
            ignore_case=True,
            backward_search_prompt=lambda: self.prompt("history, back"),
            forward_search_prompt=lambda: self.prompt("history, on"),
        )

    def prompt(self, direction: str) -> str:
        """The prompt before the search text: the direction in words, and whether there is a match."""
        return f"{direction}: " if self._has_match() else f"{direction}, no match: "

    def _has_match(self) -> bool:
        sought = self.toolbar.search_buffer.text.casefold()
        return any(sought in line.casefold() for line in (self._current(), *self._history.get_strings()))


def search_keys() -> KeyBindings:
    """Key bindings that cancel a search: the editor's earlier text is restored."""
    keys = KeyBindings()

    @keys.add("escape", filter=is_searching, eager=True)
    @keys.add("c-c", filter=is_searching)
    def _(event: KeyPressEvent) -> None:
        stop_search()

    return keys
