"""Which raw response items of a turn are kept: a call that was refused, and its output. Owns only that choice.

Raw items repeat all input and output of a model, tens of kilobytes a response; everything else in them is reported by
items that Codex makes from it. What is dropped here is not recorded and has no effect.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.rpc import Message, object_at
from codex_server_cli.core.record.refusals import is_call, is_output, refusal_of

RAW_ITEM = "rawResponseItem/completed"
RAW_METHODS = (RAW_ITEM, "rawResponse/completed")
ITEM_METHODS = ("item/started", "item/completed")

Line = tuple[bytes, Message]
"""A line as received, and what it decodes to."""

Kept = list[tuple[Line, Any]]
"""Lines, each with its raw item."""


class RawItems:
    """Holds each call back until its output shows whether it was refused."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[Line, Any]] = {}
        self._items: set[str] = set()  # ids of items that Codex has made

    def note(self, message: Message) -> None:
        """Take one of `ITEM_METHODS`: an item that is made from a call replaces it."""
        item = object_at(message, "params.item")
        if item and item.get("type") != "agentMessage":
            self._items.add(str(item.get("id")))

    def choose(self, line: Line, raw: Any) -> Kept:
        """Take a raw item; return those so far that are to be kept, oldest first."""
        if is_call(raw):
            self._calls[str(raw.get("call_id"))] = (line, raw)
        elif is_output(raw):
            id_ = str(raw.get("call_id"))
            held = self._calls.pop(id_, None)
            if held is not None and id_ not in self._items and refusal_of(held[1], raw) is not None:
                self._items.add(id_)  # after a lost connection it is read once more, from the thread's session file
                return [held, (line, raw)]
        return []
