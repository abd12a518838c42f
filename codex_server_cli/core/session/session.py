"""The state machine of one turn: bytes in, decisions out. Owns what is sent to the app-server, and when a turn is over.

Each method takes the time and returns a `Step` for the caller to do: record, show, start an app-server, send, and once,
finish. Must never read a clock, touch a file or know a process. `handshake` opens a turn, `record` holds what the
messages prove, and `outcome` decides what an end means; `shared` has what another server than our own takes. Protocol
facts: notes, sections 1 to 6, and transport notes, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.terms import OWN_SERVER, ServerTerms
from codex_server_cli.core.model.timers import LIMIT_MS, STALL_CHECK_MS, Timer, Timers
from codex_server_cli.core.model.turn import Phase, TurnError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message, MessageType, object_at
from codex_server_cli.core.record.attach.attachment import waits_for_nobody
from codex_server_cli.core.record.turn_record import THREAD_OPENERS, TURN_STARTERS, TurnRecord
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.outcome import Cause, Outcome, decide
from codex_server_cli.core.session.approvals import Approvals
from codex_server_cli.core.session.backoff import Backoff
from codex_server_cli.core.session.control import ShellRequest, ShellRequests
from codex_server_cli.core.session.handshake import Handshake, too_wide
from codex_server_cli.core.session.outbox import Outbox, Step
from codex_server_cli.core.session.requests import Requests, is_tolerated
from codex_server_cli.core.session.shared import reattach
from codex_server_cli.core.session.shared.closing import Closing
from codex_server_cli.core.session.shared.reattach import Found, Reattach
from codex_server_cli.core.session.thread_queue import QueueKeeper
from codex_server_cli.errors import ErrorKind


class Session:
    """Drive one turn. Callers may read `record` and `queue`; `wakeup_ms` says when to call `tick` at the latest.

    Args:
        server: how the turn stands to its app-server.
    """

    def __init__(
        self, request: TurnRequest, prompt: str, client_version: str, server: ServerTerms = OWN_SERVER
    ) -> None:
        self.outcome: Outcome | None = None
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
        self._closing = Closing(self._outbox, self._requests, self._timers)
        self._now_ms = 0.0
        self._stop_cause: Cause | None = None
        self._cause: Cause | None = None  # why the turn is over, once it is
        self._own_error: TurnError | None = None
        self._has_resent = False  # the prompt, as Codex had not got it

    @property
    def record(self) -> TurnRecord:
        """What is known of the turn."""
        return self._outbox.record

    @property
    def phase(self) -> Phase:
        """What the turn is doing."""
        if self.is_closing:
            return Phase.FINISHING
        if self._reattach.is_away:
            return Phase.RETRYING
        return self.approvals.phase or self.record.phase

    @property
    def is_closing(self) -> bool:
        """Whether the turn is over, and what it left on a shared app-server is being ended; `outcome` comes then."""
        return self._cause is not None and self.outcome is None

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
        self._now_ms = now_ms
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
        if is_collision and not self._handshake.is_turn_sent and self._cause is None:
            delay_ms = self._start_backoff.delay_ms(now_ms)
            if delay_ms is not None:
                self._requests.forget()
                self._timers.set(Timer.START, now_ms + delay_ms)
                return self._outbox.take(self.outcome)
            error = error._replace(message=f"{error.message} (started {self._start_backoff.failures} times)")
        self._end(error)
        return self._outbox.take(self.outcome)

    def lost(self, error: TurnError, now_ms: float, *, is_final: bool = False) -> Step:
        """The connection to a shared app-server was lost, or could not be made again: the turn may run on there.

        A later `tick` asks for another connection, where one is to be made, as for the start of an app-server.

        Args:
            is_final: whether that server is gone for certain, without another one in its place.
        """
        self._now_ms = now_ms
        if self.outcome is None:
            self._on_lost(error, is_final=is_final)
        return self._outbox.take(self.outcome)

    def _end(self, error: TurnError) -> None:
        """Nothing more can be asked."""
        self._outbox.adopt_early()
        if self.record.status is None and self.record.error is None and self._stop_cause is None:
            self._own_error = self._own_error or error
            self._finish(Cause.FAILED, is_gone=True)
        else:
            self._finish(self._stop_cause or Cause.TURN_ENDED, is_gone=True)

    def _on_lost(self, error: TurnError, *, is_final: bool) -> None:
        for timer in (Timer.STALL, Timer.RETRIES, Timer.COMPLETION, Timer.INTERRUPT, Timer.RECONCILE):
            self._timers.clear(timer)
        self._shell_requests.steering.lose()
        self.queue.lose()
        self._requests.forget()
        is_over = self.is_closing and not self._closing.is_unfinished
        if is_over or is_final or not self._reattach.lose(error, self._now_ms):
            self._end(error if is_final else self._reattach.error or error)

    def _on_found(self, found: Found, message: Message) -> None:
        """A reply over another connection."""
        if found is Found.NOTHING_YET:
            return
        if found is Found.NO_TURN and not self._has_resent and self._cause is self._stop_cause is None:
            self._has_resent = True
            self._begin_anew()
            return
        self.queue.regain(self._now_ms)
        self._timers.start(Timer.STALL, self._now_ms)
        if waits_for_nobody(object_at(message, "result")):
            self.approvals.withdraw()
        is_cut = self.record.status == "interrupted" and self._stop_cause is None
        if self.is_closing:
            self._closing.connected(self._now_ms, is_subscribed=self._reattach.is_subscribed)
        elif found is not Found.OUR_TURN or is_cut:  # nobody asked for the interrupt: the turn went with its server
            self._own_error = self._reattach.error
            self._finish(self._stop_cause or Cause.FAILED)
        elif self._stop_cause is not None:
            self._interrupt()

    def _on_message(self, message: Message) -> None:
        own = self._outbox.apply(message)
        kind = rpc.message_type(message)
        if kind is MessageType.RESPONSE:
            self._on_response(message)
        elif self._cause is None and kind is not MessageType.INVALID:
            self.approvals.receive(message, self._now_ms)
        for notification in own:
            self._after_own_notification(notification["method"])
        if self.is_closing:
            self._closing.heard(self._now_ms)
            if not self._closing.is_open:
                self._close()

    def _after_own_notification(self, method: str) -> None:
        """Update what we wait for after a notification of our turn."""
        record = self.record
        is_delta = method == "item/agentMessage/delta"
        if is_delta and record.status is None and not self._timers.is_running(Timer.RETRIES):
            return  # the hot path: nothing that we wait for can have changed
        self.queue.on_notification(method, self._now_ms)
        if self._cause is not None:
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
        if asked is None or self.queue.answered(asked, message, self._now_ms):
            return
        if asked.tag == reattach.TAG:
            self._on_found(self._reattach.answered(asked, message, self._now_ms), message)
            return
        if self._closing.answered(asked, message, self._now_ms) or self._cause is not None:
            return
        error, is_given_up = message.get("error"), asked.backoff.is_exhausted
        self._shell_requests.steering.answered(asked, error)
        refusal = error if isinstance(error, dict) else {}
        if self._server.is_shared and failures.is_draining(refusal) and asked.method in THREAD_OPENERS | TURN_STARTERS:
            self._handshake.is_turn_sent = False  # it was refused: another server will take its place
            self._on_lost(failures.error_of_refusal(asked.method, refusal), is_final=False)
        elif error is not None and (is_given_up or not is_tolerated(asked.method, refusal)):
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
        """Have an app-server started, or connected to: to begin, or to find our turn there."""
        self._outbox.heard_ms = self._now_ms
        if self._handshake.is_turn_sent:
            self._reattach.connect(self._now_ms)
        else:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._reattach.begin_anew(self._now_ms)
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
        if self._stop_cause is not None or self._cause is not None:
            return
        self._stop_cause = cause
        if not self._handshake.is_turn_sent or self._requests.cancel_retries(TURN_STARTERS):
            self._finish(cause)
            return
        self._timers.start(Timer.STOP, self._now_ms)
        self._interrupt()

    def _interrupt(self) -> None:
        """Request the interrupt, repeatedly: before `turn/started` it is refused and the turn runs on."""
        if self.is_closing:
            self._closing.go_on(self._now_ms)
        elif self._reattach.is_mute:
            pass  # until there is a connection again
        elif self.record.turn_id is not None and self.record.has_started:
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

    def _finish(self, cause: Cause, *, is_gone: bool = False) -> None:
        """The turn is over; on a shared app-server, the outcome waits for what is left of it there.

        Args:
            is_gone: whether nothing can be asked any more.
        """
        if self._cause is None:
            self._outbox.adopt_early()
            self._cause = cause
            self._shell_requests.close()
            self.queue.close(self._now_ms)
            is_to_connect = self._timers.is_running(Timer.START)
            self._timers.clear_all()
            may_run = self._handshake.is_turn_sent and self.record.status is None
            is_open = self.record.thread_id is not None and (may_run or not self._reattach.is_mute)
            if self._server.is_shared and is_open and not is_gone:
                self._closing.begin(self._now_ms, may_run=may_run)
                if is_to_connect:
                    self._timers.set(Timer.START, self._now_ms)
                elif not self._reattach.is_mute:
                    self._closing.connected(self._now_ms, is_subscribed=self._reattach.is_subscribed)
        if is_gone or not self._closing.is_open:
            self._close()

    def _close(self) -> None:
        """What was received last counts, too: a late end of the turn, its usage."""
        if self._cause is not None and self.outcome is None:
            self.outcome = decide(self.record, self._cause, self._request, error=self._own_error)
            self._timers.clear_all()

    def _on_request_timeout(self) -> None:
        """A lost reply ends the turn only where it never began."""
        overdue = self._requests.drop_overdue(self._now_ms)
        methods = " and ".join(asked.method for asked in overdue)
        for asked in overdue:
            self.queue.answered(asked, {}, self._now_ms)
            self._shell_requests.steering.answered(asked, {"message": "Codex did not answer"})
        self._outbox.adopt_early()
        if self._reattach.is_away:
            names = f"Codex did not answer {methods}"
            self._own_error = failures.make_error(ErrorKind.NETWORK, f"The connection was lost, and then {names}.")
            self._finish(self._stop_cause or Cause.FAILED)
        elif self.record.turn_id is None:
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
        quiet_until_ms = max(self._outbox.heard_ms + LIMIT_MS[Timer.STALL], self._requests.silence_allowed_until_ms)
        may_run = self.approvals.pending or self.record.attachment.may_hide_items
        types = {item.get("type") for item in self.record.open_items.values()}
        if quiet_until_ms > self._now_ms or may_run or types - {"agentMessage"}:
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
    Timer.POLL: lambda session: session._reattach.look(session._now_ms),
    Timer.CLOSING: Session._close,
}
