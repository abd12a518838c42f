"""Server requests that clients of `/stream` answer with `POST /rpc`. Owns the ids that they use for it."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.gateway.upstream.connection import UpstreamConnection

_BETWEEN = "."


class ServerRequests:
    """Pending server requests, by an unguessable id."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[UpstreamConnection, Any]] = {}
        self._attended: dict[str, set[str]] = {}

    def attend(self, stream_id: str, turn_id: str) -> None:
        """A stream handles the requests of a turn from now on."""
        self._attended.setdefault(stream_id, set()).add(turn_id)

    def is_attended(self, turn_id: str) -> bool:
        """Whether a stream handles a turn's requests."""
        return any(turn_id in turns for turns in self._attended.values())

    def add(self, stream_id: str, connection: UpstreamConnection, request_id: Any) -> str:
        """Add a request; returns its id for the client. The app-server's own ids are small numbers."""
        handle = f"{stream_id}{_BETWEEN}r{request_id}"
        self._waiting[handle] = connection, request_id
        return handle

    async def answer(self, reply: Message) -> bool:
        """Forward a client's reply; false if no request waits for it.

        Raises:
            UpstreamGone: the connection was lost.
        """
        found = self._waiting.pop(str(reply.get("id")), None)
        if found is None:
            return False
        connection, request_id = found
        if isinstance(reply.get("result"), dict):
            await connection.reply(request_id, reply["result"])
        else:
            message = rpc.at(reply, "error.message", str) or "the client declined"
            await connection.refuse(request_id, message)
        return True

    def resolved(self, stream_id: str, notification: Message) -> Message:
        """The notification that a request is answered or withdrawn, with the id that the stream's client knows."""
        params = rpc.params_of(notification)
        handle = f"{stream_id}{_BETWEEN}r{params.get('requestId')}"
        self._waiting.pop(handle, None)
        return {**notification, "params": {**params, "requestId": handle}}

    def forget(self, stream_id: str) -> None:
        """A stream has ended: its turns have too, or are being interrupted."""
        self._attended.pop(stream_id, None)
        for handle in [each for each in self._waiting if each.startswith(f"{stream_id}{_BETWEEN}")]:
            del self._waiting[handle]
