"""What passes between us and an app-server, gathered into steps. Owns the order of effects.

Everything that comes or goes is recorded before it is acted upon; must never decide what to say (that is `session`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from codex_server_cli.core import rpc
from codex_server_cli.core.events import EventLog
from codex_server_cli.core.fold import Fold
from codex_server_cli.core.jsonl import LineDecoder
from codex_server_cli.core.outcome import Outcome
from codex_server_cli.core.record import TurnRecord
from codex_server_cli.core.rpc import Message
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
        starts_server: whether to start an app-server, the first or another one.
        queued: what is taken out of the thread's queue, to be noted durably before anything is sent; None for no news.
        sends: bytes for the app-server.
        replies: what to tell other shells.
        outcome: how the turn ended, once; the caller then ends the app-server.
    """

    events: bytes = b""
    text: str = ""
    starts_server: bool = False
    queued: tuple[Message, ...] | None = None
    sends: bytes = b""
    replies: tuple[Reply, ...] = ()
    outcome: Outcome | None = None


class Exchange:
    """Decode, number, record and show what passes; `take` hands over what has gathered."""

    def __init__(self) -> None:
        self.log = EventLog()
        self._fold = Fold()
        self._decoder = LineDecoder()
        self._events: list[bytes] = []
        self._text: list[str] = []
        self._starts_server = False
        self._queued: tuple[Message, ...] | None = None
        self._sends: list[bytes] = []
        self._replies: list[Reply] = []

    @property
    def record(self) -> TurnRecord:
        """What is known of the turn."""
        return self._fold.record

    def begin(self) -> None:
        """Turn to an app-server that is yet to start; what one before it said no longer counts."""
        self._fold.begin()
        self._decoder = LineDecoder()
        self._starts_server = True

    def receive(self, data: bytes, now_ms: float) -> Iterator[Message]:
        """Record the lines that `data` completes and yield the messages among them, one at a time."""
        for line in self._decoder.feed(data):
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
        self._events.append(self.log.line_in(line, message, int(now_ms)))
        if message is not None:
            yield message

    def fold(self, message: Message) -> list[Message]:
        """Take a message in: what is known of the turn, and its text.

        Returns:
            The notifications that belong to the turn and are known to now, oldest first.
        """
        belonging, text = self._fold.feed_in(message)
        self._add_text(text)
        return belonging

    def settle(self) -> None:
        """Take the turn from what came early, where the reply that names it is overdue."""
        self._add_text(self._fold.settle())

    def _add_text(self, text: str) -> None:
        if text:
            self._text.append(text)

    def tell(self, reply: Reply) -> None:
        """Let another shell know."""
        self._replies.append(reply)

    def keep(self, queued: tuple[Message, ...]) -> None:
        """Have noted what is taken out of the thread's queue: all of it, each time."""
        self._queued = queued

    def send(self, message: Message, now_ms: float) -> None:
        """Send one message of any type."""
        encoded = rpc.encode(message)
        self._add_text(self._fold.feed_out(message))
        self._events.append(self.log.line_out(encoded, int(now_ms)))
        self._sends.append(encoded)

    def take(self, outcome: Outcome | None) -> Step:
        """Everything since the last `take`."""
        step = Step(
            events=b"".join(self._events),
            text="".join(self._text),
            starts_server=self._starts_server,
            queued=self._queued,
            sends=b"".join(self._sends),
            replies=tuple(self._replies),
            outcome=outcome,
        )
        self._events, self._text, self._sends, self._replies, self._starts_server = [], [], [], [], False
        self._queued = None
        return step
