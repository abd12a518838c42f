"""The app-server's message grammar: which of four types a line is, and how messages are encoded.

Owns the JSON-RPC dialect of `codex app-server` (no `jsonrpc` member; protocol notes, section 1). Must never know
what a method means, keep state, or do I/O.

A message is classified by the *presence* of `method` and `id`, never by their truthiness: server request ids start
at 0 and have their own namespace.
"""

from __future__ import annotations

import json
import math
import re
from enum import Enum, auto
from typing import Any, TypeVar

_T = TypeVar("_T")

Message = dict[str, Any]
"""One decoded line: a JSON object as the app-server wrote it."""

UNSUPPORTED = -32601
"""The error code of our refusals. An error reply declines every server request that was tested (notes, section 6)."""

OVERLOADED = -32001
"""`Server overloaded; retry later.`: the ingress queue is full; identified by the code, never by `data`."""

_DECODER = json.JSONDecoder()
_WHITESPACE = " \t\r\n"


class MessageType(Enum):
    """The type of a message."""

    REQUEST = auto()
    NOTIFICATION = auto()
    RESPONSE = auto()
    INVALID = auto()


def parse_line(line: bytes) -> Message | None:
    """The message on a line, or None for anything that is not a JSON object in UTF-8."""
    try:
        text = line.decode().strip(_WHITESPACE)
        value, end = _DECODER.raw_decode(text)  # `json.loads` would also try UTF-16, and take 50 % longer
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and end == len(text) else None


def message_type(message: Message) -> MessageType:
    """Classify a message as request, notification or response."""
    if "method" in message:
        if not isinstance(message["method"], str):
            return MessageType.INVALID
        return MessageType.REQUEST if "id" in message else MessageType.NOTIFICATION
    return MessageType.RESPONSE if isinstance(message.get("id"), (str, int)) else MessageType.INVALID


def encode(message: Message) -> bytes:
    """One line, ready to send. Non-ASCII stays escaped, so no byte of a prompt can end the line early."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def request(request_id: int, method: str, params: Message) -> Message:
    """A client request. `params` is always present: omitting it is refused for struct parameters."""
    return {"id": request_id, "method": method, "params": params}


def refusal(server_request: Message, reason: str) -> Message:
    """The reply that declines any server request, known or unknown, without granting anything."""
    return {"id": server_request["id"], "error": {"code": UNSUPPORTED, "message": reason}}


def objects_in(value: Any) -> list[Message]:
    """The JSON objects of an array; empty for anything else, so that a changed shape does not crash."""
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def text_in(value: Any) -> str:
    """The text of a JSON string; empty for anything else."""
    return value if isinstance(value, str) else ""


def text_or_none(value: Any) -> str | None:
    """The text of a JSON string; None for anything else."""
    return value if isinstance(value, str) else None


def nonempty_text(value: Any) -> str | None:
    """The text of a non-empty JSON string; None for anything else."""
    return value if isinstance(value, str) and value else None


def finite_number(value: Any) -> float | None:
    """A JSON number; None for anything else, booleans and infinities too."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None


def at(value: Any, path: str, kind: type[_T]) -> _T | None:
    """The value at a path of member names (`turn.id`) in a JSON value; a changed shape does not crash.

    Returns:
        None if it is missing or of another type.
    """
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, kind) else None


def object_at(value: Any, path: str) -> Message:
    """The JSON object at such a path; an empty one if there is none."""
    return at(value, path, dict) or {}


def params_of(message: Message) -> Message:
    """The message's parameters, like `object_at` but faster: called for each of a hundred thousand deltas."""
    params = message.get("params")
    return params if isinstance(params, dict) else {}


def readable_message(error: Message) -> str:
    """A wire error in one readable line: for a raw JSON body its inner message."""
    text = str(error.get("message") or "Codex gave no message")
    if text.startswith("{"):
        inner = re.search(r'"message":\s*"((?:[^"\\]|\\.)*)"', text)
        text = inner.group(1) if inner else text
    details = text_in(error.get("additionalDetails"))
    if details and details not in text:
        text = f"{text} ({details})"
    return " ".join(text.split())
