"""A chat completion's answer in a test: a request, messages of a turn, recordings of real ones, what a run gives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from codex_server_cli.core.openai.answer.content import Content
from codex_server_cli.core.openai.answer.outputs import Cited, Failed, Finish, Interrupt, Output, Text, Thought
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.core.openai.wire_errors import AccountLimits
from tests.kit.cases import in_full
from tests.kit.dialogue import Json, notification, turn_notification

CAPTURES = Path(__file__).parent.parent / "core" / "openai" / "captures"
"""A line is `{"codex", "t_ms", "msg"}`: what both codex versions sent from `thread/inject_items` on, less what is no
chat's business (`thread/started`, MCP servers, remote control, replies)."""
VERSIONS = ("0.163.0", "0.171.0")
each_version = pytest.mark.parametrize("version", [in_full(VERSIONS[0]), VERSIONS[1]])
NOW_S = 1_796_024_000.0
"""About when they were recorded."""
TOOLS = tuple(
    {"name": name, "description": "", "inputSchema": {"type": "object"}} for name in ("get_weather", "get_time")
)


def chat_request(**terms: Any) -> ChatRequest:
    """A streamed request with two tools, which wants summaries."""
    given: dict[str, Any] = {"model": None, "effort": None, "items": (), "needs_raw_items": True, "tools": TOOLS}
    return ChatRequest(**{**given, "is_stream": True, "summary": "auto", **terms})


def chat_run(request: ChatRequest, **more: Any) -> ChatRun:
    """A run that answers it."""
    return ChatRun(request, Content(request), **{"now_s": NOW_S, **more})


def content_in(run: ChatRun) -> Content:
    """What it has collected."""
    assert isinstance(run.content, Content)
    return run.content


class Recorded(NamedTuple):
    """A message, and when it came."""

    message: Json
    at_s: float


@cache
def recorded(name: str, version: str) -> Sequence[Recorded]:
    """What one codex sent in one case."""
    lines = [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_bytes().split(b"\n") if line]
    return tuple(Recorded(each["msg"], NOW_S + each["t_ms"] / 1000) for each in lines if each["codex"] == version)


def replay(run: ChatRun, messages: Iterable[Recorded]) -> list[Output]:
    """Feed a run; all that it gave."""
    return [output for each in messages for output in run.feed(each.message, each.at_s)]


def raw_item(type_: str, **item: Any) -> Json:
    """`rawResponseItem/completed`."""
    return notification("rawResponseItem/completed", item={"type": type_, **item})


def raw_call(call_id: str, name: str = "get_weather", arguments: str = "{}", namespace: str | None = "client") -> Json:
    """The raw item of a call."""
    return raw_item("function_call", call_id=call_id, name=name, arguments=arguments, namespace=namespace)


def tool_call(call_id: str) -> Json:
    """The request for a call's result."""
    return {"id": 0, **notification("item/tool/call", callId=call_id)}


WIRE_USAGE = {
    "totalTokens": 120,
    "inputTokens": 100,
    "cachedInputTokens": 40,
    "outputTokens": 20,
    "reasoningOutputTokens": 5,
}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
"""The same in OpenAI's words."""


def response_completed(id_: str | None = "resp-1", usage: Json | None = WIRE_USAGE) -> Json:
    """`rawResponse/completed`."""
    return notification("rawResponse/completed", responseId=id_, usage=usage)


def failed_turn(message: str, info: Any = "other") -> Json:
    """`turn/completed` of a turn that failed."""
    return turn_notification("turn/completed", status="failed", error={"message": message, "codexErrorInfo": info})


class ChatDialogue:
    """A run, fed by hand, and all that it gave.

    Attributes:
        outputs: in order.
        limits: the account's.
    """

    def __init__(self, *, turn_id: str | None = None, **terms: Any) -> None:
        self.limits = AccountLimits()
        self.run = chat_run(chat_request(**terms), turn_id=turn_id, limits=self.limits)
        self.outputs: list[Output] = []

    def receive(self, *messages: Json, at_s: float = 0.0) -> ChatDialogue:
        """These messages come, so many seconds after the beginning."""
        for message in messages:
            self.outputs += self.run.feed(message, NOW_S + at_s)
        return self

    def tick(self, at_s: float) -> ChatDialogue:
        """Nothing has come until then."""
        self.outputs += self.run.tick(NOW_S + at_s)
        return self

    @property
    def due_s(self) -> float | None:
        """When it wants to be woken, in seconds after the beginning."""
        return None if self.run.wakeup_s is None else self.run.wakeup_s - NOW_S

    @property
    def texts(self) -> list[str]:
        """The pieces of content."""
        return [each.text for each in self.outputs if isinstance(each, Text)]

    @property
    def thoughts(self) -> list[str]:
        """The pieces of `reasoning_content`."""
        return [each.text for each in self.outputs if isinstance(each, Thought)]

    @property
    def end(self) -> str | tuple[int, str | None] | None:
        """The finish reason; status and code of the error; None while there is neither."""
        return end_of(self.outputs)

    @property
    def is_interrupted(self) -> bool:
        """Whether the turn is to be interrupted."""
        return Interrupt() in self.outputs


def end_of(outputs: list[Output]) -> str | tuple[int, str | None] | None:
    """The same of any outputs; the last of them says it."""
    match outputs[-1:]:
        case [Finish(reason, _)]:
            return reason
        case [Failed(error)]:
            return error.status, error.code
    return None


def comparable(outputs: list[Output]) -> list[Any]:
    """The outputs, with the values of an error in its place."""
    return [(each.error.status, each.error.message) if isinstance(each, Failed) else each for each in outputs]


def content_of(outputs: list[Output]) -> str:
    """The content that a client of the stream has put together."""
    return "".join(each.text for each in outputs if isinstance(each, Text))


def citations_of(outputs: list[Output]) -> list[Json]:
    """The annotations that it has got."""
    return [annotation for each in outputs if isinstance(each, Cited) for annotation in each.annotations]
