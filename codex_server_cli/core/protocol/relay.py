"""A client's messages to an app-server and back, one per line. Owns the replies sent in the server's place, and which
requests are unanswered; must never do the I/O.

The app-server silently drops what it cannot parse: a client would wait forever. So such messages are refused here.
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.jsonl import MAX_LINE_BYTES, LineDecoder

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
_NOTIFICATION = b'{"method"'
"""The beginning of the app-server's notifications: they need no parsing, and there may be thousands in a second."""


class Relayed(NamedTuple):
    """The result of a client's bytes: whole lines for each side."""

    to_server: bytes
    to_client: bytes


class Relay:
    """The state of one client's connection.

    Args:
        most_bytes: the longest message that the server accepts; it closes the connection at a longer one.
    """

    def __init__(self, most_bytes: int = MAX_LINE_BYTES) -> None:
        self._from_client = LineDecoder()
        self._from_server = LineDecoder()
        self._most_bytes = most_bytes
        self._unanswered: set[str | int] = set()

    @property
    def unanswered(self) -> int:
        """How many requests of the client have no reply yet."""
        return len(self._unanswered)

    def feed(self, data: bytes) -> Relayed:
        """Take bytes from the client."""
        dropped = self._from_client.dropped_lines
        lines = self._from_client.feed(data)
        too_long = [_refusal(INVALID_REQUEST, "this line is too long")] * (self._from_client.dropped_lines - dropped)
        return self._relayed(lines, b"".join(too_long))

    def end(self) -> Relayed:
        """EOF from the client: its last line may lack a newline."""
        rest = self._from_client.flush()
        return self._relayed([rest] if rest is not None else [], b"")

    def feed_back(self, data: bytes) -> bytes:
        """Take bytes from the server; returns the whole lines for the client."""
        lines = self._from_server.feed(data)
        if self._unanswered:
            for line in lines:
                self._note_reply(line)
        return b"".join(line + b"\n" for line in lines)

    def _note_reply(self, line: bytes) -> None:
        if not line.startswith(_NOTIFICATION):
            message = rpc.parse_line(line)
            if message is not None and rpc.message_type(message) is rpc.MessageType.RESPONSE:
                self._unanswered.discard(message["id"])

    def _relayed(self, lines: list[bytes], refusals: bytes) -> Relayed:
        to_server = []
        for line in lines:
            refusal = self._refuse(line) if line.strip() else b""
            if refusal is None:
                to_server.append(line + b"\n")
            else:
                refusals += refusal
        return Relayed(b"".join(to_server), refusals)

    def _refuse(self, line: bytes) -> bytes | None:
        """The refusal of a line that the server would drop; None for one that it accepts, whose id is noted."""
        message = rpc.parse_line(line)
        if message is None:
            return _refusal(PARSE_ERROR, "this line is no JSON object: a message is one, on one line")
        kind, request_id = rpc.message_type(message), message.get("id")
        if len(line) > self._most_bytes:
            what = (
                f"this app-server takes {self._most_bytes >> 20} MiB at the most, and this line has {len(line)} bytes"
            )
            return _refusal(INVALID_REQUEST, what, request_id if kind is rpc.MessageType.REQUEST else None)
        if kind is rpc.MessageType.REQUEST and isinstance(request_id, str | int):
            self._unanswered.add(request_id)
        return None


def _refusal(code: int, text: str, request_id: object = None) -> bytes:
    return rpc.encode({"id": request_id, "error": {"code": code, "message": text}})
