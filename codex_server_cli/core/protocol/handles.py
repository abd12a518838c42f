"""Names that a client chooses for what it has running: a process, a watch, a search. Owns which parameters those are.

An app-server keeps them by connection. Clients that share one would meet each other's, so each client's carry its name
there. Must never know which clients there are.
"""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message, object_at, text_or_none

_BETWEEN = ":"
"""What no client's name contains."""

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
    """The parameter that is a handle, and its value; None where the request has none.

    Args:
        request: a client's.
    """
    return _found(request, _HANDLES)


def marked(request: Message, client: str) -> Message:
    """A client's request with its handle carrying the client's name."""
    found = handle_in(request)
    if found is None:
        return request
    name, handle = found
    return {**request, "params": {**request["params"], name: f"{client}{_BETWEEN}{handle}"}}


def unmarked(notification: Message) -> tuple[str, str, Message] | None:
    """Whose handle a notification is about, which one, and the notification as that client knows it.

    Returns:
        None for one that is about no handle of a client.
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
