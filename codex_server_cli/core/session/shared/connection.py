"""The connection of one turn: opened, lost, reopened. Owns what a loss means for the turn.

If the prompt was not sent, a new connection starts from the beginning; else our turn is looked for (`reattach`).
"""

from __future__ import annotations

from codex_server_cli.core.model.timers import Timer, Timers
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message, object_at
from codex_server_cli.core.record.attach.attachment import nothing_waits
from codex_server_cli.core.session.control import ShellRequests
from codex_server_cli.core.session.end.turn_end import TurnEnd
from codex_server_cli.core.session.handshake import Handshake
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.requests import Requests, SentRequest
from codex_server_cli.core.session.shared.reattach import TAG, Found, Reattach
from codex_server_cli.core.session.thread_queue import QueueKeeper
from codex_server_cli.errors import ErrorKind

_WHILE_CONNECTED = (Timer.STALL, Timer.RETRIES, Timer.COMPLETION, Timer.INTERRUPT, Timer.RECONCILE)
"""Timers for messages from Codex: without a connection its silence means nothing."""


class Connection:
    """Begins a turn over a connection, and continues it over later ones."""

    def __init__(
        self,
        outbox: Outbox,
        requests: Requests,
        timers: Timers,
        handshake: Handshake,
        shell_requests: ShellRequests,
        queue: QueueKeeper,
        reattach: Reattach,
        turn_end: TurnEnd,
    ) -> None:
        self._outbox = outbox
        self._requests = requests
        self._timers = timers
        self._handshake = handshake
        self._shell_requests = shell_requests
        self._queue = queue
        self._reattach = reattach
        self._turn_end = turn_end
        self._has_resent = False

    def begin(self, now_ms: float) -> None:
        """Request an app-server or a connection: to begin, or to find our turn there."""
        if self._handshake.is_turn_sent:
            self._reattach.connect(now_ms)
        else:
            self._begin_anew(now_ms)

    def _begin_anew(self, now_ms: float) -> None:
        self._reattach.begin_anew()
        self._set_disconnected(False)
        self._outbox.heard_ms = now_ms
        self._timers.start(Timer.STALL, now_ms)
        self._handshake.begin(now_ms)

    def lost(self, error: TurnError, now_ms: float, *, is_final: bool = False) -> None:
        """The connection was lost, or connecting failed.

        Args:
            is_final: whether a reconnection is impossible.
        """
        for timer in _WHILE_CONNECTED:
            self._timers.clear(timer)
        self._shell_requests.steering.lose()
        self._queue.lose()
        self._set_disconnected(True)
        self._requests.forget()
        is_over = self._turn_end.is_closing and not self._turn_end.is_unfinished
        if is_over or is_final:
            self._turn_end.lose(error, now_ms)
        elif not self._reattach.lose(error, now_ms):
            self._turn_end.lose(self._reattach.error, now_ms)

    def refused(self, error: TurnError, now_ms: float) -> None:
        """The app-server accepts no new turn: begin over a new connection, when another server has replaced it."""
        self._handshake.is_turn_sent = False
        self.lost(error, now_ms)

    def answered(self, asked: SentRequest, response: Message, now_ms: float) -> bool:
        """Take the reply to any request; returns whether that was part of a reattachment."""
        if asked.tag != TAG:
            self._reattach.heard(now_ms)
            return False
        found = self._reattach.answered(asked, response, now_ms)
        if found is Found.NO_TURN and self._may_send_again():
            self._has_resent = True
            self._handshake.is_turn_sent = False
            self.begin(now_ms)
            return True
        was_closing = self._turn_end.is_closing
        if found is Found.OUR_TURN:
            self._regain(response, now_ms)
        if was_closing:
            self._turn_end.connected(now_ms)
        elif found in (Found.NO_TURN, Found.LOST):
            self._turn_end.give_up(self._reattach.error, now_ms)
        elif self._turn_end.stop_cause is not None:
            self._turn_end.interrupt(now_ms)
        return True

    def _may_send_again(self) -> bool:
        """Whether the prompt may be sent again: only once, as Codex may lose it each time."""
        return not self._has_resent and self._turn_end.cause is self._turn_end.stop_cause is None

    def _regain(self, response: Message, now_ms: float) -> None:
        """Our turn is found; the record has the missed messages."""
        self._set_disconnected(False)
        self._queue.regain(now_ms)
        self._timers.start(Timer.STALL, now_ms)
        self._outbox.heard_ms = now_ms
        if nothing_waits(object_at(response, "result")):
            self._shell_requests.approvals.withdraw()
        is_wanted = self._turn_end.stop_cause is not None or self._turn_end.is_closing
        if self._outbox.record.status == "interrupted" and not is_wanted:
            # We did not request that: Codex gives this status to a turn whose server ended.
            self._reattach.explain("the turn was cut off with it", ErrorKind.CODEX_CRASHED)
            self._turn_end.give_up(self._reattach.error, now_ms)

    def overdue(self, methods: str, now_ms: float) -> bool:
        """A reply timed out; returns whether our turn was being looked for, and is therefore lost."""
        if self._reattach.is_reattaching:
            self._reattach.explain(f"then Codex did not answer {methods}")
            self._turn_end.give_up(self._reattach.error, now_ms)
        return self._reattach.is_reattaching

    def _set_disconnected(self, is_disconnected: bool) -> None:
        self._queue.is_disconnected = self._shell_requests.steering.is_disconnected = is_disconnected
