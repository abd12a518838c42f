"""One of our turns as a Response. Owns the status for each state of a turn, and which request members are repeated.

The turn may have been started by any interface: a request to the Responses API stores the members to repeat as `echo`
in `meta.json`; other turns have none. Must never read a file: the caller passes the turn and its output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from codex_server_cli.core.model.turn import Phase, State, is_turn_id, parse_time_ms
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.messages import Item
from codex_server_cli.core.openai.responses.document import (
    Json,
    ResponseHead,
    ResponseStatus,
    incomplete,
    response_document,
    usage_document,
)
from codex_server_cli.core.protocol.rpc import at, object_at, text_in
from codex_server_cli.core.result.failures import is_incomplete
from codex_server_cli.errors import ErrorKind

_PREFIX = "resp_"
_LIMITS = (ErrorKind.USAGE_LIMIT, ErrorKind.RATE_LIMIT)
_OF_THE_REQUEST = (ErrorKind.BAD_REQUEST, ErrorKind.BAD_SCHEMA, ErrorKind.BAD_INPUT, ErrorKind.CONTEXT_WINDOW)
_LAST_EVENTS = {"completed": "response.completed", "failed": "response.failed"}


def response_id(turn_id: str) -> str:
    """The response id of a turn."""
    return f"{_PREFIX}{turn_id}"


def turn_id_in(id_: str) -> str | None:
    """The turn id in a response id; None if it has none."""
    turn_id = id_.removeprefix(_PREFIX)
    return turn_id if turn_id != id_ and is_turn_id(turn_id) else None


def status_of(view: TurnView) -> ResponseStatus:
    """A turn's status as a response. A turn that waits for a person is in progress."""
    match view.state:
        case State.RUNNING:
            return "queued" if view.phase in (None, Phase.QUEUED) else "in_progress"
        case State.COMPLETE:
            return "completed"
        case State.CANCELLED:
            return "cancelled"
        case _:
            return "incomplete" if is_incomplete(view.error or {}) else "failed"


def last_event(view: TurnView) -> str:
    """The type of the last event in the stream of an ended turn. OpenAI has none for a cancelled response: that is sent
    as incomplete."""
    return _LAST_EVENTS.get(status_of(view), "response.incomplete")


def turn_response(view: TurnView, output: Sequence[Json] = (), status: ResponseStatus | None = None) -> Json:
    """A turn as a response.

    Args:
        output: of a turn that has ended.
        status: an earlier status to show instead of the turn's current one.
    """
    status = status or status_of(view)
    is_over = status not in ("queued", "in_progress")
    resumed_from, finished_ms = view.meta.get("resumed_from"), parse_time_ms(view.meta.get("finished_at"))
    document = response_document(
        _head(view),
        status=status,
        output=output,
        usage=_usage(view) if is_over else None,
        error=_error(view) if status == "failed" else None,
        incomplete_details=incomplete(_reason(view)) if status == "incomplete" else None,
        completed_at=finished_ms // 1000 if status == "completed" and finished_ms is not None else None,
        background=True,
        previous_response_id=response_id(resumed_from) if isinstance(resumed_from, str) else None,
    )
    return {**document, "x_codex": _more(view, is_over=is_over)}


def _head(view: TurnView) -> ResponseHead:
    meta, echo = view.meta, object_at(view.meta, "echo")
    model = echo.get("model") or meta.get("model") or object_at(meta, "effective").get("model")
    started_ms = parse_time_ms(meta.get("started_at")) or time_ms(view.turn_id) or 0
    known: Json = {"reasoning": {"effort": meta.get("effort"), "summary": None}, "text": _text_of(view)}
    echoed = {**known, **object_at(echo, "response")}
    return ResponseHead(response_id(view.turn_id), started_ms // 1000, text_in(model), echoed)


def _text_of(view: TurnView) -> Json:
    schema = at(view.meta, "request.schema", dict)
    form = {"type": "json_schema", "name": "answer", "schema": schema, "strict": True} if schema else {"type": "text"}
    return {"format": form, "verbosity": "medium"}


def _usage(view: TurnView) -> Json | None:
    spent: dict[str, int] | None = view.result.get("usage")
    if spent is None:
        return None
    return usage_document(
        input_tokens=spent.get("input_tokens") or 0,
        output_tokens=spent.get("output_tokens") or 0,
        total_tokens=spent.get("total_tokens") or 0,
        cached=spent.get("cached_input_tokens") or 0,
        reasoning=spent.get("reasoning_output_tokens") or 0,
    )


def _error(view: TurnView) -> Json:
    error = view.error or {}
    kind = text_in(error.get("kind"))
    code = "rate_limit_exceeded" if kind in _LIMITS else "invalid_prompt" if kind in _OF_THE_REQUEST else "server_error"
    return {"code": code, "message": text_in(error.get("message")), "type": kind, "param": None}


def _reason(view: TurnView) -> Any:
    is_filtered = re.search(r"reason: content_filter", text_in((view.error or {}).get("message")))
    return "content_filter" if is_filtered else "max_output_tokens"


def _more(view: TurnView, *, is_over: bool) -> Json:
    """Facts for which OpenAI has no member."""
    more: Json = {"turn_id": view.turn_id, "thread_id": view.thread_id}
    if is_over:
        error = view.error or {}
        more |= {"state": str(view.state), **{name: error.get(name) for name in ("hint", "resets_at")}}
    elif view.phase is not None:
        more["phase"] = str(view.phase)
    return {name: value for name, value in more.items() if value}


def input_items(prompt: str, pictures: Sequence[str], view: TurnView) -> list[Item]:
    """The input of a turn, as items for `thread/inject_items`.

    Args:
        pictures: data URLs.
    """
    developer = [_message("developer", [_text(text)]) for text in at(view.meta, "echo.developer", list) or []]
    shown = [{"type": "input_image", "image_url": url} for url in pictures]
    return [*developer, _message("user", [_text(prompt), *shown])]


def _message(role: str, content: list[Json]) -> Json:
    return {"type": "message", "role": role, "content": content}


def _text(text: str) -> Json:
    return {"type": "input_text", "text": text}
