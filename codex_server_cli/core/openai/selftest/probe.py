"""A request of the self-test, its reply, and the content of that: text, tokens, error. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.protocol.rpc import at, objects_in, text_in

_MOST_SHOWN = 60


class Probe(NamedTuple):
    """One request.

    Attributes:
        path: of the URL.
        body: a JSON object; if it has `stream`, the answer is a stream.
    """

    path: str
    body: dict[str, Any]


class ProbeReply(NamedTuple):
    """The reply to a probe.

    Attributes:
        status: of HTTP.
        document: the JSON value of the body; for a stream the result of `joined`.
        ms: milliseconds to the last byte.
        first_ms: milliseconds to the first text of a stream; None for others.
        request_id: the header `x-request-id`.
        thread: how the previous request's thread was used, `Opened.way`; None if unknown.
    """

    status: int
    document: Any
    ms: int = 0
    first_ms: int | None = None
    request_id: str | None = None
    thread: str | None = None


class WrongAnswer(Exception):
    """The answer is not what a client needs; the exception's text is the reason."""


def joined(chunks: Sequence[Any]) -> Any:
    """The chunks of a stream as one completion; several finish reasons are joined, which no check accepts.

    Args:
        chunks: the JSON values of its events; an error event becomes an error document.
    """
    for chunk in chunks:
        if at(chunk, "error", dict) is not None:
            return chunk
    choices = [choice for chunk in chunks for choice in objects_in(at(chunk, "choices", list))]
    reasons = [reason for choice in choices if (reason := at(choice, "finish_reason", str)) is not None]
    text = "".join(at(choice, "delta.content", str) or "" for choice in choices)
    usages = [usage for chunk in chunks if (usage := at(chunk, "usage", dict)) is not None]
    message = {"message": {"role": "assistant", "content": text}, "finish_reason": " ".join(reasons) or None}
    model = next((at(chunk, "model", str) for chunk in chunks), None)
    return {"model": model, "choices": [message], **({"usage": usages[-1]} if usages else {})}


def usage_of(document: Any) -> dict[str, int] | None:
    """The tokens of an answer of either API: `prompt_tokens`, `cached_tokens` among these, and `completion_tokens`."""
    for prompt, completion in (("prompt", "completion"), ("input", "output")):
        counts = at(document, f"usage.{prompt}_tokens", int), at(document, f"usage.{completion}_tokens", int)
        cached = at(document, f"usage.{prompt}_tokens_details.cached_tokens", int) or 0
        if counts[0] is not None and counts[1] is not None:
            return {"prompt_tokens": counts[0], "cached_tokens": cached, "completion_tokens": counts[1]}
    return None


def tokens_text(usage: Mapping[str, int]) -> str:
    """Tokens in words; empty for none."""
    if not usage:
        return ""
    cached = f" ({usage['cached_tokens']} cached)"
    return f"{usage['prompt_tokens']} tokens in{cached}, {usage['completion_tokens']} out"


def message_of(reply: ProbeReply) -> tuple[dict[str, Any], str | None]:
    """The message of a completion, and its finish reason; raises `WrongAnswer` if there is none."""
    _check_status(reply)
    choices = objects_in(at(reply.document, "choices", list))
    message = at(choices[0], "message", dict) if choices else None
    if message is None:
        raise WrongAnswer("the answer is no chat completion")
    return message, at(choices[0], "finish_reason", str)


def text_of(reply: ProbeReply, wanted: str = "") -> str:
    """The text of a completion that stopped normally and contains `wanted`; raises `WrongAnswer`."""
    message, reason = message_of(reply)
    need(reason == "stop", f"the finish reason is {reason!r} in place of 'stop'")
    return _with(wanted, text_in(message.get("content")))


def response_text_of(reply: ProbeReply, wanted: str) -> str:
    """The text of a completed response that contains `wanted`; raises `WrongAnswer`."""
    _check_status(reply)
    items = objects_in(at(reply.document, "output", list))
    parts = [part for item in items for part in objects_in(item.get("content"))]
    status = at(reply.document, "status", str)
    need(status == "completed", f"the status is {status!r} in place of 'completed'")
    return _with(wanted, "".join(text_in(part.get("text")) for part in parts))


def _check_status(reply: ProbeReply) -> None:
    if reply.status != 200 or at(reply.document, "error", dict) is not None:
        words = at(reply.document, "error.message", str) or "the answer is no JSON error"
        raise WrongAnswer(" ".join(filter(None, [words, at(reply.document, "error.hint", str)])))


def _with(wanted: str, text: str) -> str:
    """The text, if it contains `wanted`, ignoring case, commas and spaces; raises `WrongAnswer`."""
    need(bool(text.strip()), "the answer is empty")
    plain = text.casefold().replace(",", "").replace(" ", "")
    need(wanted in plain, f"the answer should have {quoted(wanted)} in it: {quoted(text)}")
    return text


def need(is_so: bool, words: str) -> None:
    """Raise `WrongAnswer` with these words if the condition is false."""
    if not is_so:
        raise WrongAnswer(words)


def json_or_none(text: str | None) -> Any:
    """The JSON value of a text; None if it is not JSON."""
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None


def quoted(text: str) -> str:
    """A text on one line, truncated."""
    line = " ".join(text.split())
    return json.dumps(line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…", ensure_ascii=False)
