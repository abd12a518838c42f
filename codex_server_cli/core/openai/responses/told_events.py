"""The events of a response so far, for all clients that follow it. Owns how they are stored: each text once, and other
events in their encoded form.

Pieces of a text are merged as they are added, so that clients that connect later get larger pieces; numbers of events
do not depend on how a text is split.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import chain, islice

from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.openai.responses.turn_events import Numbered
from codex_server_cli.core.protocol.rpc import text_in

_PIECE_CHARS = 4096
_MOST_CHARS = 128 * 1024
_DELTA = "delta"


class ToldEvents:
    """Events by their increasing numbers."""

    def __init__(self) -> None:
        self._events: list[Numbered] = []
        self._encoded: dict[int, bytes] = {}

    @property
    def last(self) -> Numbered:
        """The last one."""
        return self._events[-1]

    def add(self, events: Iterable[Numbered]) -> None:
        """Add events.

        A long text is split, because each stream whose client does not read keeps its current piece in memory.
        """
        for each in chain.from_iterable(each.pieces(_PIECE_CHARS) for each in events):
            joined = _joined(self._events[-1], each) if self._events else None
            if joined is None:
                self._events.append(each)
            else:
                self._events[-1] = joined

    def encoded(self, each: Numbered) -> bytes:
        """An event, or the rest of one, as it is sent. Encoded only once, except for pieces of text."""
        if _DELTA in each.event.fields:
            return each.encoded()
        if each.number not in self._encoded:
            self._encoded[each.number] = each.encoded()
        return self._encoded[each.number]

    def behind(self, number: int) -> list[Numbered]:
        """The events after a number, limited to what is sent at once; empty if there are none."""
        start = bisect_right(self._events, number, key=lambda each: each.number)
        found: list[Numbered] = []
        n_chars = 0
        for each in islice(self._events, start, None):
            found += filter(None, [each.after(number)])
            n_chars += len(text_in(each.event.fields.get(_DELTA)))
            if n_chars > _MOST_CHARS:
                break
        return found


def _joined(one: Numbered, other: Numbered) -> Numbered | None:
    """Two pieces of one text as one; None if they are not of one text, or it would be too large."""
    text, more = one.event.fields.get(_DELTA), other.event.fields.get(_DELTA)
    is_piece = isinstance(text, str) and isinstance(more, str) and len(text) < _PIECE_CHARS
    if not is_piece or one.event.type != other.event.type or _place(one) != _place(other):
        return None
    return Numbered(other.number, StreamEvent(other.event.type, {**other.event.fields, _DELTA: f"{text}{more}"}))


def _place(each: Numbered) -> tuple[object, ...]:
    fields = each.event.fields
    return fields.get("output_index"), fields.get("summary_index")
