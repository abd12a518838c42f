"""The state machine of one turn: bytes in, decisions out. Owns what is sent to the app-server, and when a turn is over.

Each method takes the time and returns a `Step` for the caller to do: record, show, start an app-server, send, and once,
finish. Must never read a clock, touch a file or know a process. `handshake` opens a turn, `record` holds the facts from
messages, and `outcome` decides what an end means; `shared` handles shared app-servers. Protocol facts: notes, sections
1 to 6, and transport notes, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.terms import OWN_SERVER, ServerTerms
from codex_server_cli.core.model.timers import LIMIT_MS, STALL_CHECK_MS, Timer, Timers
from codex_server_cli.core.model.turn import Phase, TurnError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message, MessageType
from codex_server_cli.core.record.turn_record import THREAD_OPENERS, TURN_STARTERS, TurnRecord
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.outcome import Cause, Outcome
from codex_server_cli.core.session.approvals import Approvals
from codex_server_cli.core.session.backoff import Backoff
from codex_server_cli.core.session.control import ShellRequest, ShellRequests
from codex_server_cli.core.session.end.turn_end import TurnEnd
from codex_server_cli.core.session.handshake import Handshake
from codex_server_cli.core.session.outbox import Outbox, Step
from codex_server_cli.core.session.requests import Requests, is_tolerated
from codex_server_cli.core.session.shared.connection import Connection
from codex_server_cli.core.session.shared.reattach import Reattach
from codex_server_cli.core.session.thread_queue import QueueKeeper
from codex_server_cli.errors import ErrorKind


class Session:
    """Drive one turn. Callers may read `record` and `queue`; `wakeup_ms` is the latest time to call `tick`.

    Args:
        server: properties of the turn's app-server.
    """

    def __init__(
        self, request: TurnRequest, prompt: str, client_version: str, server: ServerTerms = OWN_SERVER
    ) -> None:
        self._request = request
        self._server = server
        self._outbox = Outbox(is_shared=server.is_shared)
        self._timers = Timers()
        self._requests = Requests(self._outbox, self._timers, request.turn_id)
        self._handshake = Handshake(request, prompt, client_version, self._outbox, self._requests, server)
        self.queue = QueueKeeper(request, self._outbox, self._requests, lambda: self._handshake.has_policy)
        self._shell_requests = ShellRequests(request, self._outbox, self._requests, self._timers)
        self._start_backoff = Backoff(f"{request.turn_id} app-server")
        self._reattach = Reattach(request, self._handshake, self._outbox, self._requests, self._timers)
        wire = (self._outbox, self._requests, self._timers, self._handshake)
        others = (self._shell_requests, self.queue, self._reattach)
        self._turn_end = TurnEnd(request, server, *wire, *others)
        self._connection = Connection(*wire, *others, self._turn_end)

    @property
    def outcome(self) -> Outcome | None:
        """How the turn ended, after the cleanup."""
        return self._turn_end.outcome

    @property
    def record(self) -> TurnRecord:
        """The known facts of the turn."""
        return self._outbox.record

    @property
    def phase(self) -> Phase:
        """What the turn is doing."""
        if self.is_closing:
            return Phase.FINISHING
        if self._reattach.is_reattaching:
            return Phase.RETRYING
        return self.approvals.phase or self.record.phase

    @property
    def is_closing(self) -> bool:
        """Whether the turn is over, and `outcome` waits for the cleanup on a shared app-server."""
        return self._turn_end.is_closing

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
        if self._request.deadline_s is not None:
            self._timers.set(Timer.DEADLINE, now_ms + self._request.deadline_s * 1000)
        self._connection.begin(now_ms)
        return self._outbox.take(self.outcome)

    def feed(self, data: bytes, now_ms: float) -> Step:
        """Take bytes of the app-server's stdout."""
        for message in self._outbox.receive(data, now_ms):
            self._on_message(message, now_ms)
        self.queue.record_foreign()
        return self._outbox.take(self.outcome)

    def tick(self, now_ms: float) -> Step:
        """Handle the timers that are due."""
        for timer in self._timers.take_due(now_ms):  # none once there is an outcome
            _ON_DUE[timer](self, now_ms)
        return self._outbox.take(self.outcome)

    def look_at_queue(self, now_ms: float) -> Step:
        """Codex's queues have changed on disk: take messages out of the thread's queue while the turn runs."""
        self.queue.check(now_ms)
        return self._outbox.take(self.outcome)

    def stop(self, cause: Cause, now_ms: float) -> Step:
        """Interrupt the turn; it always ends within the STOP limit, even if the app-server does not respond."""
        self._turn_end.stop(cause, now_ms)
        return self._outbox.take(self.outcome)

    def serve(self, asked: ShellRequest, now_ms: float) -> Step:
        """Serve a request of another shell; a step has the reply with its tag, now or later."""
        self._shell_requests.serve(asked, now_ms)
        return self._outbox.take(self.outcome)

    def hear_session(self, lines: Iterable[bytes], now_ms: float) -> Step:
        """Take lines of the thread's session file for an ended turn: refused calls that the wire did not report."""
        self._outbox.hear_session(lines, now_ms)
        return self._outbox.take(self.outcome)

    def end(self, error: TurnError, now_ms: float, *, is_collision: bool = False) -> Step:
        """The app-server is gone or out of reach: end with `error`, unless the turn had ended or was being stopped.

        Args:
            is_collision: whether it exited because of a collision with another one. If the turn has not been sent, a
                new one is then started after a delay, within the limit of the backoff.
        """
        for message in self._outbox.receive_rest(now_ms):
            self._on_message(message, now_ms)
        if is_collision and not self._handshake.is_turn_sent and self._turn_end.cause is None:
            delay_ms = self._start_backoff.delay_ms(now_ms)
            if delay_ms is not None:
                self._requests.forget()
                self._timers.set(Timer.START, now_ms + delay_ms)
                return self._outbox.take(self.outcome)
            error = error._replace(message=f"{error.message} (started {self._start_backoff.failures} times)")
        self._turn_end.lose(error, now_ms)
        return self._outbox.take(self.outcome)

    def lost(self, error: TurnError, now_ms: float, *, is_final: bool = False) -> Step:
        """The connection to a shared app-server was lost, or reconnecting failed: the turn may continue there.

        If a reconnection is possible, a later `tick` requests it, like the start of an app-server.

        Args:
            is_final: whether that server is certainly gone, without a replacement.
        """
        if self.outcome is None:
            self._connection.lost(error, now_ms, is_final=is_final)
        return self._outbox.take(self.outcome)

    def _on_message(self, message: Message, now_ms: float) -> None:
        own = self._outbox.apply(message)
        kind = rpc.message_type(message)
        if kind is MessageType.RESPONSE:
            self._on_response(message, now_ms)
        elif self._turn_end.cause is None and kind is not MessageType.INVALID:
            self.approvals.receive(message, now_ms)
        for notification in own:
            self._after_own_notification(notification["method"], now_ms)
        self._turn_end.heard(now_ms)

    def _after_own_notification(self, method: str, now_ms: float) -> None:
        """Update what we wait for after a notification of our turn."""
        record = self.record
        is_delta = method == "item/agentMessage/delta"
        if is_delta and record.status is None and not self._timers.is_running(Timer.RETRIES):
            return  # the hot path: nothing that we wait for can have changed
        self.queue.on_notification(method, now_ms)
        if self._turn_end.cause is not None:
            return
        if self._handshake.is_policy_announced and self._request.is_wider(record.settings):
            self._turn_end.refuse_policy(now_ms)
        if record.status is not None:
            self._turn_end.end(Cause.TURN_ENDED, now_ms)
            return
        self._await(Timer.RETRIES, record.is_retrying, now_ms)
        self._await(Timer.COMPLETION, record.error is not None or (record.is_idle and record.has_started), now_ms)
        if method == "turn/started" and self._turn_end.stop_cause is not None:
            self._turn_end.interrupt(now_ms)

    def _await(self, timer: Timer, is_awaited: bool, now_ms: float) -> None:
        if is_awaited:
            self._timers.start_once(timer, now_ms)
        else:
            self._timers.clear(timer)

    def _on_response(self, message: Message, now_ms: float) -> None:
        asked = self._requests.answered(message, now_ms)
        if asked is None or self.queue.answered(asked, message, now_ms):
            return
        if self._connection.answered(asked, message, now_ms) or self._turn_end.answered(asked, message, now_ms):
            return
        error, is_given_up = message.get("error"), asked.backoff.is_exhausted
        self._shell_requests.steering.answered(asked, error)
        refusal = error if isinstance(error, dict) else {}
        times = asked.backoff.failures if is_given_up else None
        if self._server.is_shared and asked.method in _OPENERS and failures.is_draining(refusal):
            self._connection.refused(failures.error_of_refusal(asked.method, refusal), now_ms)
        elif error is not None and (is_given_up or not is_tolerated(asked.method, refusal)):
            self._turn_end.fail(failures.error_of_refusal(asked.method, refusal, times), now_ms)
        else:
            self._on_result(asked.method, message.get("result"), now_ms)

    def _on_result(self, method: str, result: Any, now_ms: float) -> None:
        if method == "thread/turns/list":
            self._turn_end.on_stored_turns(result if isinstance(result, dict) else {}, now_ms)
            return
        problem = self._handshake.on_reply(method, result, now_ms)
        if problem is not None:
            self._turn_end.fail(problem, now_ms)

    def _on_request_timeout(self, now_ms: float) -> None:
        """A lost reply ends the turn only if it never began."""
        overdue = self._requests.drop_overdue(now_ms)
        methods = " and ".join(asked.method for asked in overdue)
        for asked in overdue:
            self.queue.answered(asked, {}, now_ms)
            self._shell_requests.steering.answered(asked, {"message": "Codex did not answer"})
        self._outbox.adopt_early()
        if self._connection.overdue(methods, now_ms):
            return
        if self.record.turn_id is None:
            limit_s = max(now_ms - asked.sent_ms for asked in overdue) / 1000
            message = f"Codex did not answer {methods} within {limit_s:.0f} s."
            self._turn_end.fail(failures.make_error(ErrorKind.PROTOCOL, message), now_ms)
        else:
            self._after_own_notification("turn/started", now_ms)  # known without the reply

    def _on_completion_due(self, now_ms: float) -> None:
        if self.record.error is not None:
            self._turn_end.end(Cause.TURN_ENDED, now_ms)
        else:
            self._turn_end.reconcile(now_ms)

    def _on_stall_due(self, now_ms: float) -> None:
        """Silence is a stall only if nothing is open: a command and the user may be silent, an open message may not."""
        quiet_until_ms = max(self._outbox.heard_ms + LIMIT_MS[Timer.STALL], self._requests.silence_allowed_until_ms)
        may_be_silent = self.approvals.pending or self.record.attachment.may_hide_items
        types = {item.get("type") for item in self.record.open_items.values()}
        if quiet_until_ms > now_ms or may_be_silent or types - {"agentMessage"}:
            self._timers.set(Timer.STALL, max(quiet_until_ms, now_ms + STALL_CHECK_MS))
        else:
            self._turn_end.reconcile(now_ms)


_OPENERS = THREAD_OPENERS | TURN_STARTERS

_ON_DUE: dict[Timer, Callable[[Session, float], None]] = {
    Timer.REQUEST: Session._on_request_timeout,
    Timer.STOP: lambda session, now_ms: session._turn_end.end(Cause.STALLED, now_ms),
    Timer.INTERRUPT: lambda session, now_ms: session._turn_end.interrupt(now_ms),
    Timer.COMPLETION: Session._on_completion_due,
    Timer.RECONCILE: lambda session, now_ms: session._turn_end.end(Cause.STALLED, now_ms),
    Timer.STALL: Session._on_stall_due,
    Timer.RETRIES: lambda session, now_ms: session._turn_end.stop(Cause.STALLED, now_ms),
    Timer.DEADLINE: lambda session, now_ms: session._turn_end.stop(Cause.DEADLINE, now_ms),
    Timer.AGAIN: lambda session, now_ms: session._requests.send_due_retries(now_ms),
    Timer.APPROVAL: lambda session, now_ms: session.approvals.expire(now_ms),
    Timer.START: lambda session, now_ms: session._connection.begin(now_ms),
    Timer.POLL: lambda session, now_ms: session._reattach.look(now_ms),
    Timer.CLOSING: lambda session, _: session._turn_end.close(),
}
