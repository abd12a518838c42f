"""Records what codex sends in each kind of chat answer, into `tests/core/openai/captures`, with every codex there is:

    python -m tests.kit.chat_recorder [NAME…]

To be run for a new version of codex, by hand: then look at what changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

from codex_server_cli.core.openai.thread_terms import thread_start, turn_start
from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import Failure, Usage
from codex_server_cli.demo.replies import (
    call,
    context_window,
    cut,
    cut_after,
    fail,
    hold,
    incomplete,
    overloaded,
    rate_limited,
    reason,
    reply,
    say,
    server_error,
    stream_failure,
    unauthorized,
    usage_limit,
)
from codex_server_cli.demo.scripted_model import Script, ScriptedModel
from tests.kit.chat import CAPTURES, chat_request
from tests.kit.support import Json, StdioAppServer, codex_binaries

MODEL = "gpt-6.1-sol"
"""In the catalogue of both versions; the scripted model answers for it."""
_RESULT = {"contentItems": [{"type": "inputText", "text": "rain"}], "success": True}
_ANSWER_AFTER_S = 0.3
"""A client takes its time, and so the response of the model is complete first."""
_LEFT_OUT = ("thread/started", "thread/status/changed", "thread/settings/updated", "mcpServer/", "remoteControl/")


_USAGE = Usage().to_json()


class AnswerKind(NamedTuple):
    """One kind of answer.

    Attributes:
        script: the model's replies.
        retries: how often Codex tries again: a request, a stream.
        is_interrupted: at the first delta.
        terms: of the request, where they differ.
        history: items in front of the question.
    """

    script: Script
    retries: tuple[int, int] = (0, 0)
    is_interrupted: bool = False
    terms: Mapping[str, Any] = {}
    history: tuple[Json, ...] = ()


def _user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _message(text: str, *annotations: Json) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": [*annotations]}]
    return {"type": "message", "role": "assistant", "id": "msg_1", "phase": "final_answer", "content": content}


def _output(event: str, item: Json) -> Json:
    return {"type": f"response.output_item.{event}", "output_index": 0, "item": item}


def _client_call(name: str, city: str, id_: str) -> Any:
    return call(name, {"city": city}, call_id=id_, namespace="client")


def _verbatim(*events: Json, usage: Json | None = _USAGE) -> Failure:
    """A response of these events, for which the scripted model has no words."""
    completed = {"type": "response.completed", "response": {"id": "resp_1", "usage": usage}}
    all_events = [{"type": "response.created", "response": {"id": "resp_1"}}, *events, completed]
    body = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in all_events)
    return fail(200, body, {"Content-Type": "text/event-stream"})


def _spoken(*deltas: str, done: Json) -> list[Json]:
    """The events of a message, all of it but its last item empty."""
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    said = [{"type": "response.output_text.delta", **at, "delta": text} for text in deltas]
    return [_output("added", {**_message(""), "content": []}), *said, _output("done", done)]


def _encrypted_reasoning(*parts: str) -> list[Json]:
    item = {"type": "reasoning", "id": "rs_1"}
    events = [_output("added", {**item, "summary": []})]
    for index, text in enumerate(parts):
        at = {"item_id": "rs_1", "output_index": 0, "summary_index": index}
        part = {"type": "summary_text", "text": ""}
        events.append({"type": "response.reasoning_summary_part.added", **at, "part": part})
        events.append({"type": "response.reasoning_summary_text.delta", **at, "delta": text})
    summary = [{"type": "summary_text", "text": text} for text in parts]
    return [*events, _output("done", {**item, "summary": summary, "encrypted_content": "c2VjcmV0"})]


_CITATION = {"type": "url_citation", "start_index": 4, "end_index": 5, "url": "https://example.com", "title": "x"}
_TWO_CALLS = [
    reply(
        reason("look"),
        say("Let me see.", phase="commentary"),
        _client_call("get_weather", "Oslo", "call_1"),
        _client_call("get_time", "Rome", "call_2"),
    ),
    reply(say("Rain ", "in Oslo.")),
]
_LIMIT_HEADERS = {
    "x-codex-primary-used-percent": "100",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-at": "1796050000",
    "x-codex-secondary-used-percent": "41",
    "x-codex-secondary-window-minutes": "10080",
    "x-codex-secondary-reset-at": "1796500000",
}
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def _error(status: int, code: str, message: str, **more: str) -> Failure:
    return fail(status, {"error": {"type": code, "code": code, "message": message, **more}})


def kinds() -> dict[str, AnswerKind]:
    """All of them, by the name of their recording."""
    refused = {**_message(""), "content": [{"type": "refusal", "refusal": "I cannot"}]}
    bad_call = {"type": "function_call", "call_id": "call_b", "namespace": "client", "name": "get_weather"}
    limit = usage_limit(resets_at=1_796_050_000)
    first_call = _client_call("get_weather", "Oslo", "call_1")
    history = (
        _user("weather?"),
        {"type": "function_call", "call_id": "call_0", "namespace": "client", "name": "get_time", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_0", "output": "noon"},
    )
    return {
        "text": AnswerKind([reply(say("Hel", "lo ", "wörld 🙂"))]),
        "no_delta": AnswerKind([_verbatim(_output("done", _message("whole")))]),
        "two_messages": AnswerKind([reply(say("One."), say("Two."))]),
        "reasoning": AnswerKind(
            [_verbatim(*_encrypted_reasoning("one", "two"), *_spoken("Done.", done=_message("Done.")))]
        ),
        "commentary": AnswerKind([reply(say("I look.", phase="commentary"), say("Done."))]),
        "annotations": AnswerKind([_verbatim(*_spoken("See x.", done=_message("See x.", _CITATION)))]),
        "usage_null": AnswerKind([_verbatim(*_spoken("Hello", done=_message("Hello")), usage=None)]),
        "schema": AnswerKind(
            [reply(say("I think.", phase="commentary"), say('{"city":', '"Oslo"}'))], terms={"output_schema": _SCHEMA}
        ),
        "two_calls": AnswerKind(_TWO_CALLS),
        "call_after_history": AnswerKind(_TWO_CALLS, history=history),
        "foreign_call": AnswerKind(
            [reply(call("nonsense", {}, call_id="call_x", namespace="client")), reply(say("sorry"))]
        ),
        "bad_arguments": AnswerKind(
            [_verbatim(_output("done", {**bad_call, "arguments": '{"a": '})), reply(say("sorry"))]
        ),
        "call_then_cut": AnswerKind([reply(first_call, cut()), *_TWO_CALLS], retries=(0, 2)),
        "call_then_max": AnswerKind([reply(first_call, incomplete("max_output_tokens"))], retries=(0, 2)),
        "refusal": AnswerKind([_verbatim(*_spoken(done=refused))]),
        "max_output": AnswerKind([reply(say("Long ", "text"), incomplete("max_output_tokens"))], retries=(0, 2)),
        "content_filter": AnswerKind([reply(say("Bad ", "text"), incomplete("content_filter"))], retries=(0, 2)),
        "cyber": AnswerKind([reply(stream_failure("cyber_policy", "This was flagged for cyber"))], retries=(0, 1)),
        "cyber_mid": AnswerKind(
            [reply(say("Hel", "lo"), stream_failure("cyber_policy", "This was flagged for cyber"))]
        ),
        "invalid_prompt": AnswerKind([reply(stream_failure("invalid_prompt", "Invalid prompt: it was flagged"))]),
        "interrupted": AnswerKind([reply(say("Hel", hold(Gate()), "lo"))], is_interrupted=True),
        "usage_limit": AnswerKind([Failure(limit.status, limit.body, _LIMIT_HEADERS)]),
        "insufficient_quota": AnswerKind([_error(429, "insufficient_quota", "You exceeded your current quota")]),
        "rate_limited": AnswerKind([rate_limited()]),
        "rate_failed": AnswerKind([reply(stream_failure("rate_limit_exceeded", "Slow down"))], retries=(1, 1)),
        "unauthorized": AnswerKind([unauthorized()], retries=(1, 2)),
        "model_404": AnswerKind(
            [_error(404, "model_not_found", "The model `x` does not exist or you have no access to it.")]
        ),
        "bad_request_detail": AnswerKind(
            [fail(400, {"detail": "The 'gpt-4o' model is not supported when using Codex with a ChatGPT account."})]
        ),
        "context_window": AnswerKind([reply(context_window())], retries=(0, 1)),
        "bad_schema": AnswerKind([_error(400, "invalid_json_schema", "Invalid schema", param="text.format.schema")]),
        "overloaded": AnswerKind([overloaded()], retries=(1, 1)),
        "server_error": AnswerKind([server_error()], retries=(1, 2)),
        "cut_before": AnswerKind([reply(cut())], retries=(1, 2)),
        "cut_behind_answer": AnswerKind([reply(say("Hel", "lo"), cut()), reply(say("Hello again"))], retries=(0, 1)),
        "cut_behind_message": AnswerKind(
            [reply(say("Hel", "lo", phase=None), cut()), reply(say("again", phase=None))], retries=(0, 1)
        ),
        "cut_mid": AnswerKind(
            [
                reply(cut_after("Hel", "lo", item_id="msg_c")),
                reply(say("Hel", "lo", " again", item_id="msg_c")),
            ],
            retries=(1, 2),
        ),
    }


# --- recording


class _Tape(list[Json]):
    """A list of an app-server's, which notes on a tape what is put into it, and when."""

    def __init__(self, tape: list[tuple[float, Json]]) -> None:
        super().__init__()
        self._tape = tape

    def append(self, message: Json) -> None:
        self._tape.append((time.monotonic(), message))
        super().append(message)


class _RecordedServer(StdioAppServer):
    """An app-server whose messages are kept in their order, and which gets the results of tools like from a client."""

    def __init__(self, codex: Path, codex_home: Path) -> None:
        self.tape: list[tuple[float, Json]] = []
        self.began = time.monotonic()
        super().__init__(codex, codex_home, answers={"item/tool/call": _RESULT})
        self.notifications, self.server_requests = _Tape(self.tape), _Tape(self.tape)

    def __enter__(self) -> _RecordedServer:
        super().__enter__()
        return self

    def _answer(self, message: Json) -> None:
        Timer(_ANSWER_AFTER_S, super()._answer, [message]).start()


def record(kind: AnswerKind, codex: Path, label: str) -> list[str]:
    """The lines of one recording with one codex."""
    with tempfile.TemporaryDirectory() as folder, ScriptedModel(kind.script) as model:
        home, cwd = Path(folder, "home"), Path(folder, "empty")
        cwd.mkdir()
        request_retries, stream_retries = kind.retries
        write_custom_provider(
            home, model.base_url, model=MODEL, request_max_retries=request_retries, stream_max_retries=stream_retries
        )
        with _RecordedServer(codex, home) as server:
            request = chat_request(model=MODEL, **kind.terms)
            terms = thread_start(request, cwd=str(cwd), instructions="client")
            thread = server.request("thread/start", terms)["thread"]["id"]
            server.request("thread/inject_items", {"threadId": thread, "items": [*kind.history, _user("hello")]})
            turn = server.request("turn/start", turn_start(request, thread))["turn"]["id"]
            if kind.is_interrupted:
                server.wait_for("item/agentMessage/delta")
                server.request("turn/interrupt", {"threadId": thread, "turnId": turn})
            server.wait_for("turn/completed")
            return [_line(label, at_s - server.began, each) for at_s, each in server.tape if not _is_left_out(each)]


def _is_left_out(message: Json) -> bool:
    return str(message["method"]).startswith(_LEFT_OUT)


def _line(label: str, at_s: float, message: Json) -> str:
    item = message["params"].get("item") or {}
    if item.get("type") == "additional_tools":
        item["tools"] = []  # 5 kB of descriptions of Codex's own
    line = {"codex": label, "t_ms": round(at_s * 1000), "msg": message}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _version(codex: Path) -> str:
    return subprocess.run([codex, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]


if __name__ == "__main__":
    binaries = sorted((_version(path), path) for _, path in codex_binaries())
    for name in sys.argv[1:] or kinds():  # made anew each time: a gate stays open
        lines = [line for label, codex in binaries for line in record(kinds()[name], codex, label)]
        (CAPTURES / f"{name}.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
