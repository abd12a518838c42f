"""The text of an answer, from the agent's messages: which text is content, and what is removed from it.

`phase` decides: `final_answer`, or none, is content. `commentary` is content if the answer ends in tool calls, or has
no other text; otherwise it is reported as a thought, if thoughts were requested. It is never part of JSON.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.answer.code_fence import CodeFence
from codex_server_cli.core.openai.answer.outputs import Cited, Text, Thought
from codex_server_cli.core.openai.answer.spoken import SpokenMessage, SpokenMessages
from codex_server_cli.core.openai.answer.stop_sequences import StopSequences
from codex_server_cli.core.openai.answer.thoughts import Thoughts
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.protocol.rpc import Message, object_at, objects_in, text_in

_BREAK = "\n\n"
"""Separates two messages of one answer."""


class _ContentMessage(SpokenMessage):
    """One message, as a part of the content.

    Attributes:
        at: the offset of its text in the content; None while it has no text.
        is_told: commentary that has been reported.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__(item)
        self.is_told = False
        self.at: int | None = None


class Content:
    """The content of one HTTP response, and its thoughts.

    Attributes:
        thoughts: the reasoning.
        annotations: citations, in OpenAI's form.
    """

    def __init__(self, request: ChatRequest) -> None:
        self.thoughts = Thoughts()
        self.annotations: list[dict[str, Any]] = []
        self._request = request
        self._is_json = request.output_schema is not None or request.is_json_object or request.forced is not None
        self._messages = SpokenMessages(_ContentMessage)
        self._clear()

    def _clear(self) -> None:
        self._fence = CodeFence() if self._request.is_json_object else None
        self._stop = StopSequences(self._request.stop)
        self._raw: list[str] = []
        self._n_raw = 0
        self._shown: list[str] = []

    @property
    def text(self) -> str:
        """The text that the client gets."""
        return "".join(self._shown)

    @property
    def raw(self) -> str:
        """The whole text of the model, including what is held back or cut."""
        return "".join(self._raw)

    @property
    def is_stopped(self) -> bool:
        """Whether a stop sequence was found."""
        return self._stop.is_hit

    @property
    def is_refused(self) -> bool:
        """See `SpokenMessages`."""
        return self._messages.is_refused

    @property
    def texts(self) -> list[str]:
        """The messages that a client sends back: one."""
        return [self.text]

    # --- the agent's messages

    def take(self, method: str, params: Message) -> list[Text | Thought]:
        """Take a notification about an item of the turn."""
        if (spoken := self._messages.take(method, params)) is not None:
            told = self._commentary_as_thoughts() if spoken.is_new and not spoken.message.is_commentary else []
            return [*told, *self._add(spoken.message, spoken.text)]
        item = object_at(params, "item")
        match method:
            case "item/completed" if item.get("type") == "reasoning":
                return [*self.thoughts.complete(text_in(item.get("id")), item.get("summary"))]
            case "item/reasoning/summaryPartAdded":
                self.thoughts.part()
            case "item/reasoning/summaryTextDelta":
                return [*self.thoughts.add(text_in(params.get("itemId")), text_in(params.get("delta")))]
        return []

    def _add(self, message: _ContentMessage, text: str) -> list[Text | Thought]:
        return [*self._say(message, text)] if text and not message.is_commentary else []

    def _say(self, message: _ContentMessage, text: str) -> list[Text]:
        if message.at is None:
            lead = _BREAK if self._raw else ""
            message.at = self._n_raw + len(lead)
            text = lead + text
        self._raw.append(text)
        self._n_raw += len(text)
        return [] if self._request.forced is not None else self._pass(text)

    def _pass(self, text: str, *, is_last: bool = False) -> list[Text]:
        """The text after the filters for the fence and the stop sequences."""
        if self._fence is not None:
            text = self._fence.feed(text) + (self._fence.flush() if is_last else "")
        shown = self._stop.feed(text) + (self._stop.flush() if is_last else "")
        self._shown.append(shown)
        return [Text(shown)] if shown else []

    def take_raw(self, item: Message) -> list[Cited]:
        """Take a raw item: only raw messages have annotations."""
        if item.get("type") != "message" or item.get("role") != "assistant":
            return []
        message = self._messages.last(text_in(item.get("id")))
        at = message.at or 0 if message is not None else 0
        cited = [_citation(each, at) for each in annotations_in(item)]
        new = [each for each in cited if each not in self.annotations]
        self.annotations += new
        return [Cited(tuple(new))] if new else []

    # --- commentary, and the end

    def _untold(self) -> list[_ContentMessage]:
        untold = [each for each in self._messages.all if each.is_commentary and not each.is_told and each.pieces]
        for message in untold:
            message.is_told = True
        return untold

    def _commentary_as_thoughts(self) -> list[Text | Thought]:
        thoughts: list[Text | Thought] = []
        for message in self._untold():
            if self._request.summary is not None:
                self.thoughts.part()
                thoughts += self.thoughts.add("", message.text)
        return thoughts

    def _commentary_as_content(self) -> list[Text | Thought]:
        return [text for message in self._untold() for text in self._say(message, message.text)]

    def before_calls(self) -> list[Text | Thought]:
        """The answer ends in calls: commentary becomes its content, and nothing is held back any longer."""
        told = self._commentary_as_thoughts() if self._is_json else self._commentary_as_content()
        return [*told, *self._pass("", is_last=True)]

    def end(self) -> list[Text | Thought]:
        """The answer ends without calls: nothing is held back any longer."""
        is_all = not self._raw and not self._is_json
        told = self._commentary_as_content() if is_all else self._commentary_as_thoughts()
        return [*told, *self._pass(self.raw if self._request.forced is not None else "", is_last=True)]

    def flush(self) -> list[Text]:
        """The answer will not be complete: returns the held-back content, unless it should have been a call."""
        return [] if self._request.forced is not None else self._pass("", is_last=True)

    # --- several responses of the model

    @property
    def is_answered(self) -> bool:
        """See `SpokenMessages`."""
        return self._messages.is_answered

    @property
    def is_fixed(self) -> bool:
        """Whether the client of a stream has received a part of an open message."""
        has_text = any(each.at is not None for each in self._messages.open)
        return has_text and self._request.is_stream and any(self._shown)

    def keep(self) -> None:
        """See `SpokenMessages`."""
        self._messages.keep()

    def restart(self) -> list[Text | Thought]:
        """See `SpokenMessages`. Nothing is sent: the client has received nothing of the open messages."""
        has_text = any(each.at is not None for each in self._messages.open)
        self._messages.restart()
        self.thoughts.restart()
        if has_text:
            self._clear()
            for message in self._messages.all:
                if message.at is not None:
                    message.at = None
                    self._say(message, message.text)
        return []


def annotations_in(item: Message) -> list[dict[str, Any]]:
    """The annotations of a raw message's content."""
    return [each for part in objects_in(item.get("content")) for each in objects_in(part.get("annotations"))]


def _citation(annotation: dict[str, Any], at: int) -> dict[str, Any]:
    """An annotation of the Responses API in the format of chat completions."""
    kind = text_in(annotation.get("type"))
    members = {name: value for name, value in annotation.items() if name != "type"}
    for name in ("start_index", "end_index"):
        if isinstance(members.get(name), int):
            members[name] += at
    return {"type": kind, kind: members}
