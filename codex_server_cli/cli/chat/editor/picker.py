"""A list in place of the line editor, from which a row is chosen: with the arrows or its number; Esc closes it.

Owns the chosen row and its keys. Must never know what the rows are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Window
from prompt_toolkit.layout.controls import FormattedTextControl

Rows = Callable[[int], Sequence[str]]
"""The rows for a number of columns: safe text, one line each."""

_HINTS = ("arrows or number, Enter takes · Esc leaves", "Enter takes · Esc leaves", "")
_MARGIN = 6  # before a row: the mark, its number, and a free column
_STEPS = {"up": -1, "c-p": -1, "down": 1, "c-n": 1, "pageup": -10, "pagedown": 10, "home": -(10**6), "end": 10**6}


class Picker:
    """The one list that may be open."""

    def __init__(self) -> None:
        self._chosen: asyncio.Future[int | None] | None = None
        self._title, self._digits, self._at, self._count = "", "", 0, 0
        self._rows: Rows = lambda _width: ()
        self.is_open = Condition(lambda: self._chosen is not None)
        control = FormattedTextControl(self._fragments, focusable=True, key_bindings=self._keys(), show_cursor=False)
        self.window = Window(control, dont_extend_height=True)

    async def choose(self, title: str, rows: Rows, at: int = 0) -> int | None:
        """Let the user choose a row.

        Args:
            at: the initial row.

        Returns:
            Its index; None if the user closed the list.
        """
        self._title, self._rows, self._at, self._digits = title, rows, at, ""
        self._count = len(rows(80))
        layout, before = get_app().layout, get_app().layout.current_window
        self._chosen = asyncio.get_running_loop().create_future()
        layout.focus(self.window)
        get_app().invalidate()
        try:
            return await self._chosen
        finally:
            self._chosen = None
            layout.focus(before)
            get_app().invalidate()

    def leave(self) -> None:
        """Close the list, if one is open, without a choice."""
        self._end(None)

    def _end(self, index: int | None) -> None:
        if self._chosen is not None and not self._chosen.done():
            self._chosen.set_result(index)

    def _move(self, index: int) -> None:
        self._at, self._digits = max(0, min(index, self._count - 1)), ""

    def _type(self, digit: str) -> None:
        """Take a digit of a row's number; it begins a new number if no row has the longer one."""
        for digits in (self._digits + digit, digit):
            if 1 <= int(digits) <= self._count:
                self._move(int(digits) - 1)
                self._digits = digits
                return

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add(Keys.Any)
        def _(event: KeyPressEvent) -> None:
            if event.data.isascii() and event.data.isdecimal():
                self._type(event.data)

        for key, step in _STEPS.items():
            keys.add(key)(lambda _event, step=step: self._move(self._at + step))
        keys.add("enter")(lambda _event: self._end(self._at))
        for key in ("escape", "c-c", "c-d", "<sigint>"):
            keys.add(key, eager=True)(lambda _event: self._end(None))
        return keys

    def _fragments(self) -> StyleAndTextTuples:
        size = get_app().output.get_size()
        height = max(min(self._count, size.rows - 8), 3)
        first = max(0, min(self._at - height // 2, self._count - height))
        rows = list(self._rows(size.columns - _MARGIN))
        shown: StyleAndTextTuples = [("class:ask", f"{self._title}\n")]
        for index in range(first, min(first + height, len(rows))):
            style = "reverse" if index == self._at else ""
            shown += [(style, f"{'❯' if style else ' '} {index + 1:>2} {rows[index]}"), ("", "\n")]
        return [*shown, ("class:status", next(hint for hint in _HINTS if len(hint) < size.columns))]
