"""What a turn did, item by item, from its own events. Owns which items are listed, in the words of `out.txt`.

Must never open a file. Item shapes: protocol notes, section 5.
"""

from __future__ import annotations

from collections.abc import Iterable

from codex_server_cli.core.history.entries import ThreadEntry, content_texts
from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.core.protocol.rpc import Message, object_at, text_in
from codex_server_cli.core.record import item_text
from codex_server_cli.core.record.turn_record import TurnRecord


def turn_entries(events: Iterable[Message]) -> list[ThreadEntry]:
    """The messages, commands and changes of a turn, oldest first; for a running turn also the open items.

    Not its error, which belongs to the turn. A review is listed once, although Codex reports it as a second item, too.

    Args:
        events: of its `events.jsonl`.
    """
    record, entries, last_ms = TurnRecord(), dict[str, ThreadEntry](), 0
    for event in events:
        last_ms = event["ts"]
        if event["dir"] == "out":
            record.feed_out(event)
            continue
        for message in record.feed_in(event):
            if message["method"] == "item/completed":
                item = object_at(message, "params.item")
                # A retry sends an item again: only the last one counts, at its last position.
                entries.pop(str(item.get("id")), None)
                _add(entries, item, _text(item), message["ts"])
    for item in record.open_items.values():
        _add(entries, item, _open_text(item, record), last_ms)
    return list(entries.values())


def _add(entries: dict[str, ThreadEntry], item: Message, text: str, at_ms: int) -> None:
    if text.strip():
        edited = item if item.get("type") == "fileChange" else None
        entries[str(item.get("id"))] = ThreadEntry(str(item.get("type")), text, format_time_ms(at_ms), edited)


def _text(item: Message) -> str:
    match item.get("type"):
        case "userMessage":
            return "\n".join(content_texts(item))
        case "agentMessage":
            return text_in(item.get("text"))
        case "commandExecution":
            return item_text.command_line(item) + item_text.command_end(item)
    return item_text.item_block(item)


def _open_text(item: Message, record: TurnRecord) -> str:
    """What is known of an item that has not ended."""
    match item.get("type"):
        case "agentMessage":
            return record.messages.text_of(str(item.get("id")))
        case "commandExecution":
            return item_text.command_line(item)
    return item_text.item_block(item)
