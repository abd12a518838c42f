"""Streamed log text without its colours: a sequence may be cut between two pieces."""

from __future__ import annotations

import re

_SEQUENCE = rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
_CUT = rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\n]*\x1b?|[ -/]*)?\Z"
_LONGEST = 256
"""Bytes of an unterminated sequence: more are text."""


def without_sequences(data: bytes) -> bytes:
    """Whole text without its escape sequences: colours, cursor movements, titles, links."""
    return re.sub(_SEQUENCE, b"", data)


class PlainLog:
    """Takes the escape sequences out of a stream."""

    def __init__(self) -> None:
        self._incomplete = b""

    def feed(self, data: bytes) -> bytes:
        """The next piece, without its sequences; an incomplete one at its end is held back."""
        text = without_sequences(self._incomplete + data)
        cut = re.search(_CUT, text)
        self._incomplete = text[cut.start() :] if cut is not None and len(text) - cut.start() <= _LONGEST else b""
        return text[: len(text) - len(self._incomplete)]
