"""The app-server's message grammar: which of four things a line is, and how ours are written.

Owns the JSON-RPC dialect of `codex app-server` (no `jsonrpc` member; protocol notes, section 1). Must never know
what a method means, keep state, or do I/O.

A message is told apart by the *presence* of `method` and `id`, never by their truth: server request ids start
at 0 and are a name space of their own.
"""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import Any

Message = dict[str, Any]
"""One decoded line: a JSON object as the app-server wrote it."""

UNSUPPORTED = -32601
"""The code of our refusals. An error reply fails closed for every server request tested (notes, section 6)."""

OVERLOADED = -32001
"""`Server overloaded; retry later.`: the ingress queue is full; to be told by the code, never by `data`."""


class MessageType(Enum):
    """What one message is."""

    REQUEST = auto()
    NOTIFICATION = auto()
    RESPONSE = auto()
    INVALID = auto()


def parse_line(line: bytes) -> Message | None:
    """The message that a line holds, or None for anything that is not a JSON object in UTF-8."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def message_type(message: Message) -> MessageType:
    """Tell request, notification and response apart."""
    if "method" in message:
        return MessageType.REQUEST if "id" in message else MessageType.NOTIFICATION
    return MessageType.RESPONSE if "id" in message else MessageType.INVALID


def encode(message: Message) -> bytes:
    """One line, ready to send. Non-ASCII stays escaped, so no byte of a prompt can end the line early."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def request(request_id: int, method: str, params: Message) -> Message:
    """A client request. `params` is always present: omitting it is refused for struct parameters."""
    return {"id": request_id, "method": method, "params": params}


def refusal(server_request: Message, reason: str) -> Message:
    """The reply that declines any server request, known or unknown, without granting anything."""
    return {"id": server_request["id"], "error": {"code": UNSUPPORTED, "message": reason}}


def params_of(message: Message) -> Message:
    """The message's parameters; an empty object where they are absent, null or not an object."""
    params = message.get("params")
    return params if isinstance(params, dict) else {}
