"""The model's reasoning as one item of a Response: its summary, part by part, and its encrypted form."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.responses import document, events
from codex_server_cli.core.openai.responses.document import ItemStatus, Json
from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.protocol.rpc import text_in


class Thinking:
    """One item of reasoning.

    Attributes:
        is_complete: Codex has reported its end.
        is_open: it has begun, and its end was not sent.
        encrypted: the form that the model can read again; None if there is none.
    """

    def __init__(self) -> None:
        self.is_complete = self.is_open = False
        self.encrypted: str | None = None
        self._index, self._id = 0, ""
        self._parts: list[str] = []
        self._is_in_part = False

    def begin(self, index: int, id_: str) -> StreamEvent:
        """It is shown from now on, at this index of the output."""
        self._index, self._id, self.is_open = index, id_, True
        return events.reasoning_begun(index, id_)

    def add(self, text: str) -> list[StreamEvent]:
        """Add a piece of a part; begins the part if necessary."""
        if not text:
            return []
        begun = [] if self._is_in_part else [self._begin_part()]
        self._parts[-1] += text
        return [*begun, events.summary_delta(self._index, self._id, len(self._parts) - 1, text)]

    def _begin_part(self) -> StreamEvent:
        self._is_in_part = True
        self._parts.append("")
        return events.summary_begun(self._index, self._id, len(self._parts) - 1)

    def end_part(self) -> list[StreamEvent]:
        """End the current part, if there is one."""
        if not self._is_in_part:
            return []
        self._is_in_part = False
        return events.summary_done(self._index, self._id, len(self._parts) - 1, self._parts[-1])

    def complete(self, summary: Any) -> list[StreamEvent]:
        """It is complete: returns all its parts, if none was streamed."""
        self.is_complete = True
        parts = summary if isinstance(summary, list) and not self._parts else []
        whole = [told for part in parts for told in [*self.add(text_in(part)), *self.end_part()]]
        return [*whole, *self.end_part()]

    def close(self, *, has_encrypted: bool) -> list[StreamEvent]:
        """Send its end, if that was not sent."""
        if not self.is_open:
            return []
        ended = self.end_part()
        self.is_open = False
        return [*ended, events.item_done(self._index, self.document(has_encrypted=has_encrypted))]

    def document(self, *, has_encrypted: bool) -> Json:
        """The item."""
        encrypted = self.encrypted if has_encrypted else None
        status: ItemStatus | None = None if self.is_complete else "incomplete"
        return document.reasoning_item(self._id, self._parts, encrypted_content=encrypted, status=status)
