"""The events of a Response's stream: their names, members and order around each item. Owns their wire format.

Each function returns the events for one change of an output item, without numbers: the sender numbers them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.document import (
    ItemStatus,
    Json,
    message_of_parts,
    reasoning_item,
    refusal_part,
    text_part,
)


class StreamEvent(NamedTuple):
    """One event, not numbered yet."""

    type: str
    fields: Mapping[str, Any]


def event(type: str, sequence_number: int, **fields: Any) -> bytes:
    """An event as it is sent. Without an `id:` line: a keep-alive after one breaks the official client.

    In ASCII, so that no character can be split, and a lone surrogate from a model can be sent.
    """
    data = json.dumps({"type": type, "sequence_number": sequence_number, **fields}, separators=(",", ":"))
    return f"event: {type}\ndata: {data}\n\n".encode()


def of_response(type: str, document: Json) -> StreamEvent:
    """An event about the whole response, e.g. `response.created`."""
    return StreamEvent(type, {"response": document})


def error_event(error: ApiError) -> StreamEvent:
    """The event that makes every official client raise. Some look for its members in `error`."""
    flat = {"code": error.code or error.type, "message": error.message, "param": error.param}
    return StreamEvent("error", {**flat, "error": {"type": error.type, **flat}})


# --- a message


def message_begun(index: int, item_id: str, phase: str | None = None) -> list[StreamEvent]:
    """A message begins, and its text.

    Args:
        index: of the item in the output, here as everywhere.
    """
    item = message_of_parts(item_id, [], status="in_progress", phase=phase)
    return [_item("added", index, item), _part("added", index, item_id, text_part(""))]


def text_delta(index: int, item_id: str, text: str) -> StreamEvent:
    """More of its text."""
    return _content("response.output_text.delta", index, item_id, delta=text, logprobs=[])


def annotation_added(index: int, item_id: str, annotation_index: int, annotation: Json) -> StreamEvent:
    """A citation in its text."""
    fields = {"annotation_index": annotation_index, "annotation": annotation}
    return _content("response.output_text.annotation.added", index, item_id, **fields)


def message_done(index: int, item: Json) -> list[StreamEvent]:
    """A text message ends; `item` is all of it."""
    item_id, part = item["id"], item["content"][0]
    done = _content("response.output_text.done", index, item_id, text=part["text"], logprobs=[])
    return [done, _part("done", index, item_id, part), _item("done", index, item)]


def refused(index: int, item_id: str, words: str) -> list[StreamEvent]:
    """A refusal message, from its beginning to its end."""
    whole = refusal_part(words)
    return [
        _item("added", index, message_of_parts(item_id, [], status="in_progress")),
        _part("added", index, item_id, refusal_part("")),
        _content("response.refusal.delta", index, item_id, delta=words),
        _content("response.refusal.done", index, item_id, refusal=words),
        _part("done", index, item_id, whole),
        _item("done", index, message_of_parts(item_id, [whole])),
    ]


# --- reasoning


def reasoning_begun(index: int, item_id: str) -> StreamEvent:
    """A reasoning item begins."""
    return _item("added", index, reasoning_item(item_id, [], status="in_progress"))


def summary_begun(index: int, item_id: str, part: int) -> StreamEvent:
    """A part of the summary begins."""
    return _summary("response.reasoning_summary_part.added", index, item_id, part, part=_summary_part(""))


def summary_delta(index: int, item_id: str, part: int, text: str) -> StreamEvent:
    """More of it."""
    return _summary("response.reasoning_summary_text.delta", index, item_id, part, delta=text)


def summary_done(index: int, item_id: str, part: int, text: str) -> list[StreamEvent]:
    """A part ends; `text` is all of it."""
    return [
        _summary("response.reasoning_summary_text.done", index, item_id, part, text=text),
        _summary("response.reasoning_summary_part.done", index, item_id, part, part=_summary_part(text)),
    ]


def item_done(index: int, item: Json) -> StreamEvent:
    """An item ends, e.g. a reasoning item after its parts."""
    return _item("done", index, item)


# --- a call


def called(index: int, item: Json) -> list[StreamEvent]:
    """A function call, from its beginning to its end: Codex does not stream its arguments."""
    status: ItemStatus = "in_progress"
    arguments, name = item["arguments"], item["name"]
    fields = {"item_id": item["id"], "output_index": index}
    return [
        _item("added", index, {**item, "status": status, "arguments": ""}),
        StreamEvent("response.function_call_arguments.delta", {**fields, "delta": arguments}),
        StreamEvent("response.function_call_arguments.done", {**fields, "name": name, "arguments": arguments}),
        _item("done", index, item),
    ]


def numbered(events: Sequence[StreamEvent], first: int) -> bytes:
    """Events as they are sent, numbered consecutively."""
    return b"".join(event(each.type, first + n, **each.fields) for n, each in enumerate(events))


def _item(moment: str, index: int, item: Json) -> StreamEvent:
    return StreamEvent(f"response.output_item.{moment}", {"output_index": index, "item": item})


def _part(moment: str, index: int, item_id: str, part: Json) -> StreamEvent:
    return _content(f"response.content_part.{moment}", index, item_id, part=part)


def _content(type: str, index: int, item_id: str, **fields: Any) -> StreamEvent:
    return StreamEvent(type, {"item_id": item_id, "output_index": index, "content_index": 0, **fields})


def _summary(type: str, index: int, item_id: str, part_index: int, **fields: Any) -> StreamEvent:
    return StreamEvent(type, {"item_id": item_id, "output_index": index, "summary_index": part_index, **fields})


def _summary_part(text: str) -> Json:
    return {"type": "summary_text", "text": text}
