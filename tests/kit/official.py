"""What the official client makes of a Response or an event: strictly, and with no member that it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from openai import BaseModel
from openai.types.responses import Response, ResponseItem, ResponseStreamEvent
from pydantic import TypeAdapter

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
_ITS_OWN = {"store", "name", "error"}
"""What the service sends though the client's model has no such member: `name` in the end of a call's arguments, which
clients of version 2 require; `error` in the event of that name, by which the clients know that they have to raise."""


def official_response(document: Any) -> Response:
    """A Response object, as the client's model has it; raises where it does not fit."""
    response = Response.model_validate_json(json.dumps(document), strict=True)
    assert strangers_in(response) == set()
    return response


def official_item(document: Any) -> Any:
    """An item of the input, as it is listed, likewise."""
    item = _ITEM.validate_json(json.dumps(document), strict=True)
    assert strangers_in(item) == set()
    return item


def official_event(document: Any) -> Any:
    """An event of a stream, likewise."""
    event = _EVENT.validate_json(json.dumps(document), strict=True)
    assert event.type == document["type"]
    assert strangers_in(event) == set()
    return event


def official_events(stream: bytes) -> list[Any]:
    """The events of a whole stream; each has a name and data and nothing else, and they are numbered from 0."""
    events = []
    for block in stream.decode("ascii").split("\n\n")[:-1]:
        name, data = block.split("\n")
        events.append(official_event(json.loads(data.removeprefix("data: "))))
        assert name == f"event: {events[-1].type}"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return events


def strangers_in(value: Any) -> set[str]:
    """The members of a model's value, at any depth, that the model does not know."""
    return {name for each in _models_in(value) for name in each.model_extra or {}} - _ITS_OWN


def _models_in(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        parts = [getattr(value, name) for name in type(value).model_fields]
    else:
        parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for part in parts:
        yield from _models_in(part)
