"""The documents of a chat completion: the chunks of a stream, the whole answer, the error. Owns their shape.

Every chunk has `id`, `object`, `created`, `model` and `choices`; the choices are empty only in the usage chunk, which
is sent only on request, after the finish reason (clients fail otherwise).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.openai.answer.content import Content
from codex_server_cli.core.openai.answer.outputs import Calls, Cited, Failed, Finish, Interrupt, Output, Text, Thought
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.openai.tools import ClientCall

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"
"""The end of every stream, including a failed one."""


class ChatHead(NamedTuple):
    """The members that all documents of one answer share.

    Attributes:
        id: `chatcmpl-…`.
        created: Unix seconds.
        model: as the client named it.
    """

    id: str
    created: int
    model: str


def chunk(head: ChatHead, delta: Json, finish: str | None = None) -> Json:
    """A chunk with one choice."""
    return _chunk(head, [{"index": 0, "delta": delta, "finish_reason": finish}])


def usage_chunk(head: ChatHead, usage: Json) -> Json:
    """The chunk of the usage."""
    return {**_chunk(head, []), "usage": usage}


def _chunk(head: ChatHead, choices: list[Json]) -> Json:
    return {
        "id": head.id,
        "object": "chat.completion.chunk",
        "created": head.created,
        "model": head.model,
        "choices": choices,
    }


def error_document(error: ApiError) -> Json:
    """The body of an error answer, and the data of an error event."""
    return {"error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}}


def completion(head: ChatHead, content: Content, run: ChatRun) -> Json:
    """The whole answer, of a run that has finished."""
    finish = run.finish or Finish("stop", None)
    message: Json = {"role": "assistant", "content": content.text or (None if run.calls else ""), "refusal": None}
    if content.thoughts.text:
        message["reasoning_content"] = content.thoughts.text
    if content.annotations:
        message["annotations"] = content.annotations
    message |= _call_members(run.calls, is_function=finish.reason == "function_call")
    document: Json = {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish.reason}],
    }
    return document if finish.usage is None else {**document, "usage": finish.usage}


def _call_members(calls: Sequence[ClientCall], *, is_function: bool) -> Json:
    if not calls:
        return {}
    if is_function:
        return {"function_call": _function(calls[0])}
    return {"tool_calls": [{"id": call.id, "type": "function", "function": _function(call)} for call in calls]}


def _function(call: ClientCall) -> Json:
    return {"name": call.name, "arguments": call.arguments}


class ChunkWriter:
    """Writes the outputs of a run as a stream of server-sent events.

    Args:
        head: the members that all chunks share.
        request: the request to answer.
    """

    def __init__(self, head: ChatHead, request: ChatRequest) -> None:
        self._head = head
        self._request = request
        self._is_begun = False

    def begin(self) -> bytes:
        """The beginning of the stream, once; empty afterwards."""
        if self._is_begun:
            return b""
        self._is_begun = True
        return self._line(chunk(self._head, {"role": "assistant", "content": ""}))

    def write(self, output: Output) -> bytes:
        """The bytes for one output; empty for one that the caller must act on, or of the other API."""
        match output:
            case Interrupt() | StreamEvent():
                return b""
            case Failed(error):
                return _event(error_document(error)) + DONE
            case Finish(reason, usage):
                end = self.begin() + self._line(chunk(self._head, {}, reason))
                is_told = self._request.has_usage_chunk and usage is not None
                return end + (_event(usage_chunk(self._head, usage or {})) if is_told else b"") + DONE
        return self.begin() + b"".join(self._line(chunk(self._head, delta)) for delta in self._deltas(output))

    def _deltas(self, output: Text | Thought | Cited | Calls) -> list[Json]:
        match output:
            case Text(text):
                return [{"content": text}]
            case Thought(text):
                return [{"reasoning_content": text}]
            case Cited(annotations):
                return [{"annotations": list(annotations)}]
        if self._request.uses_functions:
            return [_call_members(output.calls, is_function=True)]
        return [
            {"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": _function(call)}]}
            for index, call in enumerate(output.calls)
        ]

    def _line(self, document: Json) -> bytes:
        return _event({**document, "usage": None} if self._request.has_usage_chunk else document)


def _event(document: Json) -> bytes:
    """In ASCII, so that no character can be split, and a lone surrogate from a model can be sent."""
    return f"data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()
