"""The events of one of our turns as a Response, from the lines of its `events.jsonl`. Owns their numbers.

A piece of text has the number of its last character, any other event the next number. So the numbers are always the
same: also in another process, and from the shortened file of an ended turn, which lacks the pieces of a text that
`item/completed` has as a whole (`core.protocol.superfluous`). A client can resume at any character of a text.

The messages of a turn and the summaries of its reasoning are sent. Its commands and changes are not: a client of the
Responses API cannot use a call that needs no result, and some would try to send one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from codex_server_cli.core.openai.responses.document import Json
from codex_server_cli.core.openai.responses.events import StreamEvent, event, of_response
from codex_server_cli.core.openai.responses.turn_output import OutputItem, OutputMessage, OutputReasoning, TurnOutput
from codex_server_cli.core.protocol.event_log import is_delta
from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, params_of, parse_line, text_in
from codex_server_cli.core.record.attach.attachment import REATTACH
from codex_server_cli.core.record.turn_record import TurnRecord

EarlyDocument = Callable[[Literal["queued", "in_progress"]], Json]
"""Makes the response before it has any output."""

_TOLD = re.compile(rb'"method":"item/(?:agentMessage/delta|reasoning/summaryTextDelta)"')
_METHOD_BYTES = 200
_ANSWER = "msg_answer"


class Numbered(NamedTuple):
    """One event and its number; a piece of text has the number of its last character."""

    number: int
    event: StreamEvent

    def after(self, number: int) -> Numbered | None:
        """The part after a number: all, nothing, or the rest of a text."""
        if self.number <= number:
            return None
        delta = text_in(self.event.fields.get("delta"))
        if len(delta) <= self.number - number:
            return self
        rest = {**self.event.fields, "delta": delta[number - self.number :]}
        return Numbered(self.number, StreamEvent(self.event.type, rest))

    def pieces(self, most: int) -> Iterator[Numbered]:
        """The event, a text split into pieces of at most so many characters."""
        delta = text_in(self.event.fields.get("delta"))
        if len(delta) <= most:
            yield self
            return
        for start in range(0, len(delta), most):
            piece = delta[start : start + most]
            fields = {**self.event.fields, "delta": piece}
            number = self.number - len(delta) + start + len(piece)
            yield Numbered(number, StreamEvent(self.event.type, fields))

    def encoded(self) -> bytes:
        """The event as it is sent."""
        return event(self.event.type, self.number, **self.event.fields)


class TurnEvents:
    """Takes the lines of a turn, oldest first, and returns the events that they allow.

    Args:
        early: makes the response in the first events.
    """

    def __init__(self, early: EarlyDocument) -> None:
        self._early = early
        self._output = TurnOutput()
        self._number = -1
        self._record = TurnRecord()
        self._messages: dict[str, OutputMessage] = {}  # by Codex's id
        self._reasonings: dict[str, OutputReasoning] = {}
        self._response: list[OutputItem] = []  # of the current model response
        self._failed: list[OutputItem] = []  # of one that failed, or was cut off: the next items replace them
        self._whole: set[str] | None = None  # after a lost connection: the items that have begun since
        self._n_prompts = 0
        self._has_started = False

    def begin(self) -> list[Numbered]:
        """The first events, before any line."""
        return self._numbered(of_response(f"response.{name}", self._early("queued")) for name in ("created", "queued"))

    def feed(self, lines: bytes) -> list[Numbered]:
        """Take whole lines."""
        return [told for line in lines.split(b"\n") if line for told in self._feed_line(line)]

    def end(self, answer: str | None, type_: str, last: Callable[[list[Json]], Json]) -> list[Numbered]:
        """End the stream.

        Args:
            answer: of a complete turn; added as a message if no message has this text.
            type_: of the last event.
            last: makes the final response from its output.
        """
        told = [each for message in self._record.adopt_early() for each in self._take(message)]
        self._output.end()
        if answer is not None and not self._output.has_said(answer):
            message = self._begin_message(_ANSWER, "final_answer")
            message.add(answer)
            message.end(is_whole=True)
        told += self._numbered(self._output.updates())
        return told + self._numbered([of_response(type_, last(self._output.documents()))])

    def _numbered(self, events: Iterable[StreamEvent]) -> list[Numbered]:
        found = []
        for each in events:
            self._number += len(text_in(each.fields.get("delta"))) or 1
            found.append(Numbered(self._number, each))
        return found

    def _feed_line(self, line: bytes) -> list[Numbered]:
        if is_delta(line) and not _TOLD.search(line, 0, _METHOD_BYTES):
            return []
        message = parse_line(line) or {}
        if message.get("dir") == "out":
            self._feed_out(message)
            return []
        own = self._record.feed_in(message) if message.get("dir") == "in" else []
        return [told for each in own for told in self._take(each)]

    def _feed_out(self, message: Message) -> None:
        if message.get("method") == "initialize" and message.get("why") == REATTACH:
            self._record.reattach()
            self._whole = set()
        elif message.get("method") == "initialize":
            self._record = TurnRecord()
        self._record.feed_out(message)

    def _take(self, message: Message) -> list[Numbered]:
        """Take a notification of the turn."""
        handler = _HANDLERS.get(message["method"])
        if handler is None:
            return []
        begun = [] if self._has_started else [of_response("response.in_progress", self._early("in_progress"))]
        self._has_started = True
        handler(self, params_of(message))
        return self._numbered([*begun, *self._output.updates()])

    # --- what begins

    def _on_item_started(self, params: Message) -> None:
        item = object_at(params, "item")
        item_id, type_ = str(item.get("id")), item.get("type")
        if type_ != "userMessage":
            self._replace_failed()
        if type_ == "agentMessage" and not self._record.messages.is_reviewing:
            self._begin_message(item_id, _phase_of(item)).add(text_in(item.get("text")))
        elif type_ == "reasoning":
            self._begin_reasoning(item_id)

    def _begin_message(self, item_id: str, phase: str | None) -> OutputMessage:
        self._begin(item_id, self._messages.get(item_id))
        self._messages[item_id] = message = self._output.message(item_id, phase)
        self._response.append(message)
        return message

    def _begin_reasoning(self, item_id: str) -> OutputReasoning:
        self._begin(item_id, self._reasonings.get(item_id))
        self._reasonings[item_id] = reasoning = self._output.reasoning(item_id)
        self._response.append(reasoning)
        return reasoning

    def _begin(self, item_id: str, known: OutputItem | None) -> None:
        """An item begins; it replaces one of the same response with its id."""
        self._replace_failed()
        if self._whole is not None:
            self._whole.add(item_id)
        if known is not None and known in self._response:
            _give_up(known)

    # --- what goes on

    def _on_delta(self, params: Message) -> None:
        item_id = str(params.get("itemId"))
        if self._is_torn(item_id) or self._record.messages.is_reviewing:
            return
        message = self._messages.get(item_id) or self._begin_message(item_id, None)
        if not message.is_over:
            message.add(text_in(params.get("delta")))

    def _on_summary(self, params: Message) -> None:
        """More of a summary. Only its text begins a part, because `summaryPartAdded` may be missing from the file."""
        item_id, text = str(params.get("itemId")), text_in(params.get("delta"))
        reasoning = self._reasonings.get(item_id)
        if reasoning is None or reasoning.is_over or self._is_torn(item_id) or not text:
            return
        part = at(params, "summaryIndex", int)
        if part is not None and 0 <= part < _MOST_PARTS:
            reasoning.add(part, text)

    def _is_torn(self, item_id: str) -> bool:
        """Whether a part of an item was lost with a connection, so that only its end has all of it."""
        return self._whole is not None and item_id not in self._whole

    # --- what ends

    def _on_item_completed(self, params: Message) -> None:
        item = object_at(params, "item")
        match item.get("type"):
            case "agentMessage":
                self._complete_message(item)
            case "reasoning":
                self._complete_reasoning(item)
            case "userMessage":
                self._n_prompts += 1
                if self._n_prompts > 1:  # it steers the turn, which ended the open items
                    self._fail(each for each in self._response if not each.is_over)
            case _:
                pass

    def _complete_message(self, item: Message) -> None:
        item_id, text = str(item.get("id")), text_in(item.get("text"))
        message = self._messages.get(item_id)
        if message is not None and message.is_whole and message.text == text:
            return
        if message is None or message.is_over or not message.become(text):
            if message is not None:
                _give_up(message)
            message = self._begin_message(item_id, _phase_of(item))
            message.add(text)
        message.phase = _phase_of(item)
        message.end(is_whole=True)

    def _complete_reasoning(self, item: Message) -> None:
        item_id = str(item.get("id"))
        reasoning = self._reasonings.get(item_id) or self._begin_reasoning(item_id)
        if not reasoning.is_over:
            reasoning.become([text_in(part) for part in at(item, "summary", list) or []])
            reasoning.end(is_whole=True)

    def _on_error(self, params: Message) -> None:
        if params.get("willRetry"):
            self._fail(self._response)

    def _fail(self, items: Iterable[OutputItem]) -> None:
        """The model request is retried: these items are void once others replace them."""
        failed = list(items)
        for each in failed:
            if not each.is_over:
                each.end(is_whole=False)
        self._failed += failed
        self._response = [each for each in self._response if each not in failed]

    def _replace_failed(self) -> None:
        for each in self._failed:
            each.is_void = True
        self._failed.clear()

    def _on_response_end(self, _: Message) -> None:
        self._replace_failed()
        self._response = []

    def _on_turn_completed(self, params: Message) -> None:
        for item in objects_in(at(params, "turn.items", list)):  # a summary, and often nothing
            known = self._messages.get(str(item.get("id")))
            if item.get("type") == "agentMessage" and not (known is not None and known.is_whole):
                self._complete_message(item)


def _phase_of(item: Message) -> str | None:
    phase = item.get("phase")
    return phase if phase in ("commentary", "final_answer") else None


def _give_up(item: OutputItem) -> None:
    """Mark an item as replaced."""
    if not item.is_over:
        item.end(is_whole=False)
    item.is_void = True


_MOST_PARTS = 10_000
_HANDLERS: dict[str, Callable[[TurnEvents, Message], None]] = {
    "turn/started": lambda events, params: None,
    "item/started": TurnEvents._on_item_started,
    "item/agentMessage/delta": TurnEvents._on_delta,
    "item/reasoning/summaryTextDelta": TurnEvents._on_summary,
    "item/completed": TurnEvents._on_item_completed,
    "error": TurnEvents._on_error,
    "thread/tokenUsage/updated": TurnEvents._on_response_end,
    "turn/completed": TurnEvents._on_turn_completed,
}
