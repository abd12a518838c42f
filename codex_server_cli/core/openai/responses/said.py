"""Messages of the model as items of a Response."""

from __future__ import annotations

from codex_server_cli.core.openai.answer.code_fence import CodeFence
from codex_server_cli.core.openai.answer.spoken import SpokenMessage
from codex_server_cli.core.openai.responses import document, events
from codex_server_cli.core.openai.responses.document import ItemStatus, Json
from codex_server_cli.core.openai.responses.events import StreamEvent

_REFUSED = "The model refused to answer. Codex does not pass on what it said."


class SaidItem(SpokenMessage):
    """A message, as an item of the output.

    Attributes:
        id: None while it is not shown.
        index: in the output.
        is_closed: its end was sent.
    """

    def __init__(self, item: Json) -> None:
        super().__init__(item)
        self.phase = "commentary" if self.is_commentary else "final_answer" if self.is_final else None
        self.id: str | None = None
        self.index = 0
        self.is_closed = False
        self.shown: list[str] = []
        self.annotations: list[Json] = []
        self.fence: CodeFence | None = None

    @property
    def is_open(self) -> bool:
        """It is shown, and its end was not sent."""
        return self.id is not None and not self.is_closed

    def begin(self, index: int, id_: str) -> list[StreamEvent]:
        """It is shown from now on."""
        self.index, self.id = index, id_
        return events.message_begun(index, id_, self.phase)

    def show(self, text: str) -> StreamEvent:
        """More of its text is shown."""
        self.shown.append(text)
        return events.text_delta(self.index, self.id or "", text)

    def cite(self, annotations: list[Json]) -> list[StreamEvent]:
        """Add its citations; returns events for the new ones."""
        new = [each for each in annotations if each not in self.annotations]
        first = len(self.annotations)
        self.annotations += new
        return [
            events.annotation_added(self.index, self.id or "", first + number, each) for number, each in enumerate(new)
        ]

    def close(self, *, has_encrypted: bool = False) -> list[StreamEvent]:
        """Send its end, even if it is incomplete; before that, what a fence has held back."""
        rest = self.fence.flush() if self.fence is not None else ""
        told = [self.show(rest)] if rest else []
        self.is_closed = True
        return [*told, *events.message_done(self.index, self.document())]

    def document(self, *, has_encrypted: bool = False) -> Json:
        """The item."""
        status: ItemStatus = "completed" if self.is_complete else "incomplete"
        text = "".join(self.shown)
        return document.message_item(self.id or "", text, status=status, annotations=self.annotations, phase=self.phase)


class RefusedItem:
    """A refusal message, as an item of the output; it is sent as a whole."""

    is_complete = True

    def __init__(self, index: int, id_: str) -> None:
        self.told = events.refused(index, id_, _REFUSED)
        self._item = document.message_of_parts(id_, [document.refusal_part(_REFUSED)])

    def document(self, *, has_encrypted: bool = False) -> Json:
        """The item."""
        return self._item
