"""Long pastes in a chat's line editor: each is one character there, shown as `[pasted 200 lines]`.

Owns which text a character represents. So the editor moves over a paste, deletes it and undoes that like any character,
but the whole text is sent. Must never change a pasted text, except its line ends.
"""

from __future__ import annotations

from bisect import bisect_right

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from codex_server_cli.render.escape import neutralise

MOST_LINES, MOST_CHARS = 10, 2000
"""The longest paste that is not folded."""
_FIRST, _LAST = 0xF0000, 0xFFFFD  # of a private-use plane: no keyboard and no font has them


def with_line_feeds(text: str) -> str:
    """The text with `\\n` line ends, as in the editor."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Pastes:
    """The pastes of one chat."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def fold(self, text: str, times: int = 1) -> str:
        """The text for the editor: a long one as one character.

        Args:
            times: by which factor it must exceed the limits; history lines may be typed text, which stays editable.
        """
        text = with_line_feeds(text)
        is_short = text.count("\n") < times * MOST_LINES and len(text) <= times * MOST_CHARS
        if is_short and not any(_FIRST <= ord(char) <= _LAST for char in text):
            return text
        known = next((mark for mark, folded in self._texts.items() if folded == text), None)
        if known is not None:
            return known
        mark = chr(min(_FIRST + len(self._texts), _LAST))
        self._texts[mark] = text
        return mark

    def expand(self, line: str) -> str:
        """The editor's text with each paste unfolded: what is sent, and stored."""
        return "".join(self._texts.get(char, char) for char in line) if self._holds(line) else line

    def labelled(self, line: str) -> str:
        """The editor's text with each paste as a label: what is shown."""
        return "".join(self.label(char) for char in line) if self._holds(line) else line

    def label(self, char: str) -> str:
        """The displayed text for a character of the editor."""
        text = self._texts.get(char)
        if text is None:
            return char
        text = text.strip("\n")
        count = len(text.split("\n"))
        return f"[pasted {count} lines]" if count > 1 else f"[pasted {len(text)} characters]"

    def _holds(self, line: str) -> bool:
        return any(mark in line for mark in self._texts)


class PasteProcessor(Processor):
    """Shows labels in the editor, and makes characters visible that would reorder or hide its text."""

    def __init__(self, pastes: Pastes) -> None:
        self._pastes = pastes

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """One line of the editor, as it is shown."""
        fragments: StyleAndTextTuples = []
        starts = [0]
        for style, char, *_ in explode_text_fragments(transformation_input.fragments):
            label = char if char.isprintable() else neutralise(self._pastes.label(char))
            fragments.append((style if label == char else f"{style} class:paste", label))
            starts.append(starts[-1] + len(label))
        return Transformation(
            fragments,
            source_to_display=lambda at: starts[min(at, len(starts) - 1)],
            display_to_source=lambda at: bisect_right(starts, at) - 1,
        )
