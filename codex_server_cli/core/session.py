"""The one-turn machine: bytes in, decisions out. Owns what is said to the app-server, and when a turn is over.

Each method takes the time and returns a `Step` for the caller to do: record, show, send, and once, finish. Must never
read a clock, touch a file or know a process. What the messages prove is `record`'s; what an end means is `outcome`'s.
Protocol facts: notes, sections 1 to 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codex_server_cli.core import failures, rpc
from codex_server_cli.core.exchange import Exchange, Step
from codex_server_cli.core.outcome import Cause, Outcome, decide
from codex_server_cli.core.record import TurnRecord
from codex_server_cli.core.request import TurnRequest
from codex_server_cli.core.rpc import Message, MessageType
from codex_server_cli.core.timers import LIMIT_MS, STALL_CHECK_MS, Timer, Timers
from codex_server_cli.core.turn import TurnError
from codex_server_cli.errors import ErrorKind

_TOLERATED = frozenset({"account/read", "turn/interrupt", "thread/turns/list"})
"""Requests whose refusal does not end the turn."""


class Session:
    """Drive one turn. `record` is open to readers; `wakeup_ms` says when to call `tick` at the latest."""

    def __init__(self, request: TurnRequest, prompt: str, client_version: str) -> None:
        self.outcome: Outcome | None = None
        self._request = request
        self._prompt = prompt
        self._client_version = client_version
        self._exchange = Exchange()
        self._timers = Timers()
        self._now_ms = 0.0
        self._last_message_ms = 0.0
        self._may_start = False  # the account was looked at
        self._is_turn_sent = False
        self._stop_cause: Cause | None = None
        self._own_error: TurnError | None = None

    # --- what the caller sees and does

    @property
    def record(self) -> TurnRecord:
        """What is known of the turn."""
        return self._exchange.record

    @property
    def wakeup_ms(self) -> float | None:
        """When `tick` is needed next."""
        return self._timers.next_ms

    @property
    def next_seq(self) -> int:
        """The number that the next event will bear."""
        return self._exchange.log.next_seq

    def start(self, now_ms: float) -> Step:
        """Open the conversation."""
        self._now_ms = self._last_message_ms = now_ms
        self._timers.start(Timer.STALL, now_ms)
        if self._request.deadline_s is not None:
            self._timers.set(Timer.DEADLINE, now_ms + self._request.deadline_s * 1000)
        client = {"name": "codex_server", "title": "codex-server", "version": self._client_version}
        self._ask("initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}})
        return self._take()

    def feed(self, data: bytes, now_ms: float) -> Step:
        """Take bytes of the app-server's stdout."""
        self._now_ms = self._last_message_ms = now_ms
        for message in self._exchange.receive(data, now_ms):
            self._on_message(message)
        return self._take()

    def tick(self, now_ms: float) -> Step:
        """Do what has become due."""
        self._now_ms = now_ms
        for timer in self._timers.take_due(now_ms):  # none once there is an outcome
            _ON_DUE[timer](self)
        return self._take()

    def stop(self, cause: Cause, now_ms: float) -> Step:
        """Interrupt the turn; it ends within the STOP limit, whatever the app-server does."""
        self._now_ms = now_ms
        self._stop(cause)
        return self._take()

    def end(self, error: TurnError, now_ms: float) -> Step:
        """The app-server is gone or out of reach: end with `error`, unless the turn had ended or was being stopped."""
        self._now_ms = now_ms
        for message in self._exchange.receive_rest(now_ms):
            self._on_message(message)
        self._settle()
        if self.record.status is not None or self.record.error is not None:
            self._finish(self._stop_cause or Cause.TURN_ENDED)
        elif self._stop_cause is not None:
            self._finish(self._stop_cause)
        else:
            self._own_error = self._own_error or error
            self._finish(Cause.FAILED)
        return self._take()

    # --- what comes

    def _on_message(self, message: Message) -> None:
        belonging = self.record.feed_in(message)
        self._exchange.show(belonging)
        if self.outcome is not None:
            return
        kind = rpc.message_type(message)
        if kind is MessageType.RESPONSE:
            self._on_response(message)
        elif kind is MessageType.REQUEST:
            # Undecided means declined: an error fails closed for every server request (notes, section 6).
            refusal = rpc.refusal(message, f"codex-server does not answer {message['method']}")
            self._exchange.send(refusal, self._now_ms)
        for news in belonging:
            self._after_news(news["method"])

    def _after_news(self, method: str) -> None:
        """See whether this notification of our turn changes what we wait for."""
        record = self.record
        if self.outcome is not None:
            return
        is_delta = method == "item/agentMessage/delta"
        if is_delta and record.status is None and not self._timers.is_running(Timer.RETRIES):
            return  # the hot path: nothing that we wait for can have changed
        if self._request.is_wider(record.settings):
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
        method = self._exchange.answered(message)
        if not self._exchange.is_awaiting:
            self._timers.clear(Timer.REQUEST)
        if method is None:
            return
        error = message.get("error")
        if error is not None and method not in _TOLERATED:
            refusal = error if isinstance(error, dict) else {}
            kind = failures.kind_of_refusal(refusal)
            self._fail(kind, f"Codex refused {method}: {failures.readable_message(refusal)}")
            return
        result = message.get("result")
        handler = _ON_REPLY.get(method)
        if handler is not None:
            handler(self, result if isinstance(result, dict) else {})

    def _on_initialized(self, _result: Message) -> None:
        self._exchange.send({"method": "initialized"}, self._now_ms)
        self._ask("account/read", {})
        self._ask(*self._request.open_thread())

    def _on_account(self, result: Message) -> None:
        """Look at the login again: the one that the launcher saw may be another one's (design, section 5)."""
        problem = self._request.account_problem(result)
        if problem is not None:
            self._fail(ErrorKind.AUTH, problem)
            return
        self._may_start = True
        self._start_turn()

    def _on_thread(self, _result: Message) -> None:
        if self._request.is_wider(self.record.settings):
            self._refuse_policy()
        else:
            self._start_turn()

    def _start_turn(self) -> None:
        thread_id = self.record.thread_id
        if self._may_start and thread_id is not None and not self._is_turn_sent and self.outcome is None:
            self._is_turn_sent = True
            self._ask("turn/start", self._request.start_turn(thread_id, self._prompt))

    def _on_stored_turns(self, result: Message) -> None:
        """The reply to a reconciliation: Codex's own record of the turn decides."""
        record = self.record
        record.adopt_stored_turns(result.get("data"))
        if record.status is None and record.is_idle and record.answer is not None:
            record.status = "completed"  # idle with a whole final answer: only the notice of it was lost
        self._finish(self._stop_cause or (Cause.TURN_ENDED if record.status is not None else Cause.STALLED))

    # --- what we do

    def _ask(self, method: str, params: Message) -> None:
        self._timers.start(Timer.REQUEST, self._now_ms)
        self._exchange.ask(method, params, self._now_ms)

    def _fail(self, kind: ErrorKind, message: str, **facts: Any) -> None:
        self._own_error = failures.make_error(kind, message, **facts)
        self._finish(Cause.FAILED)

    def _refuse_policy(self) -> None:
        if self._own_error is None:
            message = "Codex's effective sandbox allows more than was asked for; the turn was interrupted."
            self._own_error = failures.make_error(ErrorKind.SANDBOX, message)
            self._stop(Cause.FAILED)

    def _stop(self, cause: Cause) -> None:
        if self._stop_cause is not None or self.outcome is not None:
            return
        self._stop_cause = cause
        if not self._is_turn_sent:
            self._finish(cause)
            return
        self._timers.start(Timer.STOP, self._now_ms)
        self._interrupt()

    def _interrupt(self) -> None:
        """Ask for the interrupt, again and again: before `turn/started` it is refused and the turn runs on."""
        if self.record.turn_id is not None and self.record.has_started:
            self._ask("turn/interrupt", {"threadId": self.record.thread_id, "turnId": self.record.turn_id})
            self._timers.start(Timer.INTERRUPT, self._now_ms)

    def _reconcile(self) -> None:
        if self.record.turn_id is None:
            self._finish(Cause.STALLED)
            return
        params = {"threadId": self.record.thread_id, "limit": 5, "itemsView": "full"}
        self._ask("thread/turns/list", params)
        self._timers.start(Timer.RECONCILE, self._now_ms)

    def _settle(self) -> None:
        """Take the turn from what came early, where the reply that names it is overdue."""
        self._exchange.show(self.record.settle())

    def _finish(self, cause: Cause) -> None:
        if self.outcome is None:
            self._settle()
            self.outcome = decide(self.record, cause, self._request, error=self._own_error)
            self._timers.clear_all()

    def _take(self) -> Step:
        return self._exchange.take(self.outcome)

    # --- what becomes due

    def _on_request_timeout(self) -> None:
        """A lost reply is an end only where the turn never began."""
        self._settle()
        if self.record.turn_id is None:
            self._fail(ErrorKind.PROTOCOL, f"Codex did not answer within {LIMIT_MS[Timer.REQUEST] / 1000:.0f} s.")
        else:
            self._after_news("turn/started")  # told without the reply

    def _on_no_reaction(self) -> None:
        self._finish(self._stop_cause or Cause.STALLED)

    def _on_completion_due(self) -> None:
        if self.record.error is not None:
            self._finish(self._stop_cause or Cause.TURN_ENDED)
        else:
            self._reconcile()

    def _on_stall_due(self) -> None:
        """Silence is a stall only where no item is open: a long command is allowed to be quiet."""
        quiet_until_ms = self._last_message_ms + LIMIT_MS[Timer.STALL]
        if quiet_until_ms > self._now_ms or self.record.open_items:
            self._timers.set(Timer.STALL, max(quiet_until_ms, self._now_ms + STALL_CHECK_MS))
        else:
            self._reconcile()


_ON_REPLY: dict[str, Callable[[Session, Message], None]] = {
    "initialize": Session._on_initialized,
    "account/read": Session._on_account,
    "thread/start": Session._on_thread,
    "thread/resume": Session._on_thread,
    "thread/fork": Session._on_thread,
    "thread/turns/list": Session._on_stored_turns,
}
_ON_DUE: dict[Timer, Callable[[Session], None]] = {
    Timer.REQUEST: Session._on_request_timeout,
    Timer.STOP: Session._on_no_reaction,
    Timer.INTERRUPT: Session._interrupt,
    Timer.COMPLETION: Session._on_completion_due,
    Timer.RECONCILE: Session._on_no_reaction,
    Timer.STALL: Session._on_stall_due,
    Timer.RETRIES: lambda session: session._stop(Cause.STALLED),
    Timer.DEADLINE: lambda session: session._stop(Cause.DEADLINE),
}
