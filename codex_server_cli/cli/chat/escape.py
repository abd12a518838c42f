"""The Esc key of a chat. Owns how it is told from the Alt key, and that it takes no letter of what is typed behind it.

A terminal sends Alt-x as Esc and x at once, so the two differ by time alone, and where keys are sent by a program not
even by that. What stays an Alt chord is what people edit with, where there is something to edit; any other character
behind an Esc is a key of its own. Above all `/`: Esc, then `/quit`, is no Alt-/.
"""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_letters, digits
from typing import Any

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

ESCAPE_TIMEOUT_S = 0.1
"""How long a lone Esc waits for what would make a chord of it, where it has something to do."""

_IDLE_TIMEOUT_S = 1.0  # people type Esc, then Enter, for a new line
_BYTES_S = 0.05  # between the bytes of one key
_CHORDS = "bfdy"  # by a word to the left or the right, delete one, put back what was cut before
_NOT_CHORDS = [char for char in f"{ascii_letters}{digits}/-*#_.<>" if char not in _CHORDS]
"""Characters that the editor's own bindings would take for chords, or that are free."""

_CUT_KEYS = ("[", "O")
"""With these begin the keys that send several bytes: such a one was cut in two, or is unknown. Nobody pressed Esc."""


def escape_keys(on_escape: Callable[[], None]) -> KeyBindings:
    """Bindings for Esc, alone and before another key.

    Args:
        on_escape: what it does.
    """
    keys = KeyBindings()

    @keys.add("escape")
    def _(event: KeyPressEvent) -> None:
        on_escape()

    @keys.add("escape", Keys.Any)
    def two_keys(event: KeyPressEvent) -> None:
        second = event.key_sequence[1]
        is_typed = second.key in (Keys.Escape, Keys.BracketedPaste) or (
            len(second.key) == 1 and second.key not in _CUT_KEYS
        )
        if is_typed:
            on_escape()
        event.key_processor.feed(second, first=True)

    for char in _NOT_CHORDS:
        keys.add("escape", char)(two_keys)
    for char in _CHORDS:
        keys.add("escape", char, filter=_is_line_empty)(two_keys)
    return keys


@Condition
def _is_line_empty() -> bool:
    return not get_app().current_buffer.text


def wait_for_escape(application: Application[Any], *, is_urgent: bool) -> None:
    """Set how long an Esc may wait for the rest of a chord."""
    application.ttimeoutlen = _BYTES_S
    application.timeoutlen = ESCAPE_TIMEOUT_S if is_urgent else _IDLE_TIMEOUT_S
