"""Reconnecting to a shared app-server while our turn runs there. Owns the steps, and their limits.

As in section 4 of the transport notes: connect, resume the thread, find our turn among its newest ones. The record
itself takes what is stored of it (`record.attach`). A prompt is sent again only if two looks show that Codex does not
have it. An ephemeral thread cannot be resumed: its turn is lost. A server that is draining refuses to resume: the
stored turn is read until it has ended.
"""

from __future__ import annotations

from enum import Enum, auto

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.timers import Timer, Timers
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message, object_at, readable_message
from codex_server_cli.core.record.attach.attachment import REATTACH, is_torn, is_undecided, stored_turns
from codex_server_cli.core.result.failures import is_draining, kind_of_refusal, make_error
from codex_server_cli.core.session.backoff import RECONNECT, Backoff
from codex_server_cli.core.session.handshake import Handshake
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.requests import Requests, SentRequest
from codex_server_cli.errors import ErrorKind

TAG = "reattach"
"""The tag of each request of a `Reattach`."""

_STEADY_MS = 2_000.0
"""A connection that lasted this long counts as successful: the next loss has the whole limit again.

Only with a turn on it: otherwise retries at a server that accepts but stays silent would have no limit.
"""

_MOST_LOOKS = 20
_NEWEST = 5
"""How many turns a second look requests: others may have begun some after ours."""


_NOTHING_LOST = TurnError(ErrorKind.NETWORK, "The connection was lost.")


class Found(Enum):
    """The result of a reply."""

    NOTHING_YET = auto()
    OUR_TURN = auto()  # the record shows whether it still runs
    NO_TURN = auto()  # Codex never had it
    LOST = auto()  # it is unknown or unreachable: `error` has the reason


class Reattach:
    """Reconnects one turn after each loss.

    Attributes:
        is_reattaching: the connection was lost, and our turn is not found yet.
        is_disconnected: there is no connection: no request can be sent.
        is_subscribed: the end of our turn is reported to us.
        error: why the connection was lost, and why reconnecting failed.
    """

    def __init__(
        self, request: TurnRequest, handshake: Handshake, outbox: Outbox, requests: Requests, timers: Timers
    ) -> None:
        self.is_reattaching = self.is_disconnected = False
        self.is_subscribed = True
        self.error = _NOTHING_LOST
        self._request = request
        self._handshake = handshake
        self._outbox = outbox
        self._requests = requests
        self._timers = timers
        self._backoff = self._new_backoff()
        self._made_ms: float | None = None
        self._looks = self._misses = 0

    def lose(self, error: TurnError, now_ms: float) -> bool:
        """The connection was lost, or connecting failed.

        Returns:
            Whether it will be retried: `connect` is due when `Timer.START` is. Else `error` has the reason.
        """
        has_held = self._made_ms is not None and now_ms - self._made_ms >= _STEADY_MS
        if not self.is_reattaching and has_held and self._handshake.is_turn_sent:
            self._backoff = self._new_backoff()
        self.is_reattaching = self.is_disconnected = True
        self._looks = self._misses = 0
        self._timers.clear(Timer.POLL)
        self.error = error
        delay_ms = self._backoff.delay_ms(now_ms)
        if delay_ms is None:
            self.explain(f"tried {self._backoff.failures} times")
            return False
        self._timers.set(Timer.START, now_ms + delay_ms)
        return True

    def begin_anew(self) -> None:
        """Codex does not have our turn: start from the beginning, over a new connection."""
        self.is_reattaching = self.is_disconnected = False
        self.is_subscribed, self._made_ms = True, None

    def heard(self, now_ms: float) -> None:
        """A reply has arrived: only now the connection counts as made, as a server may refuse late or stay silent."""
        if self._made_ms is None:
            self._made_ms = now_ms

    def connect(self, now_ms: float) -> None:
        """Request the connection, and begin."""
        self._outbox.reattach()
        self._requests.ask("initialize", self._handshake.initialize_params(), now_ms, TAG, REATTACH)

    def look(self, now_ms: float) -> None:
        """Look for our turn; among more turns if the last look found nothing."""
        newest = _NEWEST if self._looks else 1
        self._looks += 1
        if self.is_subscribed:
            self._requests.ask("thread/resume", self._handshake.resume_params(newest), now_ms, TAG)
        else:
            params = {"threadId": self._outbox.record.thread_id, "limit": newest, "itemsView": "full"}
            self._requests.ask("thread/turns/list", params, now_ms, TAG)

    def answered(self, asked: SentRequest, response: Message, now_ms: float) -> Found:
        """Take the reply to one of our requests; the record already has it."""
        if "error" in response:
            return self._on_refusal(asked.method, object_at(response, "error"), now_ms)
        if asked.method != "initialize":
            return self._judge(stored_turns(asked.method, object_at(response, "result")), now_ms)
        self._outbox.send({"method": "initialized"}, now_ms)
        self.is_disconnected, self.is_subscribed = False, not self._request.is_ephemeral
        if self._request.is_ephemeral:
            return self._lost("the turn of an ephemeral thread cannot be taken up again")
        self.look(now_ms)
        return Found.NOTHING_YET

    def _on_refusal(self, method: str, refusal: Message, now_ms: float) -> Found:
        if method == "initialize":
            return self._lost(readable_message(refusal))
        if is_draining(refusal):
            self.is_subscribed = False
            self.look(now_ms)
            return Found.NOTHING_YET
        if method == "thread/turns/list" or kind_of_refusal(refusal) is ErrorKind.THREAD_MISSING:
            return self._judge([], now_ms)
        return self._lost(readable_message(refusal))

    def _judge(self, turns: list[Message], now_ms: float) -> Found:
        record = self._outbox.record
        turn = record.attachment.own_turn(record.turn_id, turns)
        if turn is not None:
            # A torn one is read again: its end may have come before we were subscribed.
            if record.attachment.is_over(turn) or (self.is_subscribed and not is_torn(turn)):
                self.is_reattaching, self._made_ms = False, now_ms
                return Found.OUR_TURN
        elif not is_undecided(turns) or self._looks >= _MOST_LOOKS:
            self._misses += 1
            if self._misses > 1:
                return self._on_none()
        self._timers.start(Timer.POLL, now_ms)
        return Found.NOTHING_YET

    def _on_none(self) -> Found:
        record = self._outbox.record
        is_known = record.attachment.client_id is not None or record.attachment.newest_before is not None
        if record.turn_id is not None or not is_known or self._looks >= _MOST_LOOKS:
            return self._lost("Codex does not show the turn any more")
        return Found.NO_TURN

    def explain(self, why: str, kind: ErrorKind | None = None) -> None:
        """Add to `error` why the turn is lost with the connection."""
        message = f"{self.error.message} ({why})"
        self.error = make_error(kind or self.error.kind, message, hint=self.error.hint)

    def _lost(self, why: str) -> Found:
        self.explain(why)
        return Found.LOST

    def _new_backoff(self) -> Backoff:
        return Backoff(f"{self._request.turn_id} connection", RECONNECT)
