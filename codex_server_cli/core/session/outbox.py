"""What passes between us and an app-server, gathered into steps. Owns the order of effects.

Everything that comes or goes is recorded before it is acted upon; must never decide what to say (that is `session`).
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
from codex_server_cli.errors import CodexServerError


class Reply(NamedTuple):
    """What became of something that another shell asked for.

    Attributes:
        tag: what the caller knows it by.
        error: why it was not done; None where it was.
        result: what to tell beside; JSON.
    """

    tag: str
    error: CodexServerError | None = None
    result: dict[str, Any] | None = None


class Step(NamedTuple):
    """What one call decided, to be done in this order.

    Attributes:
        events: lines to append to `events.jsonl`.
        text: text to append to `out.txt`.
        starts_server: whether to start an app-server, the first or another one; one that still runs is ended.
        provider: the model provider that it is to be configured with; None leaves it as it is.
        denied: what the user's own profile denies by name, to be noted before anything is sent; empty for no news.
        queued: what is taken out of the thread's queue, to be noted durably before anything is sent; None for no news.
        sends: bytes for the app-server.
        replies: what to tell other shells.
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
    """Decode, number, record and show what passes; `take` hands over what has gathered."""

    def __init__(self) -> None:
        self.log = EventLog()
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
        """What is known of the turn."""
        return self._replay.record

    def begin(self, provider: str | None = None) -> None:
        """Turn to an app-server that is yet to start; what one before it said, or was to hear, no longer counts.

        Args:
            provider: see `Step`.
        """
        self._replay.begin()
        self._decoder, self._raw_items = LineDecoder(), RawItems()
        self._sends = []
        self._starts_server, self._provider = True, provider

    def receive(self, data: bytes, now_ms: float) -> Iterator[Message]:
        """Record the lines that `data` completes and yield the messages among them, one at a time."""
        decoder = self._decoder
        for line in decoder.feed(data):
            if decoder is not self._decoder:  # a message before it was the last that counts of this app-server
                return
            yield from self._receive_line(line, now_ms)

    def receive_rest(self, now_ms: float) -> Iterator[Message]:
        """At the end of the stream: the last line, where its newline never came."""
        rest = self._decoder.flush()
        if rest is not None:
            yield from self._receive_line(rest, now_ms)

    def _receive_line(self, line: bytes, now_ms: float) -> Iterator[Message]:
        if not line.strip():
            return
        message = rpc.parse_line(line)
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
        """What the wire repeats of a model's input and output: only what nothing else tells is recorded."""
        params = params_of(message)
        if message["method"] == RAW_ITEM and params.get("turnId") == self.record.turn_id:
            for kept, _ in self._raw_items.choose((line, message), params.get("item")):
                self._events.append(self.log.line_in(*kept, int(now_ms)))
                yield kept[1]

    def hear_session(self, lines: Iterable[bytes], now_ms: float) -> None:
        """Record and show the calls that were refused, of lines of the thread's session file."""
        for line in lines:
            entry = rpc.parse_line(line) or {}
            if entry.get("type") != "response_item":
                continue
            for kept, raw in self._raw_items.choose((line, entry), entry.get("payload")):
                self._events.append(self.log.line_session(kept[0], int(now_ms)))
                self._pieces += self._replay.feed_raw(raw)

    def apply(self, message: Message) -> list[Message]:
        """Take a message in: what is known of the turn, and its text.

        Returns:
            The notifications that belong to the turn and are known to now, oldest first.
        """
        own, pieces = self._replay.feed_in(message)
        if pieces:
            self._pieces += pieces
        return own

    def adopt_early(self) -> None:
        """Take the turn from what came early, where the reply that names it is overdue."""
        self._pieces += self._replay.adopt_early()

    def tell(self, reply: Reply) -> None:
        """Let another shell know."""
        self._replies.append(reply)

    def guard(self, denied: tuple[str, ...]) -> None:
        """Have noted what Codex may make while a command runs, to deny it to that."""
        self._denied = denied

    def keep(self, queued: tuple[Message, ...]) -> None:
        """Have noted what is taken out of the thread's queue: all of it, each time."""
        self._queued = queued

    def send(self, message: Message, now_ms: float, why: str | None = None) -> None:
        """Send one message of any type; `why` is recorded with it."""
        encoded = rpc.encode(message)
        self._pieces += self._replay.feed_out(message, why)
        self._events.append(self.log.line_out(encoded, int(now_ms), why))
        self._sends.append(encoded)

    def take(self, outcome: Outcome | None) -> Step:
        """Everything since the last `take`."""
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
