"""The state machine of one turn: bytes in, decisions out. Owns what is sent to the app-server, and when a turn is over.

Each method takes the time and returns a `Step` for the caller to do: record, show, start an app-server, send, and once,
finish. Must never read a clock, touch a file or know a process. `handshake` opens a turn, `record` holds what the
messages prove, and `outcome` decides what an end means. Protocol facts: notes, sections 1 to 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.timers import LIMIT_MS, STALL_CHECK_MS, Timer, Timers
from codex_server_cli.core.model.turn import Phase, TurnError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message, MessageType
from codex_server_cli.core.record.turn_record import TURN_STARTERS, TurnRecord
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.outcome import Cause, Outcome, decide
from codex_server_cli.core.session.approvals import Approvals
from codex_server_cli.core.session.backoff import Backoff
from codex_server_cli.core.session.control import ShellRequest, ShellRequests
from codex_server_cli.core.session.handshake import Handshake, too_wide
from codex_server_cli.core.session.outbox import Outbox, Step
from codex_server_cli.core.session.requests import Requests, is_tolerated
from codex_server_cli.core.session.thread_queue import QueueKeeper
from codex_server_cli.errors import ErrorKind


class Session:
    """Drive one turn. Callers may read `record` and `queue`; `wakeup_ms` says when to call `tick` at the latest."""

    def __init__(self, request: TurnRequest, prompt: str, client_version: str) -> None:
        self.outcome: Outcome | None = None
        self._request = request
        self._outbox = Outbox()
        self._timers = Timers()
        self._requests = Requests(self._outbox, self._timers, request.turn_id)
        self._handshake = Handshake(request, prompt, client_version, self._outbox, self._requests)
        self.queue = QueueKeeper(request, self._outbox, self._requests, lambda: self._handshake.has_policy)
        self._shell_requests = ShellRequests(request, self._outbox, self._requests, self._timers)
        self._start_backoff = Backoff(f"{request.turn_id} app-server")
        self._now_ms = self._last_message_ms = 0.0
        self._stop_cause: Cause | None = None
        self._own_error: TurnError | None = None

    @property
    def record(self) -> TurnRecord:
        """What is known of the turn."""
        return self._outbox.record

    @property
    def phase(self) -> Phase:
        """What the turn is doing."""
        return self.approvals.phase or self.record.phase

    @property
    def approvals(self) -> Approvals:
        """The approvals that wait for the user."""
        return self._shell_requests.approvals

    @property
    def wakeup_ms(self) -> float | None:
        """When `tick` is needed next; after the outcome, until when to wait for Codex's last messages."""
        return self._timers.next_ms if self.outcome is None else self.queue.awaited_until_ms

    @property
    def next_seq(self) -> int:
        """The sequence number of the next event."""
        return self._outbox.log.next_seq

    def start(self, now_ms: float) -> Step:
        """Request the start of an app-server, and begin the handshake."""
        self._now_ms = now_ms
        if self._request.deadline_s is not None:
            self._timers.set(Timer.DEADLINE, now_ms + self._request.deadline_s * 1000)
        self._begin()
        return self._outbox.take(self.outcome)

    def feed(self, data: bytes, now_ms: float) -> Step:
        """Take bytes of the app-server's stdout."""
        self._now_ms = self._last_message_ms = now_ms
        for message in self._outbox.receive(data, now_ms):
            self._on_message(message)
        self.queue.record_foreign()
        return self._outbox.take(self.outcome)

    def tick(self, now_ms: float) -> Step:
        """Handle the timers that are due."""
        self._now_ms = now_ms
        for timer in self._timers.take_due(now_ms):  # none once there is an outcome
            _ON_DUE[timer](self)
        return self._outbox.take(self.outcome)

    def look_at_queue(self, now_ms: float) -> Step:
        """Codex's queues have changed on disk: while the turn runs, messages in its thread's queue are taken out."""
        self._now_ms = now_ms
        self.queue.check(now_ms)
        return self._outbox.take(self.outcome)

    def stop(self, cause: Cause, now_ms: float) -> Step:
        """Interrupt the turn; it ends within the STOP limit, whatever the app-server does."""
        self._now_ms = now_ms
        self._stop(cause)
        return self._outbox.take(self.outcome)

    def serve(self, asked: ShellRequest, now_ms: float) -> Step:
        """Serve a request of another shell; a step has the reply with its tag, now or later."""
        self._now_ms = now_ms
        self._shell_requests.serve(asked, now_ms)
        return self._outbox.take(self.outcome)

    def hear_session(self, lines: Iterable[bytes], now_ms: float) -> Step:
        """Take lines of the thread's session file for an ended turn: refused calls that the wire did not report."""
        self._outbox.hear_session(lines, now_ms)
        return self._outbox.take(self.outcome)

    def end(self, error: TurnError, now_ms: float, *, is_collision: bool = False) -> Step:
        """The app-server is gone or out of reach: end with `error`, unless the turn had ended or was being stopped.

        Args:
            is_collision: whether it exited because of a collision with another one. Where the turn has not been sent,
                another one is then started after a delay, within the limit of the backoff.
        """
        self._now_ms = now_ms
        for message in self._outbox.receive_rest(now_ms):
            self._on_message(message)
        if is_collision and not self._handshake.is_turn_sent and self.outcome is None:
            delay_ms = self._start_backoff.delay_ms(now_ms)
            if delay_ms is not None:
                self._requests.forget()
                self._timers.set(Timer.START, now_ms + delay_ms)
                return self._outbox.take(self.outcome)
            error = error._replace(message=f"{error.message} (started {self._start_backoff.failures} times)")
        self._outbox.adopt_early()
        if self.record.status is not None or self.record.error is not None or self._stop_cause is not None:
            self._finish(self._stop_cause or Cause.TURN_ENDED)
        else:
            self._own_error = self._own_error or error
            self._finish(Cause.FAILED)
        return self._outbox.take(self.outcome)

    def _on_message(self, message: Message) -> None:
        own = self._outbox.apply(message)
        kind = rpc.message_type(message)
        if kind is MessageType.RESPONSE:
            self._on_response(message)
        elif self.outcome is None and kind is not MessageType.INVALID:
            self.approvals.receive(message, self._now_ms)
        for notification in own:
            self._after_own_notification(notification["method"])

    def _after_own_notification(self, method: str) -> None:
        """Update what we wait for after a notification of our turn."""
        record = self.record
        is_delta = method == "item/agentMessage/delta"
        if is_delta and record.status is None and not self._timers.is_running(Timer.RETRIES):
            return  # the hot path: nothing that we wait for can have changed
        self.queue.on_notification(method, self._now_ms)
        if self.outcome is not None:
            return
        if self._handshake.is_policy_announced and self._request.is_wider(record.settings):
            self._refuse_policy()
        if record.status is not None:
            self._finish(self._stop_cause or Cause.TURN_ENDED)
            return
        self._await(Timer.RETRIES, record.is_retrying)
        self._await(Timer.COMPLETION, record.error is not None or (record.is_idle and record.has_started))
        if method == "turn/started" and self._stop_cause is not None:
            self._interrupt()

    def _await(self, timer: Timer, is_awaited: bool) -> None:
        if is_awaited:
            self._timers.start_once(timer, self._now_ms)
        else:
            self._timers.clear(timer)

    def _on_response(self, message: Message) -> None:
        asked = self._requests.answered(message, self._now_ms)
        if asked is None or self.queue.answered(asked, message, self._now_ms) or self.outcome is not None:
            return
        error, is_given_up = message.get("error"), asked.backoff.is_exhausted
        self._shell_requests.steering.answered(asked, error)
        refusal = error if isinstance(error, dict) else {}
        if error is not None and (is_given_up or not is_tolerated(asked.method, refusal)):
            times = asked.backoff.failures if is_given_up else None
            self._own_error = failures.error_of_refusal(asked.method, refusal, times)
            self._finish(Cause.FAILED)
        else:
            self._on_result(asked.method, message.get("result"))

    def _on_result(self, method: str, result: Any) -> None:
        if method == "thread/turns/list":
            self._on_stored_turns(result if isinstance(result, dict) else {})
            return
        problem = self._handshake.on_reply(method, result, self._now_ms)
        if problem is not None:
            self._own_error = problem
            self._finish(Cause.FAILED)

    def _on_stored_turns(self, result: Message) -> None:
        """The reply to a reconciliation: Codex's own record of the turn decides."""
        record = self.record
        record.adopt_stored_turns(result.get("data"))
        if record.status is None and record.is_idle and record.answer is not None:
            record.status = "completed"  # idle with a whole final answer: only its notification was lost
        self._finish(self._stop_cause or (Cause.TURN_ENDED if record.status is not None else Cause.STALLED))

    def _begin(self) -> None:
        self._last_message_ms = self._now_ms
        self._timers.start(Timer.STALL, self._now_ms)
        self._handshake.begin(self._now_ms)

    def _fail(self, kind: ErrorKind, message: str) -> None:
        self._own_error = failures.make_error(kind, message)
        self._finish(Cause.FAILED)

    def _refuse_policy(self) -> None:
        if self._own_error is None:
            self._own_error = too_wide()
            self._stop(Cause.FAILED)

    def _stop(self, cause: Cause) -> None:
        if self._stop_cause is not None or self.outcome is not None:
            return
        self._stop_cause = cause
        if not self._handshake.is_turn_sent or self._requests.cancel_retries(TURN_STARTERS):
            self._finish(cause)
            return
        self._timers.start(Timer.STOP, self._now_ms)
        self._interrupt()

    def _interrupt(self) -> None:
        """Request the interrupt, repeatedly: before `turn/started` it is refused and the turn runs on."""
        if self.record.turn_id is not None and self.record.has_started:
            params = {"threadId": self.record.thread_id, "turnId": self.record.active_turn_id or self.record.turn_id}
            self._requests.ask("turn/interrupt", params, self._now_ms)
            self._timers.start(Timer.INTERRUPT, self._now_ms)

    def _reconcile(self) -> None:
        if self.record.turn_id is None:
            self._finish(Cause.STALLED)
            return
        page = {"limit": 5, "itemsView": "full"}
        self._requests.ask("thread/turns/list", {"threadId": self.record.thread_id, **page}, self._now_ms)
        self._timers.start(Timer.RECONCILE, self._now_ms)

    def _finish(self, cause: Cause) -> None:
        if self.outcome is None:
            self._outbox.adopt_early()
            self.outcome = decide(self.record, cause, self._request, error=self._own_error)
            self._shell_requests.close()
            self.queue.close(self._now_ms)
            self._timers.clear_all()

    def _on_request_timeout(self) -> None:
        """A lost reply ends the turn only where it never began."""
        overdue = self._requests.drop_overdue(self._now_ms)
        methods = " and ".join(asked.method for asked in overdue)
        for asked in overdue:
            self.queue.answered(asked, {}, self._now_ms)
            self._shell_requests.steering.answered(asked, {"message": "Codex did not answer"})
        self._outbox.adopt_early()
        if self.record.turn_id is None:
            limit_s = max(self._now_ms - asked.sent_ms for asked in overdue) / 1000
            self._fail(ErrorKind.PROTOCOL, f"Codex did not answer {methods} within {limit_s:.0f} s.")
        else:
            self._after_own_notification("turn/started")  # known without the reply

    def _on_completion_due(self) -> None:
        if self.record.error is not None:
            self._finish(self._stop_cause or Cause.TURN_ENDED)
        else:
            self._reconcile()

    def _on_stall_due(self) -> None:
        """Silence is a stall only where nothing is open: a command and the user may be silent, an open message not."""
        quiet_until_ms = max(self._last_message_ms + LIMIT_MS[Timer.STALL], self._requests.silence_allowed_until_ms)
        types = {item.get("type") for item in self.record.open_items.values()}
        if quiet_until_ms > self._now_ms or self.approvals.pending or types - {"agentMessage"}:
            self._timers.set(Timer.STALL, max(quiet_until_ms, self._now_ms + STALL_CHECK_MS))
        else:
            self._reconcile()


_ON_DUE: dict[Timer, Callable[[Session], None]] = {
    Timer.REQUEST: Session._on_request_timeout,
    Timer.STOP: lambda session: session._finish(session._stop_cause or Cause.STALLED),
    Timer.INTERRUPT: Session._interrupt,
    Timer.COMPLETION: Session._on_completion_due,
    Timer.RECONCILE: lambda session: session._finish(session._stop_cause or Cause.STALLED),
    Timer.STALL: Session._on_stall_due,
    Timer.RETRIES: lambda session: session._stop(Cause.STALLED),
    Timer.DEADLINE: lambda session: session._stop(Cause.DEADLINE),
    Timer.AGAIN: lambda session: session._requests.send_due_retries(session._now_ms),
    Timer.APPROVAL: lambda session: session.approvals.expire(session._now_ms),
    Timer.START: Session._begin,
}
