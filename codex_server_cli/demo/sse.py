"""The wire form of an answer: Responses API events as server-sent events, cut into blocks at every wait.

Owns: event names and formats, item ids, the framing. Pure: the server executes the waits.
Never here: sockets, threads, clocks.

Only the events that Codex reads are sent. Item ids that the script does not set are derived from the number of the
request, so that they differ between the responses of a turn, as upstream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from codex_server_cli.demo.parts import (
    Answer,
    Cut,
    Hold,
    Incomplete,
    Item,
    Json,
    Message,
    Pause,
    Reasoning,
    StreamFailure,
    ToolCall,
    Usage,
    Wait,
    WebSearch,
)


def blocks(answer: Answer, number: int) -> Iterator[bytes | Wait]:
    """The stream of `answer` for the `number`-th model request: bytes to write at once, and waits between them.

    A `Cut` is the last element; otherwise the last block ends with `response.completed`, `response.incomplete` or
    `response.failed`.
    """
    pending: list[bytes] = []
    for step in _steps(answer, f"resp_{number}", number):
        if isinstance(step, bytes):
            pending.append(step)
            continue
        yield b"".join(pending)
        pending.clear()
        yield step
        if isinstance(step, Cut):
            return
    yield b"".join(pending)


def _steps(answer: Answer, response_id: str, number: int) -> Iterator[bytes | Wait]:
    yield _event("response.created", response={"id": response_id})
    for index, part in enumerate(answer.parts):
        if isinstance(part, (Hold, Pause, Cut)):
            yield part
        elif isinstance(part, (Incomplete, StreamFailure)):
            yield _early_end(part, response_id)
            return
        else:
            yield from _item(part, index, f"{number}_{index}")
    yield _completed(response_id, answer.usage)


def _item(item: Item, index: int, suffix: str) -> Iterator[bytes | Wait]:
    """The events of one output item; `suffix` makes the ids that the script does not set."""
    match item:
        case Message():
            yield from _message(item, index, item.item_id or f"msg_{suffix}")
        case Reasoning():
            yield from _reasoning(item, index, item.item_id or f"rs_{suffix}")
        case ToolCall():
            yield _done(_tool_call(item, item.call_id or f"call_{suffix}"), index)
        case WebSearch():
            search = {"type": "web_search_call", "id": item.item_id or f"ws_{suffix}", "status": "completed"}
            yield _added({**search, "status": "in_progress"}, index)
            yield _done({**search, "action": {"type": "search", "query": item.query}}, index)


def _message(message: Message, index: int, item_id: str) -> Iterator[bytes | Wait]:
    item: Json = {"type": "message", "role": "assistant", "id": item_id}
    if message.phase is not None:
        item["phase"] = message.phase
    yield _added({**item, "content": []}, index)
    # Benchmarks send one hundred thousand deltas: everything but the text is encoded only once.
    head, tail = _event(
        "response.output_text.delta", item_id=item_id, output_index=index, content_index=0, delta="\0"
    ).split(rb'"\u0000"')
    for piece in message.pieces:
        yield head + json.dumps(piece).encode() + tail if isinstance(piece, str) else piece
    yield _done({**item, "content": [{"type": "output_text", "text": message.text, "annotations": []}]}, index)


def _reasoning(reasoning: Reasoning, index: int, item_id: str) -> Iterator[bytes]:
    item: Json = {"type": "reasoning", "id": item_id}
    where: Json = {"item_id": item_id, "output_index": index, "summary_index": 0}
    text = reasoning.summary_text
    yield _added({**item, "summary": []}, index)
    yield _event("response.reasoning_summary_part.added", **where, part={"type": "summary_text", "text": ""})
    yield _event("response.reasoning_summary_text.delta", **where, delta=text)
    yield _event("response.reasoning_summary_text.done", **where, text=text)
    encrypted = {} if reasoning.encrypted is None else {"encrypted_content": reasoning.encrypted}
    yield _done({**item, "summary": [{"type": "summary_text", "text": text}], **encrypted}, index)


def _tool_call(call: ToolCall, call_id: str) -> Json:
    if isinstance(call.arguments, str):
        return {"type": "custom_tool_call", "call_id": call_id, "name": call.name, "input": call.arguments}
    arguments = json.dumps(dict(call.arguments))
    namespace = {} if call.namespace is None else {"namespace": call.namespace}
    return {"type": "function_call", "call_id": call_id, **namespace, "name": call.name, "arguments": arguments}


def _early_end(end: Incomplete | StreamFailure, response_id: str) -> bytes:
    if isinstance(end, Incomplete):
        details = {"incomplete_details": {"reason": end.reason}}
        return _event("response.incomplete", response={"id": response_id, "status": "incomplete", **details})
    error = {"code": end.code, "message": end.message}
    return _event("response.failed", response={"id": response_id, "status": "failed", "error": error})


def _completed(response_id: str, usage: Usage) -> bytes:
    return _event("response.completed", response={"id": response_id, "usage": usage.to_json()})


def _added(item: Json, index: int) -> bytes:
    return _event("response.output_item.added", output_index=index, item=item)


def _done(item: Json, index: int) -> bytes:
    return _event("response.output_item.done", output_index=index, item=item)


def _event(kind: str, /, **members: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()
