"""The server's requests that clients of `/stream` have to answer. Owns the ids by which they do, with `POST /rpc`."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.gateway.upstream.connection import UpstreamConnection

_BETWEEN = "."


class ServerRequests:
    """What waits for an answer, by an id that nobody can guess who was not sent it."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[UpstreamConnection, Any]] = {}
        self._attended: dict[str, set[str]] = {}

    def attend(self, stream_id: str, turn_id: str) -> None:
        """A stream takes the requests of a turn."""
        self._attended.setdefault(stream_id, set()).add(turn_id)

    def is_attended(self, turn_id: str) -> bool:
        """Whether some stream does."""
        return any(turn_id in turns for turns in self._attended.values())

    def add(self, stream_id: str, connection: UpstreamConnection, request_id: Any) -> str:
        """One that has come; returns the id for the client. The app-server's own ids are small numbers."""
        handle = f"{stream_id}{_BETWEEN}r{request_id}"
        self._waiting[handle] = connection, request_id
        return handle

    async def answer(self, reply: Message) -> bool:
        """Pass on a client's reply; whether it was waited for.

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
        """The app-server's word that one is answered or was withdrawn, as the stream's client knows it."""
        params = rpc.params_of(notification)
        handle = f"{stream_id}{_BETWEEN}r{params.get('requestId')}"
        self._waiting.pop(handle, None)
        return {**notification, "params": {**params, "requestId": handle}}

    def forget(self, stream_id: str) -> None:
        """A stream has ended: so have its turns, or they are being interrupted."""
        self._attended.pop(stream_id, None)
        for handle in [each for each in self._waiting if each.startswith(f"{stream_id}{_BETWEEN}")]:
            del self._waiting[handle]
