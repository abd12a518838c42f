"""The checks of `serve --selftest`: their requests, and the expected answers. No I/O, no clock.

Each check is a generator: it yields requests one at a time, is sent the replies, and returns the text to show. It
raises `WrongAnswer` if a reply is not what a client needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.openai.selftest.probe import (
    Probe,
    ProbeReply,
    json_or_none,
    message_of,
    need,
    quoted,
    response_text_of,
    text_of,
    usage_of,
)
from codex_server_cli.core.protocol.rpc import at, objects_in, text_in

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
COST = "the self-test makes 8 or 9 requests to the model that is logged in, some 20 000 tokens in all"
"""Shown before the run. Codex adds some tokens to each request."""
_SHELVES = 120
"""Lines of a made-up list: the service caches prompts from 1 024 tokens."""
_PONG: list[dict[str, Any]] = [{"role": "user", "content": "Answer with the one word: pong"}]
_CODE = "4711"
_ROOM = "blue"
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up_code",
        "description": "Tells the code of a room.",
        "parameters": {
            "type": "object",
            "properties": {"room": {"type": "string"}},
            "required": ["room"],
            "additionalProperties": False,
        },
    },
}
_FIELDS: Mapping[str, type] = {"city": str, "population": int}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
    "required": list(_FIELDS),
    "additionalProperties": False,
}


class CheckContext(NamedTuple):
    """The settings that all checks of one run share.

    Attributes:
        model: the model of each request; None for the default one.
        mark: a text unique to this run, so that the cache of an earlier run does not count.
    """

    model: str | None
    mark: str

    def chat(self, messages: Sequence[dict[str, Any]], **more: Any) -> Probe:
        """A chat completion."""
        named = {"model": self.model} if self.model is not None else {}
        return Probe(CHAT, {**named, "messages": list(messages), **more})


Check = Generator[Probe, ProbeReply, str]


def plain_chat(context: CheckContext) -> Check:
    """A chat without a stream."""
    return text_of((yield context.chat(_PONG)), "pong")


def streamed_chat(context: CheckContext) -> Check:
    """A stream: with text before its end, one finish reason, and its usage."""
    reply = yield context.chat(_PONG, stream=True, stream_options={"include_usage": True})
    text = text_of(reply, "pong")
    need(at(reply.document, "usage.total_tokens", int) is not None, "the stream had no chunk with the usage")
    return text


def tool_call(context: CheckContext) -> Check:
    """A call of a client's tool; its result must continue the waiting turn."""
    question = f"Which code has the room '{_ROOM}'? Call look_up_code, then answer with the code alone."
    messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
    reply = yield context.chat(messages, tools=[_TOOL])
    message, reason = message_of(reply)
    calls = objects_in(message.get("tool_calls"))
    need(bool(calls), f"the model called no tool, it said {quoted(text_in(message.get('content')))}")
    need(reason == "tool_calls", f"the finish reason is {reason!r} in place of 'tool_calls'")
    for call in calls:
        name, given = at(call, "function.name", str), at(call, "function.arguments", str)
        wanted = {"room": _ROOM}
        need(
            name == "look_up_code" and json_or_none(given) == wanted,
            f"the call is {name}({given}) in place of look_up_code({json.dumps(wanted)})",
        )
    results = [{"role": "tool", "tool_call_id": call.get("id"), "content": _CODE} for call in calls]
    reply = yield context.chat([*messages, message, *results], tools=[_TOOL])
    text = text_of(reply, _CODE)
    _need_thread(reply, "held", "the turn was not held open for the result, the conversation had to be sent anew")
    return text


def json_schema(context: CheckContext) -> Check:
    """An answer that must match a schema."""
    question = "Name the capital of Norway, and about how many people live there."
    form = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": _SCHEMA}}
    text = text_of((yield context.chat([{"role": "user", "content": question}], response_format=form)))
    found = json_or_none(text)
    is_valid = isinstance(found, dict) and {name: type(value) for name, value in found.items()} == _FIELDS
    need(is_valid, f"the answer does not match the schema: {quoted(text)}")
    return text


def second_turn(context: CheckContext) -> Check:
    """Two turns of one conversation: the second one continues the thread, and its prompt is cached.

    The service's cache may need a moment: after a cache miss there is a third turn.
    """
    shelves = "\n".join(f"Shelf {number} holds {number * 7} boxes." for number in range(1, _SHELVES))
    messages: list[dict[str, Any]] = [{"role": "system", "content": f"Stock list {context.mark}\n{shelves}"}]
    messages.append({"role": "user", "content": "How many boxes does shelf 12 hold? Answer with the number alone."})
    text = text_of((yield context.chat(messages)), "84")
    cached = 0
    for shelf in (20, 30):
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": f"And shelf {shelf}?"}]
        reply = yield context.chat(messages)
        text = text_of(reply, str(shelf * 7))
        _need_thread(reply, "kept", "the next turn did not continue the thread of the one before")
        usage = usage_of(reply.document)
        need(usage is not None, "there is no usage, so the number of cached tokens is unknown")
        cached = (usage or {})["cached_tokens"]
        if cached:
            break
    need(cached > 0, "the prompt cache was missed twice: of no turn before was anything cached, each costs in full")
    return text


def response(context: CheckContext) -> Check:
    """A response, in the API that OpenAI's own agents use."""
    named = {"model": context.model} if context.model is not None else {}
    reply = yield Probe(RESPONSES, {**named, "input": _PONG, "store": False})
    return response_text_of(reply, "pong")


CHECKS: Mapping[str, Callable[[CheckContext], Check]] = {
    "chat": plain_chat,
    "streamed chat": streamed_chat,
    "tool call": tool_call,
    "json schema": json_schema,
    "second turn": second_turn,
    "response": response,
}
"""By displayed name, in order."""


def _need_thread(reply: ProbeReply, wanted: str, words: str) -> None:
    need(reply.thread in (wanted, None), f"{words} (its thread was {reply.thread})")
