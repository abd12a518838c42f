"""Streamed log text without colours: a sequence may be split between two pieces."""

from __future__ import annotations

import re

_SEQUENCE = rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
_CUT = rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\n]*\x1b?|[ -/]*)?\Z"
_LONGEST = 256
"""The longest unterminated sequence, in bytes: a longer one is text."""


def without_sequences(data: bytes) -> bytes:
    """Whole text without its escape sequences: colours, cursor movements, titles, links."""
    return re.sub(_SEQUENCE, b"", data)


class PlainLog:
    """Removes the escape sequences from a stream."""

    def __init__(self) -> None:
        self._incomplete = b""

    def feed(self, data: bytes) -> bytes:
        """The next piece, without its sequences; an incomplete one at its end is held back."""
        text = without_sequences(self._incomplete + data)
        cut = re.search(_CUT, text)
        self._incomplete = text[cut.start() :] if cut is not None and len(text) - cut.start() <= _LONGEST else b""
        return text[: len(text) - len(self._incomplete)]
