"""The Esc key of a chat. Owns how it is distinguished from the Alt key, and that it loses no character typed after it.

A terminal sends Alt-x as Esc and x at once, so the two differ only by timing, and not at all if a program sends the
keys. Only the common Alt chords for editing are kept, while the editor has text; any other character after an Esc is a
separate key. Above all `/`: Esc, then `/quit`, is not Alt-/.
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
"""How long a lone Esc waits for the rest of a chord, if Esc has an effect."""

_IDLE_TIMEOUT_S = 1.0  # Esc, then Enter, typed as two keys is a new line
_BYTES_S = 0.05  # between the bytes of one key
_CHORDS = "bfdy"  # a word left, a word right, delete a word, yank an earlier kill
_NOT_CHORDS = [char for char in f"{ascii_letters}{digits}/-*#_.<>" if char not in _CHORDS]
"""Characters that the editor binds as chords, or that are unbound."""

_CUT_KEYS = ("[", "O")
"""The second byte of an escape sequence that was split, or is unknown: Esc was not pressed."""


def escape_keys(on_escape: Callable[[], None]) -> KeyBindings:
    """Bindings for Esc, alone and followed by another key.

    Args:
        on_escape: called when Esc is pressed.
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
