"""The end of a turn: its cause, the requests to Codex before it, and the outcome. Owns the end's state.

A turn ends once. On a shared app-server its outcome then waits for the cleanup of what it left there
(`shared.closing`). Messages received meanwhile still count: a late end of the turn, its usage.
"""

from __future__ import annotations

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.terms import ServerTerms
from codex_server_cli.core.model.timers import Timer, Timers
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.turn_record import TURN_STARTERS
from codex_server_cli.core.result.outcome import Cause, Outcome, decide
from codex_server_cli.core.session.control import ShellRequests
from codex_server_cli.core.session.handshake import Handshake, too_wide
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.requests import Requests, SentRequest
from codex_server_cli.core.session.shared.closing import Closing
from codex_server_cli.core.session.shared.reattach import Reattach
from codex_server_cli.core.session.thread_queue import QueueKeeper


class TurnEnd:
    """Ends one turn.

    Attributes:
        outcome: how the turn ended, after the cleanup.
        cause: why it is over, once it is. `stop_cause`: why it is being stopped.
    """

    def __init__(
        self,
        request: TurnRequest,
        server: ServerTerms,
        outbox: Outbox,
        requests: Requests,
        timers: Timers,
        handshake: Handshake,
        shell_requests: ShellRequests,
        queue: QueueKeeper,
        reattach: Reattach,
    ) -> None:
        self.outcome: Outcome | None = None
        self.cause: Cause | None = None
        self.stop_cause: Cause | None = None
        self._own_error: TurnError | None = None
        self._request = request
        self._server = server
        self._outbox = outbox
        self._requests = requests
        self._timers = timers
        self._handshake = handshake
        self._shell_requests = shell_requests
        self._queue = queue
        self._reattach = reattach
        self._closing = Closing(outbox, requests, timers, handshake)

    @property
    def is_closing(self) -> bool:
        """Whether the turn is over, and the outcome waits for the cleanup on a shared app-server."""
        return self.cause is not None and self.outcome is None

    @property
    def is_unfinished(self) -> bool:
        """Whether a turn that is over may still run on a shared app-server."""
        return self._closing.is_unfinished

    def finish(self, cause: Cause, now_ms: float, *, is_gone: bool = False) -> None:
        """The turn is over.

        Args:
            is_gone: whether no request can be sent any more.
        """
        if self.cause is None:
            self._outbox.adopt_early()
            self.cause = cause
            self._shell_requests.close()
            self._queue.close(now_ms)
            is_to_connect = self._timers.is_running(Timer.START)
            self._timers.clear_all()
            if self._server.is_shared and not is_gone:
                self._begin_closing(now_ms, is_to_connect=is_to_connect)
        if is_gone or not self._closing.is_open:
            self.close()

    def _begin_closing(self, now_ms: float, *, is_to_connect: bool) -> None:
        record, is_disconnected = self._outbox.record, self._reattach.is_disconnected
        if record.thread_id is None or (is_disconnected and not self._closing.may_run):
            return
        self._closing.begin(now_ms)
        if is_to_connect:
            self._timers.set(Timer.START, now_ms)
        elif not is_disconnected:
            self.connected(now_ms)

    def end(self, cause: Cause, now_ms: float) -> None:
        """The turn is over; the cause is `stop_cause` if it is being stopped."""
        self.finish(self.stop_cause or cause, now_ms)

    def fail(self, error: TurnError, now_ms: float) -> None:
        """The turn is over with an error of our own."""
        self._own_error = error
        self.finish(Cause.FAILED, now_ms)

    def give_up(self, error: TurnError, now_ms: float) -> None:
        """The turn cannot be observed any more: it is over with `error`, unless it is being stopped."""
        if self.stop_cause is None:
            self.fail(error, now_ms)
        else:
            self.end(Cause.FAILED, now_ms)

    def lose(self, error: TurnError, now_ms: float) -> None:
        """The app-server is gone or out of reach: the turn ends with `error`, unless it has ended."""
        self._outbox.adopt_early()
        record = self._outbox.record
        is_explained = record.status is not None or record.error is not None or self.stop_cause is not None
        if not is_explained:
            self._own_error = self._own_error or error
        self.finish(self.stop_cause or (Cause.TURN_ENDED if is_explained else Cause.FAILED), now_ms, is_gone=True)

    def close(self) -> None:
        """Decide the outcome now: nothing more is awaited."""
        if self.cause is not None and self.outcome is None:
            self.outcome = decide(self._outbox.record, self.cause, self._request, error=self._own_error)
            self._timers.clear_all()

    # --- before the end

    def stop(self, cause: Cause, now_ms: float) -> None:
        """Interrupt the turn; it always ends within the STOP limit, even if the app-server does not respond."""
        if self.stop_cause is not None or self.cause is not None:
            return
        self.stop_cause = cause
        if self._requests.cancel_retries(TURN_STARTERS):
            self._handshake.is_turn_sent = False
        if not self._handshake.is_turn_sent:
            self.finish(cause, now_ms)
            return
        self._timers.start(Timer.STOP, now_ms)
        self.interrupt(now_ms)

    def interrupt(self, now_ms: float) -> None:
        """Request the interrupt, repeatedly: before `turn/started` it is refused and the turn continues."""
        record = self._outbox.record
        if self.is_closing:
            self._closing.go_on(now_ms)
        elif record.turn_id is not None and record.has_started and not self._reattach.is_disconnected:
            params = {"threadId": record.thread_id, "turnId": record.active_turn_id or record.turn_id}
            self._requests.ask("turn/interrupt", params, now_ms)
            self._timers.start(Timer.INTERRUPT, now_ms)

    def refuse_policy(self, now_ms: float) -> None:
        """The effective policy is wider than requested."""
        if self._own_error is None:
            self._own_error = too_wide()
            self.stop(Cause.FAILED, now_ms)

    def reconcile(self, now_ms: float) -> None:
        """It is unknown whether the turn still runs: Codex's own record of it decides."""
        record = self._outbox.record
        if record.turn_id is None:
            self.finish(Cause.STALLED, now_ms)
            return
        page = {"limit": 5, "itemsView": "full"}
        self._requests.ask("thread/turns/list", {"threadId": record.thread_id, **page}, now_ms)
        self._timers.start(Timer.RECONCILE, now_ms)

    def on_stored_turns(self, result: Message, now_ms: float) -> None:
        """The reply to a reconciliation."""
        record = self._outbox.record
        record.adopt_stored_turns(result.get("data"))
        if record.status is None and record.is_idle and record.answer is not None:
            record.status = "completed"  # idle with a complete final answer: only its notification was lost
        self.end(Cause.TURN_ENDED if record.status is not None else Cause.STALLED, now_ms)

    # --- after it, on a shared app-server

    def connected(self, now_ms: float) -> None:
        """There is a connection for the cleanup."""
        self._closing.connected(now_ms, is_subscribed=self._reattach.is_subscribed)

    def heard(self, now_ms: float) -> None:
        """A message has arrived."""
        if self.is_closing:
            self._closing.heard(now_ms)
            if not self._closing.is_open:
                self.close()

    def answered(self, asked: SentRequest, response: Message, now_ms: float) -> bool:
        """Take the reply to any request; returns whether it no longer counts for the turn."""
        return self._closing.answered(asked, response, now_ms) or self.cause is not None
