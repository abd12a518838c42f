"""Replays the messages of one turn, in order, into its record and its displayed text.

The worker uses it live, a repairer and a chat with `events.jsonl`: the same code, so that all get the same record and
the same text. Must never depend on anything but the messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.protocol.rpc import Message, object_at, params_of
from codex_server_cli.core.record.approval_request import ApprovalRequest, read_request
from codex_server_cli.core.record.attach.attachment import REATTACH, nothing_waits
from codex_server_cli.core.record.decisions import TAKEN_BACK, TIMEOUT, outcome_of_reply
from codex_server_cli.core.record.effective_settings import differences
from codex_server_cli.core.record.pieces import Kind, Piece, Pieces, joined
from codex_server_cli.core.record.raw_items import RAW_ITEM
from codex_server_cli.core.record.refusals import denial_of
from codex_server_cli.core.record.transcript import Transcript
from codex_server_cli.core.record.turn_record import TurnRecord


class Replay:
    """Takes received and sent messages; returns the pieces of text that each one adds.

    Attributes:
        record: the known facts of the turn.
    """

    def __init__(self) -> None:
        self.record = TurnRecord()
        self._transcript = Transcript(lambda item: denial_of(item, self.record.settings))
        self._open_requests: dict[str | int, ApprovalRequest] = {}  # requests without a reply
        self._answered: dict[str | int, ApprovalRequest] = {}  # by us: Codex may repeat them over a new connection
        self._has_compared = False

    def begin(self) -> None:
        """Another app-server: messages of the previous one no longer count, though they were shown."""
        self.record, self._open_requests, self._answered = TurnRecord(), {}, {}

    def reattach(self) -> None:
        """A new connection to the app-server that has our turn: the record is kept."""
        self.record.reattach()
        self._transcript.reattach()

    def feed(self, event: Message) -> tuple[list[Message], Pieces]:
        """Take one event of `events.jsonl`, of either direction; see `feed_in`."""
        match event["dir"]:
            case "in":
                return self.feed_in(event)
            case "out":
                return [], self.feed_out(event, event.get("why"))
            case _:
                return [], self.feed_raw(event.get("payload"))

    def feed_in(self, message: Message) -> tuple[list[Message], Pieces]:
        """Take a received message.

        Returns:
            The notifications known to belong to this turn, oldest first; and the pieces.
        """
        own = self.record.feed_in(message)
        pieces = self._show(own)
        method = message.get("method")
        if method == "item/agentMessage/delta":
            return own, pieces  # the hot path
        if not self._has_compared and self.record.has_started:
            pieces = [*pieces, *self._compare_terms()]
        if method is None and self.record.attachment.is_reattached:
            pieces = [*pieces, *self._on_reattached(message)]
        elif method is not None and "id" in message:
            pieces = [*pieces, *self._on_request(message)]
        elif method == "serverRequest/resolved":
            pieces = [*pieces, *self._on_outcome(params_of(message).get("requestId"), None, None)]
        elif method == RAW_ITEM and own:
            pieces = self.feed_raw(params_of(message).get("item"))
        return own, pieces

    def feed_out(self, message: Message, why: object = None) -> Pieces:
        """Take a sent message.

        Args:
            why: of a reply, why it was sent; see `decisions.TIMEOUT`. Of `initialize`, see `REATTACH`.
        """
        if message.get("method") == "initialize":
            self.reattach() if why == REATTACH else self.begin()
        self.record.feed_out(message)
        return () if "method" in message else self._on_outcome(message.get("id"), message, why)

    def feed_raw(self, raw: Any) -> Pieces:
        """Take a raw response item, from the wire or the thread's session file."""
        refusal = self.record.refusals.add_raw(raw)
        return self._transcript.note(Kind.REFUSAL, refusal.line) if refusal is not None else ()

    def adopt_early(self) -> Pieces:
        """Take the turn id from early notifications, if the reply that names it will never come."""
        return self._show(self.record.adopt_early())

    def _show(self, messages: list[Message]) -> Pieces:
        if len(messages) == 1:
            return self._transcript.feed(messages[0])
        return [piece for message in messages for piece in self._transcript.feed(message)]

    def _compare_terms(self) -> list[Piece]:
        """Once the turn runs: report where Codex's settings differ from those requested."""
        self._has_compared = True
        lines = differences(self.record.asked, self.record.settings)
        return [piece for line in lines for piece in self._transcript.note(Kind.WARNING, f"[{line}]")]

    def _on_request(self, message: Message) -> Pieces:
        request = read_request(message, self.record.items_asked_about, 0, 0)
        if request is None or request.is_again_of(self._open_requests.get(request.wire_id)):
            return ()
        if request.is_again_of(self._answered.get(request.wire_id)):
            return ()  # our answer was lost with the connection
        self._open_requests[request.wire_id] = request
        line = f"[waiting for {request.waited_for}: {request.message}]"
        return self._transcript.note(Kind.REQUEST, line, request.params.get("itemId"))

    def _on_reattached(self, reply: Message) -> Pieces:
        """A reply over a new connection: requests that are no longer pending were resolved without us."""
        if not nothing_waits(object_at(reply, "result")):
            return ()
        gone = list(self._open_requests)
        return [piece for wire_id in gone for piece in self._on_outcome(wire_id, None, None)]

    def _on_outcome(self, wire_id: object, reply: Message | None, why: object) -> Pieces:
        """A request is resolved: by our reply, or without one."""
        request = self._open_requests.pop(wire_id, None) if isinstance(wire_id, str | int) else None
        if request is None:
            return ()
        if reply is not None:
            self._answered[request.wire_id] = request
        outcome = TAKEN_BACK if reply is None else outcome_of_reply(request, reply, is_overdue=why == TIMEOUT)
        return self._transcript.note(Kind.DECISION, f"[{request.waited_for}: {outcome}]", request.params.get("itemId"))


def replay(log: bytes | Iterable[bytes]) -> tuple[TurnRecord, str]:
    """Replay a log, given as bytes or as lines.

    If an app-server was started more than once, messages of the earlier ones do not count: no turn had begun.

    Returns:
        The record of the turn, and the text that its `out.txt` should have.
    """
    turn_replay, text = Replay(), []
    for event in read_events(log):
        text.append(joined(turn_replay.feed(event)[1]))
    text.append(joined(turn_replay.adopt_early()))
    return turn_replay.record, "".join(text)
