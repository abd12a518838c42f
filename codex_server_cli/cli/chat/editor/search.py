"""The search through earlier messages in a chat's line editor (Ctrl-R): its line below the editor, and its end.

Owns that a search without a match says so: the editor then holds what it held before. Must never change the history.
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
        toolbar: its line; shown while there is a search.

    Args:
        history: what is searched,
        current: and what the editor holds.
    """

    def __init__(self, history: History, current: Callable[[], str]) -> None:
        self._history, self._current = history, current
        self.toolbar = SearchToolbar(
            ignore_case=True,
            backward_search_prompt=lambda: self.prompt("history, back"),
            forward_search_prompt=lambda: self.prompt("history, on"),
        )

    def prompt(self, direction: str) -> str:
        """What stands before the text that is searched for, behind the direction in words."""
        return f"{direction}: " if self._has_match() else f"{direction}, no match: "

    def _has_match(self) -> bool:
        sought = self.toolbar.search_buffer.text.casefold()
        return any(sought in line.casefold() for line in (self._current(), *self._history.get_strings()))


def search_keys() -> KeyBindings:
    """Bindings for the end of a search: what it found goes, what was in the editor before comes back."""
    keys = KeyBindings()

    @keys.add("escape", filter=is_searching, eager=True)
    @keys.add("c-c", filter=is_searching)
    def _(event: KeyPressEvent) -> None:
        stop_search()

    return keys
