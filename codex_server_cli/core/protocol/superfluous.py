"""Which lines of an ended turn's `events.jsonl` only repeat what another line has. Owns only that choice.

These are the deltas of an item whose `item/completed` has their text, and each `turn/diff/updated` that is followed by
another one, which repeats the whole diff. A replay without them makes the same record, the same text, and the same
events of a Response, in which each character has its number (`core.openai.responses.turn_events`). Therefore all deltas
of a message or of reasoning are kept if any other line of its thread comes before its end, because `out.txt` may have
text there, or the item was ended there; and also if they are not a prefix of the final text, part for part. A line in
doubt is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from codex_server_cli.core.protocol.rpc import Message, at, object_at, params_of, parse_line, text_in

Span = tuple[int, int]
"""The byte offsets in the log where a line, or several consecutive ones, begin and end."""

MOST_CHARS = 4 << 20
"""The deltas of a longer text are kept: memory is limited, and Codex truncates a command's output at 1 MiB in the
completed item, but not in the deltas."""

_Item = tuple[str, str, str]
"""The ids of thread, turn and item."""


class _Told(NamedTuple):
    """The text of an item that one kind of delta streams, and its end repeats.

    Attributes:
        type: of the item.
        member: of the completed item: a text, or a list of texts, its parts.
        part: the parameter of a delta that names its part.
    """

    type: str
    member: str
    part: str = ""


_MESSAGE = "item/agentMessage/delta"
_TOLD = {
    _MESSAGE: _Told("agentMessage", "text"),
    "item/reasoning/summaryTextDelta": _Told("reasoning", "summary", "summaryIndex"),
    "item/reasoning/textDelta": _Told("reasoning", "content", "contentIndex"),
}
"""The deltas whose position in the log matters, or that of their item."""

_MEMBER_OF_ITEM = {"item/plan/delta": "text", "item/commandExecution/outputDelta": "aggregatedOutput"}
"""The other deltas, which are never shown, and the member of the completed item that repeats them."""

_NEVER_SHOWN = {
    *_TOLD.keys() - {_MESSAGE},
    *_MEMBER_OF_ITEM,
    "item/reasoning/summaryPartAdded",
    "account/rateLimits/updated",
}


class _DeltaRun:
    """The deltas of one text."""

    def __init__(self, begun: str = "") -> None:
        self.spans: list[Span] = []
        self.is_too_long = False
        self._pieces = [begun]
        self._chars = 0

    def add(self, delta: str, span: Span) -> None:
        self._chars += len(delta)
        self.is_too_long = self._chars > MOST_CHARS
        if self.is_too_long:
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


class _Open:
    """An open message or reasoning item, and its deltas: the parts of each kind, in order."""

    def __init__(self, key: _Item, type_: str, begun: str) -> None:
        self.key, self.type = key, type_
        self._is_unclear = False
        self._runs = {method: [_DeltaRun(begun)] for method, told in _TOLD.items() if told.type == type_}

    def add(self, method: str, params: Message, span: Span) -> None:
        runs, name = self._runs.get(method), _TOLD[method].part
        part = at(params, name, int) if name else 0
        if runs is None or part not in (len(runs) - 1, len(runs)):
            self._is_unclear = True
            return
        if part == len(runs):
            runs.append(_DeltaRun())
        runs[-1].add(text_in(params.get("delta")), span)

    def found(self, item: Message) -> list[Span]:
        """The deltas that the completed item repeats."""
        is_known = item.get("type") == self.type and not self._is_unclear
        if not is_known or not all(_is_beginning(runs, _texts_in(item, method)) for method, runs in self._runs.items()):
            return []
        return [span for runs in self._runs.values() for run in runs for span in run.spans]


def _is_beginning(runs: Sequence[_DeltaRun], whole: Sequence[str]) -> bool:
    """Whether the final text begins with the deltas; a part ends when the next one begins."""
    *over, last = [run.text for run in runs]
    n_over = len(over)
    if any(run.is_too_long for run in runs) or list(whole[:n_over]) != over:
        return False
    return "".join(whole[n_over : n_over + 1]).startswith(last)


def _texts_in(item: Message, method: str) -> list[str]:
    told = _TOLD[method]
    if not told.part:
        return [text_in(item.get(told.member))]
    return [text_in(part) for part in at(item, told.member, list) or []]


class _Search:
    """Takes the lines, oldest first. Keeps the texts of the open items, up to `MOST_CHARS` each."""

    def __init__(self) -> None:
        self.found: list[Span] = []
        self._position = 0
        self._open: dict[str, _Open] = {}  # by thread: the only item that its last lines are about
        self._others: dict[_Item, dict[str, _DeltaRun]] = {}
        self._diffs: dict[tuple[str, str], Span] = {}  # the last one of a thread's turn

    def take(self, line: bytes) -> None:
        span = (self._position, self._position + len(line))
        self._position = span[1]
        event = parse_line(line) or {}
        method, params = text_in(event.get("method")), params_of(event)
        thread_id, turn_id = text_in(params.get("threadId")), text_in(params.get("turnId"))
        if event.get("dir") != "in" or "id" in event or not (thread_id or method in _NEVER_SHOWN):
            self._open.clear()  # it may be about any thread
        elif method in _TOLD:
            self._take_told((thread_id, turn_id, text_in(params.get("itemId"))), method, params, span)
        elif method in _MEMBER_OF_ITEM:
            self._take_other((thread_id, turn_id, text_in(params.get("itemId"))), method, params, span)
        elif method not in _NEVER_SHOWN:
            item = object_at(params, "item")
            key = (thread_id, turn_id, text_in(item.get("id")))
            if method == "item/completed":
                self._complete(key, item)
            self._open.pop(thread_id, None)
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
        type_ = text_in(item.get("type"))
        if any(told.type == type_ for told in _TOLD.values()):
            begun = text_in(item.get("text")) if type_ == _TOLD[_MESSAGE].type else ""
            self._open[key[0]] = _Open(key, type_, begun)

    def _take_told(self, key: _Item, method: str, params: Message, span: Span) -> None:
        item = self._open.get(key[0])
        if item is not None and item.key == key:
            item.add(method, params, span)
        elif method == _MESSAGE:
            self._open.pop(key[0], None)

    def _take_other(self, key: _Item, method: str, params: Message, span: Span) -> None:
        runs = self._others.get(key)
        if runs is not None:
            runs.setdefault(method, _DeltaRun()).add(text_in(params.get("delta")), span)

    def _complete(self, key: _Item, item: Message) -> None:
        is_open = self._open.get(key[0])
        if is_open is not None and is_open.key == key:
            self.found += is_open.found(item)
        for method, other in self._others.pop(key, {}).items():
            # The deltas of a command may lack the beginning of its output.
            if other.text in text_in(item.get(_MEMBER_OF_ITEM[method])):
                self.found += other.spans


def superfluous(lines: Iterable[bytes]) -> list[Span]:
    """The superfluous parts of a log, in its order.

    Args:
        lines: all of its lines, with their newlines.
    """
    search = _Search()
    for line in lines:
        search.take(line)
    return sorted(search.found)
