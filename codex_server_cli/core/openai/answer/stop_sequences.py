"""Cuts a streamed text at the first stop sequence, which Codex cannot pass to a model. Owns what is held back for it.

The result does not depend on how the text is split into pieces: the sequence that is complete first counts, as for a
model that writes one character at a time.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopSequences:
    """Passes text on, up to the first of `stop`.

    It holds back only a possible beginning of a sequence: at most the length of the longest one, minus one character.

    Args:
        stop: none of them empty; without any, all text passes at once.

    Attributes:
        is_hit: a sequence has been found, and all later text is dropped.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self.is_hit = False
        self._stop = tuple(stop)
        self._longest = max(map(len, self._stop), default=1)
        self._buffered = ""

    def feed(self, text: str) -> str:
        """Add a piece; returns what may be shown now."""
        if self.is_hit:
            return ""
        buffered = self._buffered + text
        found = [(start + len(stop), start) for stop in self._stop if (start := buffered.find(stop)) >= 0]
        if found:
            self.is_hit, self._buffered = True, ""
            return buffered[: min(found)[1]]
        shown = len(buffered) - self._n_begun(buffered)
        self._buffered = buffered[shown:]
        return buffered[:shown]

    def flush(self) -> str:
        """End the text; returns what was held back."""
        buffered, self._buffered = self._buffered, ""
        return buffered

    def _n_begun(self, text: str) -> int:
        """How many characters at the end of the text are the beginning of a sequence."""
        lengths = range(min(self._longest - 1, len(text)), 0, -1)
        return next((n for n in lengths if any(stop.startswith(text[-n:]) for stop in self._stop)), 0)
