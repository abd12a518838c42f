"""Messages from and to an app-server, batched into steps. Owns the order of effects.

Every message is recorded before it is acted upon; must never decide what to send (`session` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.event_log import EventLog
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.rpc import Message, params_of
from codex_server_cli.core.record.pieces import Piece, joined
from codex_server_cli.core.record.raw_items import ITEM_METHODS, RAW_ITEM, RAW_METHODS, RawItems
from codex_server_cli.core.record.replay import Replay
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.outcome import Outcome
from codex_server_cli.core.session.shared.environment import without_environment
from codex_server_cli.core.session.shared.own_threads import OwnThreads
from codex_server_cli.errors import CodexServerError


class Reply(NamedTuple):
    """The reply to a request of another shell.

    Attributes:
        tag: the caller's id of the request.
        error: why it failed; None on success.
        result: more to report; JSON.
    """

    tag: str
    error: CodexServerError | None = None
    result: dict[str, Any] | None = None


class Step(NamedTuple):
    """The effects of one call, to be carried out in this order.

    Attributes:
        events: lines to append to `events.jsonl`.
        text: text to append to `out.txt`.
        starts_server: whether to start an app-server, the first or a new one; one that still runs is ended.
        provider: the model provider to configure it with; None leaves it as it is.
        denied: what the user's own profile denies by name, to be recorded before anything is sent; empty for no change.
        queued: the messages taken out of the thread's queue, to be stored durably before any send; None for no change.
        sends: bytes for the app-server.
        replies: for other shells.
        outcome: how the turn ended, once; the caller then ends the app-server.
    """

    events: bytes = b""
    text: str = ""
    starts_server: bool = False
    provider: str | None = None
    denied: tuple[str, ...] = ()
    queued: tuple[Message, ...] | None = None
    sends: bytes = b""
    replies: tuple[Reply, ...] = ()
    outcome: Outcome | None = None


class Outbox:
    """Decode, number, record and show messages; `take` returns the batch.

    Attributes:
        heard_ms: when the last message for us arrived. On a shared app-server only those count as activity.
    """

    def __init__(self, *, is_shared: bool = False) -> None:
        self.log = EventLog()
        self.heard_ms = 0.0
        self._own_threads = OwnThreads() if is_shared else None
        self._replay = Replay()
        self._decoder = LineDecoder()
        self._raw_items = RawItems()
        self._events: list[bytes] = []
        self._pieces: list[Piece] = []
        self._starts_server = False
        self._provider: str | None = None
        self._denied: tuple[str, ...] = ()
        self._queued: tuple[Message, ...] | None = None
        self._sends: list[bytes] = []
        self._replies: list[Reply] = []

    @property
    def record(self) -> TurnRecord:
        """The known facts of the turn."""
        return self._replay.record

    def begin(self, provider: str | None = None) -> None:
        """Switch to an app-server that is about to start; messages from and to an earlier one no longer count.

        Args:
            provider: see `Step`.
        """
        self._replay.begin()
        self._raw_items = RawItems()
        if self._own_threads is not None:
            self._own_threads = OwnThreads()
        self._provider = provider
        self.reattach()

    def reattach(self) -> None:
        """Switch to a new connection to the same app-server; the record is kept."""
        self._decoder = LineDecoder()
        self._sends = []
        self._starts_server = True

    def receive(self, data: bytes, now_ms: float) -> Iterator[Message]:
        """Record the lines that `data` completes and yield the messages among them, one at a time."""
        decoder = self._decoder
        if self._own_threads is None:
            self.heard_ms = now_ms
        for line in decoder.feed(data):
            if decoder is not self._decoder:  # an earlier message made us switch to another app-server
                return
            yield from self._receive_line(line, now_ms)

    def receive_rest(self, now_ms: float) -> Iterator[Message]:
        """At EOF: the last line, if its newline is missing."""
        rest = self._decoder.flush()
        if rest is not None:
            yield from self._receive_line(rest, now_ms)

    def _receive_line(self, line: bytes, now_ms: float) -> Iterator[Message]:
        if not line.strip():
            return
        message = rpc.parse_line(line)
        if self._own_threads is not None and message is not None:
            if not self._own_threads.has(message, self.record.thread_id):
                return
            self.heard_ms = now_ms
        method = message.get("method") if message is not None else None
        if message is not None and method in RAW_METHODS:
            yield from self._receive_raw(line, message, now_ms)
            return
        self._events.append(self.log.line_in(line, message, int(now_ms)))
        if message is not None:
            if method in ITEM_METHODS:
                self._raw_items.note(message)
            yield message

    def _receive_raw(self, line: bytes, message: Message, now_ms: float) -> Iterator[Message]:
        """Take raw model input and output: only what no other message reports is recorded."""
        params = params_of(message)
        if message["method"] == RAW_ITEM and params.get("turnId") == self.record.turn_id:
            for kept, _ in self._raw_items.choose((line, message), params.get("item")):
                self._events.append(self.log.line_in(*kept, int(now_ms)))
                yield kept[1]

    def hear_session(self, lines: Iterable[bytes], now_ms: float) -> None:
        """Record and show refused calls from lines of the thread's session file."""
        for line in lines:
            entry = rpc.parse_line(line) or {}
            if entry.get("type") != "response_item":
                continue
            for kept, raw in self._raw_items.choose((line, entry), entry.get("payload")):
                self._events.append(self.log.line_session(kept[0], int(now_ms)))
                self._pieces += self._replay.feed_raw(raw)

    def apply(self, message: Message) -> list[Message]:
        """Replay a message into the turn record and its text.

        Returns:
            The notifications now known to belong to the turn, oldest first.
        """
        own, pieces = self._replay.feed_in(message)
        if "method" not in message:
            for missed in own:
                self._raw_items.note(missed)
        if pieces:
            self._pieces += pieces
        return own

    def adopt_early(self) -> None:
        """Identify the turn by its early notifications, if the reply that names it is overdue."""
        self._pieces += self._replay.adopt_early()

    def add_reply(self, reply: Reply) -> None:
        """Queue a reply to another shell."""
        self._replies.append(reply)

    def record_denied(self, denied: tuple[str, ...]) -> None:
        """Record the denied paths that Codex may create while a command runs."""
        self._denied = denied

    def record_queued(self, queued: tuple[Message, ...]) -> None:
        """Record the messages taken out of the thread's queue: the full list each time."""
        self._queued = queued

    def send(self, message: Message, now_ms: float, why: str | None = None) -> None:
        """Send one message of any type; `why` is recorded with it."""
        encoded = rpc.encode(message)
        recorded = without_environment(message) if self._own_threads is not None else message
        self._pieces += self._replay.feed_out(recorded, why)
        line = encoded if recorded is message else rpc.encode(recorded)
        self._events.append(self.log.line_out(line, int(now_ms), why))
        self._sends.append(encoded)

    def take(self, outcome: Outcome | None) -> Step:
        """The batch since the last `take`."""
        step = Step(
            events=b"".join(self._events),
            text=joined(self._pieces),
            starts_server=self._starts_server,
            provider=self._provider,
            denied=self._denied,
            queued=self._queued,
            sends=b"".join(self._sends),
            replies=tuple(self._replies),
            outcome=outcome,
        )
        self._events, self._pieces, self._sends, self._replies, self._starts_server = [], [], [], [], False
        self._denied, self._queued = (), None
        return step
