"""Which raw response items of a turn are kept: a refused call, and its output. Owns only that choice.

Raw items repeat all input and output of a model, tens of kilobytes per response; Codex reports everything else in them
as items. Raw items that are dropped here are not recorded and have no effect.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.rpc import Message, object_at
from codex_server_cli.core.record.refusals import is_call, is_output, refusal_of

RAW_ITEM = "rawResponseItem/completed"
RAW_METHODS = (RAW_ITEM, "rawResponse/completed")
ITEM_METHODS = ("item/started", "item/completed")

Line = tuple[bytes, Message]
"""A line as received, and its decoded message."""

Kept = list[tuple[Line, Any]]
"""Lines, each with its raw item."""


class RawItems:
    """Holds each call back until its output shows whether it was refused."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[Line, Any]] = {}
        self._items: set[str] = set()  # ids of items that Codex has made

    def note(self, message: Message) -> None:
        """Take one of `ITEM_METHODS`: an item that Codex made from a call replaces the call."""
        item = object_at(message, "params.item")
        if item and item.get("type") != "agentMessage":
            self._items.add(str(item.get("id")))

    def choose(self, line: Line, raw: Any) -> Kept:
        """Take a raw item; returns the raw items to keep that are known now, oldest first."""
        if is_call(raw):
            self._calls[str(raw.get("call_id"))] = (line, raw)
        elif is_output(raw):
            id_ = str(raw.get("call_id"))
            held = self._calls.pop(id_, None)
            if held is not None and id_ not in self._items and refusal_of(held[1], raw) is not None:
                self._items.add(id_)  # after a lost connection it is read again, from the session file
                return [held, (line, raw)]
        return []
