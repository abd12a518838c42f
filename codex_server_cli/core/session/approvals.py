"""The requests of one turn that wait for a person, and what becomes of each. Owns their time limit, and every refusal.

Any server request is answered: at once, or by a person before its time is over; undecided means declined (design,
section 6). Must never know who decides, or how they are reached.
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
    """What a person decided, as another shell said it.

    Attributes:
        tag: what the reply to that shell bears.
        op: `approve`, `decline` or `reply`.
        request: which request; None for the only one.
        is_for_session: whether an approval lasts.
        answers: by question id; only those of a reply count.
    """

    tag: str
    op: str
    request: str | None
    is_for_session: bool
    answers: dict[str, list[str]]


class Approvals:
    """Takes requests, keeps them until they are decided, and replies.

    Attributes:
        pending: what waits, oldest first; another tuple whenever that changes.
    """

    def __init__(self, request: TurnRequest, outbox: Outbox, timers: Timers) -> None:
        self.pending: tuple[ApprovalRequest, ...] = ()
        self._request = request
        self._outbox = outbox
        self._timers = timers
        self._closed: dict[str, str] = {}  # how each one that no longer waits ended
        self._forms_closed: set[bool] = set()  # and whether such a one wanted words

    @property
    def phase(self) -> Phase | None:
        """What the turn waits for; None where it waits for nobody."""
        if not self.pending:
            return None
        is_asked = all(request.wants_answers for request in self.pending)
        return Phase.WAITING_INPUT if is_asked else Phase.WAITING_APPROVAL

    def receive(self, message: Message, now_ms: float) -> None:
        """Take a message that is no reply: a server request is kept or refused, a notification may take one back."""
        if "id" in message:
            self._take(message, now_ms)
        elif message["method"] == "serverRequest/resolved":  # Codex no longer waits, whoever answered it
            wire_id = params_of(message).get("requestId")
            self._close([each for each in self.pending if each.wire_id == wire_id], "was taken back by Codex")

    def _take(self, message: Message, now_ms: float) -> None:
        """One that nobody was promised to be asked about is refused at once."""
        record = self._outbox.record
        request = read_request(message, record.items_asked_about, now_ms, self._request.approval_timeout_s)
        if request is None or not self._is_wanted(request):
            refusal = rpc.refusal(message, f"codex-server does not answer {message['method']}")
            self._outbox.send(refusal, now_ms)
            return
        self._keep((*self.pending, request))

    def decide(self, decision: Decision, now_ms: float) -> ApprovalRequest:
        """Carry a decision out.

        Returns:
            The request that was decided.

        Raises:
            NotFoundError: there is no such request, or not any more.
            BadInputError: it cannot be answered so. Nothing was changed, either way.
        """
        self.expire(now_ms)  # its time may be over though nobody looked: the machine slept, or the worker was stopped
        request = self._find(decision.request, decision.op)
        match decision.op:
            case "decline":
                result, words = declining(request), "was declined"
            case "approve":
                result, words = self._grant(request, is_for_session=decision.is_for_session), "was approved"
            case _:
                result, words = self._answer(request, decision.answers), "was answered"
        self._reply(request, result, words, now_ms)
        return request

    def expire(self, now_ms: float) -> None:
        """Decline what has waited too long."""
        for request in [each for each in self.pending if each.expires_ms <= now_ms]:
            self._reply(request, declining(request), "was declined when its time was over", now_ms, TIMEOUT)
        self._set_timer()

    def close(self) -> None:
        """The turn is over: nothing waits any more."""
        self._close(list(self.pending), "went with its turn")

    # --- which are kept

    def _is_wanted(self, request: ApprovalRequest) -> bool:
        if request.kind is RequestKind.QUESTION:
            return self._request.may_ask_questions or self._request.is_plan
        return self._request.approval is Approval.ASK

    def _find(self, id_: str | None, op: str) -> ApprovalRequest:
        if id_ is None:
            return self._only(is_consent=op != "decline")
        for request in self.pending:
            if request.id == id_:
                return request
        how = self._closed.get(id_)
        raise NotFoundError(f"request {id_} {how}" if how else f"there is no request {id_!r}", hint=self._look)

    def _only(self, *, is_consent: bool) -> ApprovalRequest:
        """The request that is meant where none is named: the only one; for consent the only one that there ever was.

        Whoever names none has seen one, perhaps; where another had come before it, it could be that one. An answer in
        words cannot be meant for what only wants to be allowed, nor the other way round.
        """
        if not self.pending:
            raise NotFoundError("nothing waits for an answer", hint=self._look)
        if len(self.pending) == 1 and not (is_consent and self.pending[0].wants_answers in self._forms_closed):
            return self.pending[0]
        waiting = ", ".join(request.id for request in self.pending[:_MOST_NAMED])
        more = f" and {len(self.pending) - _MOST_NAMED} more" if len(self.pending) > _MOST_NAMED else ""
        raise BadInputError(
            f"this turn has asked several times; now waits: {waiting}{more}", hint="Name the one meant."
        )

    @property
    def _look(self) -> str:
        return f"codex-server pending {self._request.turn_id} shows what waits."

    # --- what they are told

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
        )  # the checks of schemas, which few turns need

        try:
            return answering(request, answers)
        except AnswerError as error:
            raise BadInputError(str(error), hint="Nothing was sent; ask with pending, and reply again.") from error

    def _reply(
        self, request: ApprovalRequest, result: Message, words: str, now_ms: float, why: str | None = None
    ) -> None:
        self._outbox.send({"id": request.wire_id, "result": result}, now_ms, why)
        self._close([request], words)

    def _close(self, requests: list[ApprovalRequest], words: str) -> None:
        if requests:
            self._closed |= {request.id: words for request in requests}
            self._forms_closed |= {request.wants_answers for request in requests}
            self._keep(tuple(each for each in self.pending if each not in requests))

    def _keep(self, pending: tuple[ApprovalRequest, ...]) -> None:
        self.pending = pending
        self._set_timer()

    def _set_timer(self) -> None:
        if self.pending:
            self._timers.set(Timer.APPROVAL, min(request.expires_ms for request in self.pending))
        else:
            self._timers.clear(Timer.APPROVAL)
