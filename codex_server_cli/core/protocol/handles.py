"""Handles: names that a client chooses for its processes, watches and searches. Owns which parameters those are.

An app-server scopes them by connection. Those of clients that share a connection could collide, so each handle is
prefixed with its client's name. Must never know which clients there are.
"""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message, object_at, text_or_none

_BETWEEN = ":"
"""The separator, which no client's name contains."""

_HANDLES = {
    **dict.fromkeys(
        ("command/exec", "command/exec/write", "command/exec/terminate", "command/exec/resize"), "processId"
    ),
    **dict.fromkeys(("process/spawn", "process/writeStdin", "process/kill", "process/resizePty"), "processHandle"),
    **dict.fromkeys(("fs/watch", "fs/unwatch"), "watchId"),
    "fuzzyFileSearch": "cancellationToken",
    **dict.fromkeys(
        ("fuzzyFileSearch/sessionStart", "fuzzyFileSearch/sessionUpdate", "fuzzyFileSearch/sessionStop"), "sessionId"
    ),
    **dict.fromkeys(("mcpServer/event/stream/start", "mcpServer/event/stream/stop"), "subscriptionId"),
}
_TOLD = {
    "command/exec/outputDelta": "processId",
    **dict.fromkeys(("process/outputDelta", "process/exited"), "processHandle"),
    "fs/changed": "watchId",
    **dict.fromkeys(("fuzzyFileSearch/sessionUpdated", "fuzzyFileSearch/sessionCompleted"), "sessionId"),
    "mcpServer/event/stream/notification": "subscriptionId",
}


def handle_in(request: Message) -> tuple[str, str] | None:
    """The parameter that is a handle, and its value; None if the request has none.

    Args:
        request: a client's.
    """
    return _found(request, _HANDLES)


def marked(request: Message, client: str) -> Message:
    """A client's request with its handle prefixed."""
    found = handle_in(request)
    if found is None:
        return request
    name, handle = found
    return {**request, "params": {**request["params"], name: f"{client}{_BETWEEN}{handle}"}}


def unmarked(notification: Message) -> tuple[str, str, Message] | None:
    """The client and the handle that a notification is about, and the notification without the prefix.

    Returns:
        None for one that is not about a client's handle.
    """
    found = _found(notification, _TOLD)
    if found is None:
        return None
    name, (client, between, handle) = found[0], found[1].partition(_BETWEEN)
    if not between:
        return None
    return client, handle, {**notification, "params": {**notification["params"], name: handle}}


def _found(message: Message, table: dict[str, str]) -> tuple[str, str] | None:
    name = table.get(str(message.get("method")))
    handle = text_or_none(object_at(message, "params").get(name)) if name is not None else None
    return (name, handle) if name is not None and handle is not None else None
