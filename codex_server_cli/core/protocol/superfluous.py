"""Which lines of an ended turn's `events.jsonl` say nothing that another line does not. Owns only that choice.

Superfluous are the deltas of an item whose `item/completed` holds their text, and each `turn/diff/updated` that another
one follows: it has the whole diff again. Without them a replay makes the same record and the same text. Therefore the
deltas of a message are kept where any other line of its thread comes before its end: `out.txt` may have something
there, in the middle of the message. Where a line is unclear, it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codex_server_cli.core.protocol.rpc import Message, object_at, params_of, parse_line, text_in

Span = tuple[int, int]
"""Where a line, or several without a gap, begins and ends in the log, in bytes."""

MOST_CHARS = 4 << 20
"""The deltas of a longer text are kept: Codex cuts what a command prints at 1 MiB, in the completed item but not in
them, and memory is limited."""

_Item = tuple[str, str, str]
"""The ids of thread, turn and item."""

_MESSAGE = "item/agentMessage/delta"
_MEMBER_OF_ITEM = {
    "item/plan/delta": "text",
    "item/commandExecution/outputDelta": "aggregatedOutput",
    "item/reasoning/summaryTextDelta": "summary",
    "item/reasoning/textDelta": "content",
}
"""The other deltas, which are never shown, and the member of the completed item that repeats them: a text, or a list of
texts."""

_NEVER_SHOWN = {*_MEMBER_OF_ITEM, "account/rateLimits/updated"}


class _Run:
    """The deltas of one text."""

    def __init__(self, item: _Item, begun: str = "") -> None:
        self.item = item
        self.spans: list[Span] = []
        self._pieces = [begun]
        self._chars = 0

    def add(self, delta: str, span: Span) -> None:
        self._chars += len(delta)
        if self._chars > MOST_CHARS:
            self._pieces.clear()
            self.spans.clear()
            return
        self._pieces.append(delta)
        if self.spans and self.spans[-1][1] == span[0]:
            span = (self.spans.pop()[0], span[1])
        self.spans.append(span)

    @property
    def text(self) -> str:
        return "".join(self._pieces)


class _Search:
    """Takes the lines, oldest first. Remembers the texts of the open items, as far as `MOST_CHARS` each."""

    def __init__(self) -> None:
        self.found: list[Span] = []
        self._position = 0
        self._messages: dict[str, _Run] = {}  # by thread: the message of which alone the last lines were
        self._others: dict[_Item, dict[tuple[str, Any], _Run]] = {}
        self._diffs: dict[tuple[str, str], Span] = {}  # the last one of a thread's turn

    def take(self, line: bytes) -> None:
        span = (self._position, self._position + len(line))
        self._position = span[1]
        event = parse_line(line) or {}
        method, params = text_in(event.get("method")), params_of(event)
        thread_id, turn_id = text_in(params.get("threadId")), text_in(params.get("turnId"))
        if event.get("dir") != "in" or "id" in event or not (thread_id or method in _NEVER_SHOWN):
            self._messages.clear()  # it may be about any thread
        elif method == _MESSAGE:
            self._take_message((thread_id, turn_id, text_in(params.get("itemId"))), params, span)
        elif method in _MEMBER_OF_ITEM:
            self._take_other((thread_id, turn_id, text_in(params.get("itemId"))), method, params, span)
        elif method not in _NEVER_SHOWN:
            item = object_at(params, "item")
            key = (thread_id, turn_id, text_in(item.get("id")))
            if method == "item/completed":
                self._complete(key, item)
            self._messages.pop(thread_id, None)
            if method == "item/started":
                self._start(key, item)
            elif method == "turn/diff/updated" and turn_id and isinstance(params.get("diff"), str):
                if (previous := self._diffs.get((thread_id, turn_id))) is not None:
                    self.found.append(previous)
                self._diffs[thread_id, turn_id] = span

    def _start(self, key: _Item, item: Message) -> None:
        if not all(key):
            return
        self._others[key] = {}
        if item.get("type") == "agentMessage":
            self._messages[key[0]] = _Run(key, text_in(item.get("text")))

    def _take_message(self, key: _Item, params: Message, span: Span) -> None:
        run = self._messages.get(key[0])
        if run is not None and run.item == key:
            run.add(text_in(params.get("delta")), span)
        else:
            self._messages.pop(key[0], None)

    def _take_other(self, key: _Item, method: str, params: Message, span: Span) -> None:
        runs = self._others.get(key)
        if runs is not None:
            index = params.get("summaryIndex", params.get("contentIndex"))
            part = (method, index if isinstance(index, int) else None)
            runs.setdefault(part, _Run(key)).add(text_in(params.get("delta")), span)

    def _complete(self, key: _Item, item: Message) -> None:
        run = self._messages.get(key[0])
        is_message = run is not None and run.item == key and item.get("type") == "agentMessage"
        if run is not None and is_message and text_in(item.get("text")).startswith(run.text):
            self.found += run.spans
        for (method, index), other in self._others.pop(key, {}).items():
            # The deltas of a command may lack the beginning of its output.
            if other.text in _text_at(item.get(_MEMBER_OF_ITEM[method]), index):
                self.found += other.spans


def _text_at(value: Any, index: int | None) -> str:
    if isinstance(value, list) and index is not None:
        value = value[index] if 0 <= index < len(value) else None
    return text_in(value)


def superfluous(lines: Iterable[bytes]) -> list[Span]:
    """The superfluous parts of a log, in its order.

    Args:
        lines: all of its lines, with their newlines.
    """
    search = _Search()
    for line in lines:
        search.take(line)
    return sorted(search.found)
