"""Approval requests of one turn, and the decision on each. Owns their timeout, and every refusal.

Every server request gets a reply: at once, or by the user's decision before its timeout; without one it is declined
(design, section 6). Must never know who decides, or how they are reached.
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.request import Approval, TurnRequest
from codex_server_cli.core.model.timers import Timer, Timers
from codex_server_cli.core.model.turn import Phase
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message, params_of
from codex_server_cli.core.record.approval_request import (
    ApprovalRequest,
    RequestKind,
    declining,
    granting,
    read_request,
)
from codex_server_cli.core.record.decisions import TIMEOUT
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.errors import BadInputError, NotFoundError

_MOST_NAMED = 10


class Decision(NamedTuple):
    """A decision of the user, sent from another shell.

    Attributes:
        tag: identifies the reply to that shell.
        op: `approve`, `decline` or `reply`.
        request: its id; None for the only one.
        is_for_session: whether an approval holds beyond this request.
        answers: by question id; only used by `reply`.
    """

    tag: str
    op: str
    request: str | None
    is_for_session: bool
    answers: dict[str, list[str]]


class Approvals:
    """Receives requests, keeps them until they are decided, and replies.

    Attributes:
        pending: undecided requests, oldest first; a new tuple on every change.
    """

    def __init__(self, request: TurnRequest, outbox: Outbox, timers: Timers) -> None:
        self.pending: tuple[ApprovalRequest, ...] = ()
        self._request = request
        self._outbox = outbox
        self._timers = timers
        self._closed: dict[str, str] = {}  # how each closed request ended, by id
        self._forms_closed: set[bool] = set()  # their `wants_answers`
        self._answered: dict[str | int, tuple[ApprovalRequest, Message, str | None]] = {}  # and how, by wire id

    @property
    def phase(self) -> Phase | None:
        """What the turn waits for; None if nothing is pending."""
        if not self.pending:
            return None
        is_asked = all(request.wants_answers for request in self.pending)
        return Phase.WAITING_INPUT if is_asked else Phase.WAITING_APPROVAL

    def receive(self, message: Message, now_ms: float) -> None:
        """Handle a message: a server request is kept or refused, a notification may withdraw one."""
        if "id" in message:
            self._receive_request(message, now_ms)
        elif message["method"] == "serverRequest/resolved":  # Codex no longer waits, whichever client replied
            wire_id = params_of(message).get("requestId")
            self._close([each for each in self.pending if each.wire_id == wire_id], "was taken back by Codex")

    def _receive_request(self, message: Message, now_ms: float) -> None:
        """Keep a request that the user can decide in this turn; refuse any other at once."""
        record = self._outbox.record
        request = read_request(message, record.items_asked_about, now_ms, self._request.approval_timeout_s)
        if request is not None and self._is_again(request, now_ms):
            return
        if request is None or not self._is_wanted(request):
            refusal = rpc.refusal(message, f"codex-server does not answer {message['method']}")
            self._outbox.send(refusal, now_ms)
            return
        self._set_pending((*self.pending, request))

    def _is_again(self, request: ApprovalRequest, now_ms: float) -> bool:
        """Whether Codex repeats a request over a new connection; an answered one gets the same reply again."""
        if any(request.is_again_of(each) for each in self.pending):
            return True
        known = self._answered.get(request.wire_id)
        if known is None or not request.is_again_of(known[0]):
            return False
        self._outbox.send({"id": request.wire_id, "result": known[1]}, now_ms, known[2])
        return True

    def withdraw(self) -> None:
        """Codex reports over a new connection that nothing is pending: all requests were resolved meanwhile."""
        self._close(list(self.pending), "was taken back by Codex")

    def decide(self, decision: Decision, now_ms: float) -> ApprovalRequest:
        """Apply a decision.

        Returns:
            The request that was decided.

        Raises:
            NotFoundError: there is no such request, or it is closed.
            BadInputError: the decision is invalid for it. In both cases nothing changes.
        """
        self.expire(now_ms)  # a timeout may have passed without a tick: the machine slept, or the worker was suspended
        request = self._find(decision.request, decision.op)
        match decision.op:
            case "decline":
                result, ending = declining(request), "was declined"
            case "approve":
                result, ending = self._grant(request, is_for_session=decision.is_for_session), "was approved"
            case _:
                result, ending = self._answer(request, decision.answers), "was answered"
        self._reply(request, result, ending, now_ms)
        return request

    def expire(self, now_ms: float) -> None:
        """Decline the requests whose timeout has passed."""
        for request in [each for each in self.pending if each.expires_ms <= now_ms]:
            self._reply(request, declining(request), "was declined when its time was over", now_ms, TIMEOUT)
        self._set_timer()

    def close(self) -> None:
        """Close all requests: the turn is over."""
        self._close(list(self.pending), "went with its turn")

    # --- which are kept

    def _is_wanted(self, request: ApprovalRequest) -> bool:
        if request.kind is RequestKind.QUESTION:
            return self._request.may_ask_questions or self._request.is_plan
        return self._request.approval is Approval.ASK

    def _find(self, id_: str | None, op: str) -> ApprovalRequest:
        if id_ is None:
            return self._find_only(is_consent=op != "decline")
        for request in self.pending:
            if request.id == id_:
                return request
        how = self._closed.get(id_)
        raise NotFoundError(f"request {id_} {how}" if how else f"there is no request {id_!r}", hint=self._pending_hint)

    def _find_only(self, *, is_consent: bool) -> ApprovalRequest:
        """The request of a decision without an id: the only pending one; for consent, if none of its type was closed.

        The user may have seen an earlier request, and mean that one. A text answer cannot be meant for an approval, nor
        vice versa.
        """
        if not self.pending:
            raise NotFoundError("nothing waits for an answer", hint=self._pending_hint)
        if len(self.pending) == 1 and not (is_consent and self.pending[0].wants_answers in self._forms_closed):
            return self.pending[0]
        waiting = ", ".join(request.id for request in self.pending[:_MOST_NAMED])
        more = f" and {len(self.pending) - _MOST_NAMED} more" if len(self.pending) > _MOST_NAMED else ""
        raise BadInputError(
            f"this turn has asked several times; now waits: {waiting}{more}", hint="Name the one meant."
        )

    @property
    def _pending_hint(self) -> str:
        return f"codex-server pending {self._request.turn_id} shows what waits."

    # --- replies

    def _grant(self, request: ApprovalRequest, *, is_for_session: bool) -> Message:
        if request.wants_answers:
            raise BadInputError(f"request {request.id} asks for words", hint="Use reply, or decline.")
        if is_for_session and not request.can_last:
            raise BadInputError(f"request {request.id} can only be approved once", hint="Leave --session out.")
        return granting(request, is_for_session=is_for_session)

    def _answer(self, request: ApprovalRequest, answers: dict[str, list[str]]) -> Message:
        if not request.wants_answers:
            raise BadInputError(f"request {request.id} asks for no words", hint="Use approve or decline.")
        from codex_server_cli.core.session.approval_answers import (
            AnswerError,
            answering,
        )  # imports the schema checks, which few turns need

        try:
            return answering(request, answers)
        except AnswerError as error:
            raise BadInputError(str(error), hint="Nothing was sent; ask with pending, and reply again.") from error

    def _reply(
        self, request: ApprovalRequest, result: Message, ending: str, now_ms: float, why: str | None = None
    ) -> None:
        self._outbox.send({"id": request.wire_id, "result": result}, now_ms, why)
        self._answered[request.wire_id] = (request, result, why)
        self._close([request], ending)

    def _close(self, requests: list[ApprovalRequest], ending: str) -> None:
        if requests:
            self._closed |= {request.id: ending for request in requests}
            self._forms_closed |= {request.wants_answers for request in requests}
            self._set_pending(tuple(each for each in self.pending if each not in requests))

    def _set_pending(self, pending: tuple[ApprovalRequest, ...]) -> None:
        self.pending = pending
        self._set_timer()

    def _set_timer(self) -> None:
        if self.pending:
            self._timers.set(Timer.APPROVAL, min(request.expires_ms for request in self.pending))
        else:
            self._timers.clear(Timer.APPROVAL)
