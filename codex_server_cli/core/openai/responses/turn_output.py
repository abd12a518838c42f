"""The output of a turn as items of a Response. Owns the order of their events, and what is sent for each.

Items are sent one after the other, in the order in which they began: a later one is held back until those before it
have ended. So an item's events, counting each character of a text as one, have the same numbers whether its text came
in pieces or at once, as in the directory of an ended turn. Must never know the messages of Codex.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence

from codex_server_cli.core.openai.responses import events as tell
from codex_server_cli.core.openai.responses.document import Json, message_item, reasoning_item
from codex_server_cli.core.openai.responses.events import StreamEvent


class _GrowingText:
    """A growing text, and how much of it was sent."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._n_told = 0

    @property
    def whole(self) -> str:
        return "".join(self._pieces)

    def add(self, piece: str) -> None:
        self._pieces.append(piece)

    def untold(self) -> str:
        """The text that was not sent yet; counts as sent from now on."""
        rest = "".join(self._pieces[self._n_told :])
        self._n_told = len(self._pieces)
        return rest

    def become(self, whole: str) -> bool:
        """Set the whole text; False if it does not begin with what was sent, which cannot be undone."""
        told = "".join(self._pieces[: self._n_told])
        if not whole.startswith(told):
            return False
        self._pieces, self._n_told = [told, whole[len(told) :]], 1
        return True

    def replace(self, whole: str) -> None:
        """Set the whole text; no more deltas are sent for it."""
        self._pieces, self._n_told = [whole], 1


class OutputItem(ABC):
    """One item, from its beginning on.

    Attributes:
        is_over: it has ended.
        is_whole: it has ended because it is complete, not because it was cut off.
        is_void: a retry of the model replaces it: it is sent, but is not part of the output.
    """

    def __init__(self, index: int, item_id: str) -> None:
        self.is_over = self.is_whole = self.is_void = False
        self._index, self._id = index, item_id
        self._has_begun = False

    def end(self, *, is_whole: bool) -> None:
        """End it."""
        self.is_over, self.is_whole = True, is_whole

    @abstractmethod
    def document(self) -> Json:
        """The item so far."""

    @abstractmethod
    def updates(self) -> Iterator[StreamEvent]:
        """The events that were not sent yet."""


class OutputMessage(OutputItem):
    """A message of the agent.

    Attributes:
        phase: `commentary` or `final_answer`, if the model reports it.
    """

    def __init__(self, index: int, item_id: str, phase: str | None) -> None:
        super().__init__(index, item_id)
        self.phase = phase
        self._text = _GrowingText()

    @property
    def text(self) -> str:
        """Its text so far."""
        return self._text.whole

    def add(self, piece: str) -> None:
        """More of its text."""
        self._text.add(piece)

    def become(self, text: str) -> bool:
        """Set its whole text; False if that does not begin with what was sent."""
        return self._text.become(text)

    def document(self) -> Json:
        """See `OutputItem`."""
        return message_item(
            self._id, self.text, status="completed" if self.is_whole else "incomplete", phase=self.phase
        )

    def updates(self) -> Iterator[StreamEvent]:
        """See `OutputItem`."""
        if not self._has_begun:
            self._has_begun = True
            yield from tell.message_begun(self._index, self._id, self.phase)
        if untold := self._text.untold():
            yield tell.text_delta(self._index, self._id, untold)
        if self.is_over:
            yield from tell.message_done(self._index, self.document())


class OutputReasoning(OutputItem):
    """Reasoning of the model, in parts of which the last is open."""

    def __init__(self, index: int, item_id: str) -> None:
        super().__init__(index, item_id)
        self._parts: list[_GrowingText] = []
        self._n_told = 0  # parts
        self._has_part_begun = False

    def begin_part(self, part: int) -> None:
        """Begin a part, which ends the parts before it."""
        self._parts += [_GrowingText() for _ in range(part + 1 - len(self._parts))]

    def add(self, part: int, piece: str) -> None:
        """More of a part."""
        self.begin_part(part)
        self._parts[part].add(piece)

    def become(self, summary: Sequence[str]) -> None:
        """Set all its parts."""
        self.begin_part(len(summary) - 1)
        for part, text in zip(self._parts, summary, strict=False):
            if not part.become(text):
                part.replace(text)

    def document(self) -> Json:
        """See `OutputItem`."""
        summary = [part.whole for part in self._parts]
        return reasoning_item(self._id, summary, status=None if self.is_whole else "incomplete")

    def updates(self) -> Iterator[StreamEvent]:
        """See `OutputItem`."""
        if not self._has_begun:
            self._has_begun = True
            yield tell.reasoning_begun(self._index, self._id)
        while self._n_told < len(self._parts):
            yield from self._news_of_part(self._n_told)
            if self._n_told == len(self._parts) - 1 and not self.is_over:
                return
            yield from tell.summary_done(self._index, self._id, self._n_told, self._parts[self._n_told].whole)
            self._n_told, self._has_part_begun = self._n_told + 1, False
        if self.is_over:
            yield tell.item_done(self._index, self.document())

    def _news_of_part(self, part: int) -> Iterator[StreamEvent]:
        if not self._has_part_begun:
            self._has_part_begun = True
            yield tell.summary_begun(self._index, self._id, part)
        if untold := self._parts[part].untold():
            yield tell.summary_delta(self._index, self._id, part, untold)


class TurnOutput:
    """The items of a turn, in the order in which they began."""

    def __init__(self) -> None:
        self._items: list[OutputItem] = []
        self._untold: deque[OutputItem] = deque()
        self._ids: set[str] = set()

    def message(self, item_id: str, phase: str | None) -> OutputMessage:
        """A message begins."""
        message = OutputMessage(len(self._items), self._own_id(item_id), phase)
        self._add(message)
        return message

    def reasoning(self, item_id: str) -> OutputReasoning:
        """A reasoning item begins."""
        reasoning = OutputReasoning(len(self._items), self._own_id(item_id))
        self._add(reasoning)
        return reasoning

    def end(self) -> None:
        """End the output: what is open was cut off."""
        for item in self._untold:
            if not item.is_over:
                item.end(is_whole=False)

    def has_said(self, text: str) -> bool:
        """Whether a message of the output has this text."""
        return any(isinstance(each, OutputMessage) and each.text == text and not each.is_void for each in self._items)

    def documents(self) -> list[Json]:
        """The output so far."""
        return [each.document() for each in self._items if not each.is_void]

    def updates(self) -> Iterator[StreamEvent]:
        """The events that were not sent yet, and can be sent now."""
        while self._untold:
            yield from self._untold[0].updates()
            if not self._untold[0].is_over:
                return
            self._untold.popleft()

    def _add(self, item: OutputItem) -> None:
        self._items.append(item)
        self._untold.append(item)

    def _own_id(self, item_id: str) -> str:
        """A unique id for an item; a retry repeats the ids of the failed attempt."""
        found, n = item_id, 1
        while found in self._ids:
            n += 1
            found = f"{item_id}_{n}"
        self._ids.add(found)
        return found
