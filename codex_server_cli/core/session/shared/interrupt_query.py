"""The query that ends a dead worker's turn on a running shared app-server. Owns its steps; the caller sets the timeout.

As in section 4 of the transport notes, "Repairer" (capture `repair_dead_worker`). Without it the turn would continue,
use tokens, and keep its thread. It resumes the thread with no more rights than before.
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.protocol.query import Listen, Query, initialize
from codex_server_cli.core.protocol.rpc import Message, at, object_at, readable_message
from codex_server_cli.core.record.attach.attachment import Attachment, has_ended, is_torn, stored_turns
from codex_server_cli.core.session.shared.closing import CLEAN, INTERRUPT, LEAVE, LOOK

_MOST_LOOKS = 8
_MOST_LOOKS_AT_TORN = 3
_LOOK_S = 0.25
_MOST_ASKS = 40
_ASK_S = 0.05
_PAGE = {"limit": 5, "sortDirection": "desc", "itemsView": "full"}


class InterruptedTurn(NamedTuple):
    """The state of the turn now.

    Attributes:
        turn: Codex's own record of it, the wire's turn with its items; None if Codex has no record of it.
        was_running: whether it was interrupted here.
        refusal: Codex's text, if it refused to resume the thread.
    """

    turn: Message | None
    was_running: bool = False
    refusal: str | None = None


def interrupt_turn(thread_id: str, turn_id: str | None, client_id: str, version: str) -> Query[InterruptedTurn]:
    """Interrupt a turn if it still runs, end what its commands left running, and unsubscribe from its thread.

    Args:
        turn_id: Codex's id of it; None if unknown.
        client_id: our id of it, which was sent with its prompt.
    """
    yield from initialize(version)
    narrow: Message = {"sandbox": "read-only", "approvalPolicy": "never", "excludeTurns": True}
    resumed = yield "thread/resume", {"threadId": thread_id, **narrow, "initialTurnsPage": _PAGE}
    refusal = readable_message(object_at(resumed, "error")) if "error" in resumed else None
    attachment = Attachment()
    attachment.client_id = client_id
    if refusal is None:
        turn = attachment.own_turn(turn_id, stored_turns("thread/resume", object_at(resumed, "result")))
    else:
        turn = yield from _look(attachment, thread_id, turn_id)
    running_id = turn_id if turn is None else at(turn, "id", str)
    was_running = False
    if turn is not None and is_torn(turn):  # it may be just ending
        turn = yield from _await_end(attachment, thread_id, str(running_id), turn, _MOST_LOOKS_AT_TORN)
    if running_id is not None and not (turn is not None and has_ended(turn)):
        was_running = yield from _interrupt(thread_id, running_id)
        if was_running:
            turn = yield from _await_end(attachment, thread_id, running_id, turn, _MOST_LOOKS)
    yield CLEAN, {"threadId": thread_id}
    yield LEAVE, {"threadId": thread_id}
    return InterruptedTurn(turn, was_running, refusal)


def _look(attachment: Attachment, thread_id: str, turn_id: str | None) -> Query[Message | None]:
    reply = yield LOOK, {"threadId": thread_id, "limit": _PAGE["limit"], "itemsView": "full"}
    return attachment.own_turn(turn_id, stored_turns(LOOK, object_at(reply, "result")))


def _interrupt(thread_id: str, turn_id: str) -> Query[bool]:
    """Retry until it is accepted: it is refused before the turn has begun. Returns whether it was accepted."""
    for _ in range(_MOST_ASKS):
        reply = yield INTERRUPT, {"threadId": thread_id, "turnId": turn_id}
        if "error" not in reply:
            return True
        yield Listen("turn/completed", _ASK_S)
    return False


def _await_end(
    attachment: Attachment, thread_id: str, turn_id: str, turn: Message | None, most_looks: int
) -> Query[Message | None]:
    """The stored turn once its end is stored; as it is, if that takes too long or is not visible."""
    for _ in range(most_looks):
        turn = (yield from _look(attachment, thread_id, turn_id)) or turn
        if turn is None or (has_ended(turn) and not is_torn(turn)):
            return turn
        yield Listen("turn/completed", _LOOK_S)
    return turn
