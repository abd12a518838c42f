"""Messages over one link: requests and their replies, and unsolicited ones. Owns the waiting; sends nothing unasked.

With one exception: a request of a server that we spawned is declined, because it would block that server. On a shared
or foreign server, other clients answer it.
"""

from __future__ import annotations

import select
import time
from collections import deque

from codex_server_cli.codex.transport.base import Link
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.query import Ask

_LONGEST_SLEEP_S = 3600.0


class SilenceError(Exception):
    """No message came.

    Args:
        is_end: the stream ended; else the timeout passed.
    """

    def __init__(self, *, is_end: bool) -> None:
        super().__init__()
        self.is_end = is_end


class RpcChannel:
    """Requests and replies over an open link.

    Attributes:
        unsolicited: the notifications, and requests of the server, that were not consumed yet.
    """

    def __init__(self, link: Link, most_unsolicited: int | None) -> None:
        """Use a link.

        Args:
            most_unsolicited: how many of `unsolicited` are kept; None keeps all.
        """
        self.unsolicited: deque[rpc.Message] = deque(maxlen=most_unsolicited)
        self._link = link
        self._decoder = LineDecoder()
        self._next_id = 1

    def request(self, ask: Ask, deadline: float) -> rpc.Message:
        """Make a request and return its whole reply.

        Raises:
            SilenceError, BrokenPipeError: no reply comes.
        """
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._link.send(rpc.encode(rpc.request(request_id, *ask)))
        reply: rpc.Message | None = None
        while reply is None:
            for message in self.read(deadline):
                if rpc.message_type(message) is rpc.MessageType.RESPONSE and message["id"] == request_id:
                    reply = message
        if ask[0] == "initialize":
            self._link.send(rpc.encode({"method": "initialized"}))
        return reply

    def read(self, deadline: float) -> list[rpc.Message]:
        """The next messages; unsolicited ones are also kept in `unsolicited`.

        Raises:
            SilenceError, BrokenPipeError: none will come, or none in time.
        """
        rest_s = deadline - time.monotonic()
        if rest_s <= 0:
            raise SilenceError(is_end=False)
        due_s = self._link.tick()
        rest_s = min(rest_s, _LONGEST_SLEEP_S if due_s is None else due_s)
        unsent_fd = self._link.write_fd()
        ready = select.select(self._link.fds(), [] if unsent_fd is None else [unsent_fd], [], rest_s)[0]
        self._link.send(b"")
        pieces = [self._link.read(fd) for fd in ready]
        data = b"".join(piece for piece in pieces if piece is not None)
        if None in pieces and not data:
            raise SilenceError(is_end=True)
        messages = [message for line in self._decoder.feed(data) if (message := rpc.parse_line(line)) is not None]
        for message in messages:
            self._keep(message)
        return messages

    def _keep(self, message: rpc.Message) -> None:
        kind = rpc.message_type(message)
        if kind in (rpc.MessageType.NOTIFICATION, rpc.MessageType.REQUEST):
            self.unsolicited.append(message)
        if kind is rpc.MessageType.REQUEST and self._link.pid is not None:
            self._link.send(rpc.encode(rpc.refusal(message, "codex-server only asks here")))
