"""The text of `reasoning_content`: summaries of the model's reasoning, part by part. Owns the breaks between parts."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.answer.outputs import Thought
from codex_server_cli.core.protocol.rpc import text_in

_BREAK = "\n\n"


class Thoughts:
    """The reasoning of one HTTP response."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_at_break = False
        self._streamed: set[str] = set()

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self._pieces)

    def part(self) -> None:
        """A new part begins."""
        self._is_at_break = bool(self._pieces)

    def add(self, item_id: str, text: str) -> list[Thought]:
        """Take a piece of a part."""
        self._streamed.add(item_id)
        if not text:
            return []
        piece = (_BREAK if self._is_at_break else "") + text
        self._is_at_break = False
        self._pieces.append(piece)
        return [Thought(piece)]

    def complete(self, item_id: str, summary: Any) -> list[Thought]:
        """A reasoning item is complete: returns all its parts, if none was streamed."""
        if item_id in self._streamed or not isinstance(summary, list):
            return []
        thoughts = []
        for part in summary:
            self.part()
            thoughts += self.add(item_id, text_in(part))
        return thoughts

    def restart(self) -> None:
        """The model response was cut off and is retried. The text so far is kept."""
        self._streamed.clear()
        self.part()
