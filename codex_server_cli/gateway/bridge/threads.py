"""The threads of one WebSocket client, and the turns it has started. Pure."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message, MessageType
from codex_server_cli.gateway.bridge.messages import TURN_STARTERS

_WITHOUT_TURN = frozenset({"thread/compact/start", "thread/shellCommand"})
"""Methods whose reply does not name the turn that they start."""
_OPENERS = frozenset({"thread/start", "thread/resume", "thread/fork"})
_REMEMBERED = TURN_STARTERS | _OPENERS
_MOST_UNANSWERED, _MOST_KNOWN, _LONGEST_ID = 1024, 10_000, 100
"""Beyond this number threads and turns are not followed: a client's memory is bounded."""
_MOST_BUFFERED_BYTES = 4 * 1024 * 1024


class ClientThreads:
    """Reads every message of the client and of the app-server, and decides which of the latter the client receives.

    The app-server notifies every connection of every new thread. Only the reply that names a thread tells whose it is:
    until then, messages about a new thread that could be the client's are held back.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._asked: dict[str, tuple[str, str | None]] = {}
        self._turns: dict[str, str] = {}
        self._awaiting_turn: set[str] = set()
        self._buffered: dict[str, list[bytes]] = {}
        self._buffered_bytes = 0

    @property
    def has_unanswered(self) -> bool:
        """Whether a request that starts a turn has no reply yet."""
        return any(method in TURN_STARTERS for method, _ in self._asked.values())

    def running(self) -> list[tuple[str, str]]:
        """The turns that the client has started and that have not ended: thread and turn."""
        return [(thread_id, turn_id) for turn_id, thread_id in self._turns.items()]

    def note_sent(self, message: Message) -> None:
        """Record a message of the client that goes to the app-server."""
        if rpc.message_type(message) is not MessageType.REQUEST:
            return
        thread_id = rpc.at(message, "params.threadId", str)
        if thread_id is not None:
            self._know(thread_id)
        if message["method"] in _WITHOUT_TURN and thread_id is not None:
            self._awaiting_turn.add(thread_id)
        if message["method"] in _REMEMBERED and len(self._asked) < _MOST_UNANSWERED:
            self._asked[_key(message["id"])] = message["method"], thread_id

    def told(self, message: Message, data: bytes) -> list[bytes]:
        """The messages that the client receives now, after a message of the app-server, in order of arrival.

        Args:
            data: the message, unparsed.
        """
        kind = rpc.message_type(message)
        self.note_received(message)
        if kind is MessageType.RESPONSE:
            found = [*self._buffered.get(rpc.at(message, "result.thread.id", str) or "", ()), data]
            if not self._is_opening:
                self._buffered, self._buffered_bytes = {}, 0
            return found
        if self.concern(message):
            return [data]
        if kind is MessageType.NOTIFICATION and self._is_opening:
            self._buffer(message, data)
        return []

    def note_received(self, message: Message) -> None:
        """Record a message of the app-server that the client does not receive."""
        kind, method = rpc.message_type(message), message.get("method")
        if kind is MessageType.RESPONSE:
            self._note_reply(message)
        elif method == "turn/completed":
            self._turns.pop(str(rpc.at(message, "params.turn.id", str)), None)
        elif method == "turn/started" and rpc.at(message, "params.threadId", str) in self._awaiting_turn:
            thread_id = str(rpc.at(message, "params.threadId", str))
            self._awaiting_turn.discard(thread_id)
            self._turns[str(rpc.at(message, "params.turn.id", str))] = thread_id
        elif method == "thread/started":
            thread = rpc.object_at(message, "params.thread")
            if thread.get("parentThreadId") in self._known:
                self._know(str(thread.get("id")))

    def concern(self, message: Message) -> bool:
        """Whether the client receives a message of the app-server: not one about another client's thread."""
        kind = rpc.message_type(message)
        if kind is MessageType.RESPONSE:
            return True
        thread_id = _thread_of(message)
        return thread_id in self._known if thread_id is not None else kind is MessageType.NOTIFICATION

    @property
    def _is_opening(self) -> bool:
        return any(asked in _OPENERS for asked, _ in self._asked.values())

    def _buffer(self, message: Message, data: bytes) -> None:
        """Hold back a message about a new thread: it may turn out to be the client's."""
        thread_id = _thread_of(message) or ""
        is_buffered = message["method"] == "thread/started" or thread_id in self._buffered
        if is_buffered and self._buffered_bytes + len(data) <= _MOST_BUFFERED_BYTES:
            self._buffered.setdefault(thread_id, []).append(data)
            self._buffered_bytes += len(data)

    def _note_reply(self, message: Message) -> None:
        method, thread_id = self._asked.pop(_key(message["id"]), ("", None))
        opened = rpc.at(message, "result.thread.id", str)
        if opened is not None:
            self._know(opened)
        turn_id = rpc.at(message, "result.turn.id", str)
        if method in TURN_STARTERS and turn_id is not None and thread_id is not None:
            self._turns[turn_id] = thread_id

    def _know(self, thread_id: str) -> None:
        if len(thread_id) <= _LONGEST_ID and len(self._known) < _MOST_KNOWN:
            self._known.add(thread_id)


def _thread_of(message: Message) -> str | None:
    params = rpc.params_of(message)
    return rpc.text_or_none(params.get("threadId")) or rpc.at(params, "thread.id", str)


def _key(request_id: Any) -> str:
    """A request id as a dictionary key: 1 and "1" differ."""
    return json.dumps(request_id)
