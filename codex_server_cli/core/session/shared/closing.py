"""The cleanup after a turn on a shared app-server: nothing of it may keep running there. Owns the order of requests.

The turn is interrupted if it may still run, processes that its commands left are ended, and the thread is unsubscribed
(transport notes, section 3.1). The turn's outcome is known before, and waits at most `Timer.CLOSING` for this.
"""

from __future__ import annotations

from codex_server_cli.core.model.timers import Timer, Timers
from codex_server_cli.core.protocol.rpc import Message, object_at, objects_in
from codex_server_cli.core.record.attach.attachment import has_ended
from codex_server_cli.core.session.handshake import Handshake
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.requests import Requests, SentRequest

TAG = "closing"
"""The tag of each request of a `Closing`."""

CLEAN, LEAVE = "thread/backgroundTerminals/clean", "thread/unsubscribe"
INTERRUPT = "turn/interrupt"
LOOK = "thread/turns/list"
COUNT = "thread/resume"
"""A thread that is resumed with all turns reports its tokens again, right after the reply, unless a turn runs."""


class Closing:
    """Closes one turn, once.

    Attributes:
        is_open: it has begun, and is not complete.
        is_unfinished: the turn may still run.
    """

    def __init__(self, outbox: Outbox, requests: Requests, timers: Timers, handshake: Handshake) -> None:
        self.is_open = self.is_unfinished = False
        self._outbox = outbox
        self._requests = requests
        self._timers = timers
        self._handshake = handshake
        self._is_subscribed = True  # else the end of the turn is not reported to us
        self._is_asked = False  # the next request, except an interrupt
        self._turn_id: str | None = None
        self._rest = [LEAVE]

    def begin(self, now_ms: float) -> None:
        """Begin; nothing is sent before `connected`. If no turn was sent, nothing that runs in the thread is ours."""
        self.is_open, self.is_unfinished = True, self.may_run
        if self._handshake.is_turn_sent:
            self._rest = [CLEAN, COUNT, LEAVE]
        self._timers.start(Timer.CLOSING, now_ms)

    @property
    def may_run(self) -> bool:
        """Whether the turn was sent, and its end is not known."""
        return self._handshake.is_turn_sent and self._outbox.record.status is None

    def connected(self, now_ms: float, *, is_subscribed: bool) -> None:
        """Continue over a new connection."""
        self._is_subscribed, self._is_asked = is_subscribed, False
        self.go_on(now_ms)

    def heard(self, now_ms: float) -> None:
        """A message has arrived: it may have been the end of the turn."""
        if self.is_unfinished and self._outbox.record.status is not None:
            self.go_on(now_ms)

    def go_on(self, now_ms: float) -> None:
        """Send the next request; an interrupt again, until it is accepted."""
        record = self._outbox.record
        self.is_unfinished = self.is_unfinished and record.status is None
        turn_id = record.active_turn_id or record.turn_id or self._turn_id
        if not self.is_unfinished:
            self._timers.clear(Timer.INTERRUPT)
            self._go_on_with_rest(now_ms)
        elif turn_id is None:
            self._ask_once(LOOK, {"limit": 1, "itemsView": "full"}, now_ms)
        else:
            self._ask(INTERRUPT, {"turnId": turn_id}, now_ms)
            self._timers.start(Timer.INTERRUPT, now_ms)

    def _go_on_with_rest(self, now_ms: float) -> None:
        is_counted = not (self._outbox.record.tokens.is_behind and self._is_subscribed)
        if is_counted and COUNT in self._rest and not self._is_asked:
            self._rest.remove(COUNT)
        if not self._rest:
            self.is_open = False
        else:
            params = self._handshake.resume_params(None) if self._rest[0] == COUNT else {}
            self._ask_once(self._rest[0], params, now_ms)

    def answered(self, asked: SentRequest, response: Message, now_ms: float) -> bool:
        """Take a reply; returns whether it is for a request of the cleanup."""
        if asked.tag != TAG:
            return False
        if asked.method == INTERRUPT:
            self._on_interrupt(is_accepted="error" not in response, now_ms=now_ms)
            return True
        self._is_asked = False
        if asked.method == LOOK:
            self._on_look(objects_in(object_at(response, "result").get("data")))
        else:
            self._rest = [method for method in self._rest if method != asked.method]
        self.go_on(now_ms)
        return True

    def _on_interrupt(self, *, is_accepted: bool, now_ms: float) -> None:
        if is_accepted:
            self._timers.clear(Timer.INTERRUPT)
            if not self._is_subscribed:
                self.is_unfinished = False
                self.go_on(now_ms)

    def _on_look(self, turns: list[Message]) -> None:
        """Find our turn if its start was never answered."""
        turn = self._outbox.record.attachment.own_turn(None, turns)
        self.is_unfinished = turn is not None and not has_ended(turn)
        self._turn_id = str(turn.get("id")) if turn is not None else None

    def _ask_once(self, method: str, params: Message, now_ms: float) -> None:
        if not self._is_asked:
            self._is_asked = True
            self._ask(method, params, now_ms)

    def _ask(self, method: str, params: Message, now_ms: float) -> None:
        self._requests.ask(method, {"threadId": self._outbox.record.thread_id, **params}, now_ms, TAG)
