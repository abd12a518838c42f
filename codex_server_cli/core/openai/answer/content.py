"""The text of an answer, from the agent's messages: what is content, what is none, and what is left out of it.

`phase` says which: a `final_answer`, or none, is content. `commentary` is content where the answer ends in tool calls,
or where nothing else is said; otherwise it is shown as a thought, if thoughts were asked for. It is never part of JSON.

Where the connection to the model is cut, Codex asks it again, and shows it the messages that it had completed: they
stay, and only one that was open comes again (0.163.0 and 0.171.0).
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.answer.code_fence import CodeFence
from codex_server_cli.core.openai.answer.outputs import Cited, Text, Thought
from codex_server_cli.core.openai.answer.stop_sequences import StopSequences
from codex_server_cli.core.openai.answer.thoughts import Thoughts
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.protocol.rpc import Message, object_at, objects_in, text_in

_BREAK = "\n\n"
"""Between two messages of one answer."""


class _SpokenMessage:
    """One message of the agent.

    Attributes:
        at: where its text begins in the content; None while there is none.
        is_told: commentary that has been shown.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        self.is_final = item.get("phase") == "final_answer"
        self.is_commentary = item.get("phase") == "commentary" or item.get("delivery") == "async"
        self.is_complete = self.is_told = False
        self.pieces: list[str] = []
        self.at: int | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


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
        self._messages: list[_SpokenMessage] = []
        self._by_id: dict[str, _SpokenMessage] = {}  # the last one of each id
        self._n_earlier = 0  # messages of model responses that are complete
        self._clear()

    def _clear(self) -> None:
        self._fence = CodeFence() if self._request.is_json_object else None
        self._stop = StopSequences(self._request.stop)
        self._raw: list[str] = []
        self._n_raw = 0
        self._shown: list[str] = []

    @property
    def text(self) -> str:
        """What the client is given."""
        return "".join(self._shown)

    @property
    def raw(self) -> str:
        """The whole text of the model, with what is held back or cut."""
        return "".join(self._raw)

    @property
    def is_stopped(self) -> bool:
        """Whether a stop sequence was found."""
        return self._stop.is_hit

    @property
    def is_refused(self) -> bool:
        """Whether a message began that has neither text nor end: the model refused, and Codex drops what it said."""
        return any(not each.pieces for each in self._open)

    # --- the agent's messages

    def take(self, method: str, params: Message) -> list[Text | Thought]:
        """Take a notification about an item of the turn."""
        item = object_at(params, "item")
        id_, delta = text_in(item.get("id") or params.get("itemId")), text_in(params.get("delta"))
        match method, item.get("type"):
            case "item/started", "agentMessage":
                return self.start(id_, item)
            case "item/completed", "agentMessage":
                return self.complete(id_, item)
            case "item/completed", "reasoning":
                return [*self.thoughts.complete(id_, item.get("summary"))]
            case "item/agentMessage/delta", _:
                return self.add(id_, delta)
            case "item/reasoning/summaryPartAdded", _:
                self.thoughts.part()
            case "item/reasoning/summaryTextDelta", _:
                return [*self.thoughts.add(id_, delta)]
        return []

    def start(self, id_: str, item: dict[str, Any]) -> list[Text | Thought]:
        """A message begins; it may have all its text already. An id may be that of an earlier message."""
        message = self._by_id.get(id_)
        told: list[Text | Thought] = []
        if message is None or message.is_complete:
            message = self._by_id[id_] = _SpokenMessage(item)
            self._messages.append(message)
            told = [] if message.is_commentary else self._commentary_as_thoughts()
        return [*told, *self._rest(message, text_in(item.get("text")))]

    def add(self, id_: str, text: str) -> list[Text | Thought]:
        """Take a delta of a message."""
        begun = [] if id_ in self._by_id else self.start(id_, {})
        return [*begun, *self._add(self._by_id[id_], text)]

    def complete(self, id_: str, item: dict[str, Any]) -> list[Text | Thought]:
        """A message is complete: what of it was not streamed follows."""
        begun = [] if id_ in self._by_id else self.start(id_, item)
        message = self._by_id[id_]
        message.is_complete = True
        return [*begun, *self._rest(message, text_in(item.get("text")))]

    def _rest(self, message: _SpokenMessage, whole: str) -> list[Text | Thought]:
        return self._add(message, whole.removeprefix(message.text)) if whole.startswith(message.text) else []

    def _add(self, message: _SpokenMessage, text: str) -> list[Text | Thought]:
        if not text:
            return []
        message.pieces.append(text)
        return [] if message.is_commentary else [*self._say(message, text)]

    def _say(self, message: _SpokenMessage, text: str) -> list[Text]:
        if message.at is None:
            lead = _BREAK if self._raw else ""
            message.at = self._n_raw + len(lead)
            text = lead + text
        self._raw.append(text)
        self._n_raw += len(text)
        return [] if self._request.forced is not None else self._pass(text)

    def _pass(self, text: str, *, is_last: bool = False) -> list[Text]:
        """What of the text gets through the fence and the stop sequences."""
        if self._fence is not None:
            text = self._fence.feed(text) + (self._fence.flush() if is_last else "")
        shown = self._stop.feed(text) + (self._stop.flush() if is_last else "")
        self._shown.append(shown)
        return [Text(shown)] if shown else []

    def cite(self, id_: str, parts: Any) -> list[Cited]:
        """Take the content of a raw message, which alone has the annotations."""
        message = self._by_id.get(id_)
        at = message.at or 0 if message is not None else 0
        cited = [_citation(each, at) for part in objects_in(parts) for each in objects_in(part.get("annotations"))]
        new = [each for each in cited if each not in self.annotations]
        self.annotations += new
        return [Cited(tuple(new))] if new else []

    # --- commentary, and the end

    def _untold(self) -> list[_SpokenMessage]:
        untold = [each for each in self._messages if each.is_commentary and not each.is_told and each.pieces]
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
        """The answer ends in calls: commentary is what it says beside them, and nothing is held back any longer."""
        told = self._commentary_as_thoughts() if self._is_json else self._commentary_as_content()
        return [*told, *self._pass("", is_last=True)]

    def end(self) -> list[Text | Thought]:
        """The answer ends without calls: nothing is held back any longer."""
        is_all = not self._raw and not self._is_json
        told = self._commentary_as_content() if is_all else self._commentary_as_thoughts()
        return [*told, *self._pass(self.raw if self._request.forced is not None else "", is_last=True)]

    def flush(self) -> list[Text]:
        """The answer will not be complete: what was held back of its content, unless that should have been a call."""
        return [] if self._request.forced is not None else self._pass("", is_last=True)

    # --- several responses of the model

    @property
    def is_answered(self) -> bool:
        """Whether the model response that is under way has a final answer that is complete."""
        return any(each.is_final and each.is_complete for each in self._messages[self._n_earlier :])

    @property
    def _open(self) -> list[_SpokenMessage]:
        return [each for each in self._messages if not each.is_complete]

    @property
    def is_fixed(self) -> bool:
        """Whether the client of a stream has read a part of a message that is open."""
        has_text = any(each.at is not None for each in self._open)
        return has_text and self._request.is_stream and any(self._shown)

    def keep(self) -> None:
        """A model response is complete, and another one follows."""
        self._n_earlier = len(self._messages)

    def restart(self) -> None:
        """The model response was cut, and another one takes its place: what was open comes again."""
        has_text = any(each.at is not None for each in self._open)
        self._messages = [each for each in self._messages if each.is_complete]
        self._by_id = {}
        self.thoughts.restart()
        if has_text:
            self._clear()
            for message in self._messages:
                if message.at is not None:
                    message.at = None
                    self._say(message, message.text)


def _citation(annotation: dict[str, Any], at: int) -> dict[str, Any]:
    """An annotation of the Responses API in the form of chat completions."""
    kind = text_in(annotation.get("type"))
    members = {name: value for name, value in annotation.items() if name != "type"}
    for name in ("start_index", "end_index"):
        if isinstance(members.get(name), int):
            members[name] += at
    return {"type": kind, kind: members}
