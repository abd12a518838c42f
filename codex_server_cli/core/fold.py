"""The messages of one turn, in order, folded into what is known of it and the text of its `out.txt`.

The worker folds live, a repairer from `events.jsonl`: the same fold, so that both come to the same record and the same
text. Must never depend on anything but the messages themselves.
"""

from __future__ import annotations

from codex_server_cli.core.effective import differences
from codex_server_cli.core.pending import PendingRequest, outcome_of_reply, read_request
from codex_server_cli.core.record import TurnRecord
from codex_server_cli.core.rpc import Message, MessageType, message_type, params_of
from codex_server_cli.core.transcript import Transcript


class Fold:
    """Takes what came and what was sent; each returns the text that it adds.

    Attributes:
        record: what is known of the turn.
    """

    def __init__(self) -> None:
        self.record = TurnRecord()
        self._transcript = Transcript()
        self._asked: dict[str | int, PendingRequest] = {}  # requests without a reply
        self._has_compared = False

    def begin(self) -> None:
        """Another app-server: what the one before it said no longer counts, though it was shown."""
        self.record, self._asked = TurnRecord(), {}

    def feed_in(self, message: Message) -> tuple[list[Message], str]:
        """Take a message that came.

        Returns:
            The notifications that belong to this turn and are known to now, oldest first; and the text.
        """
        belonging = self.record.feed_in(message)
        text = self._show(belonging) + self._compare_terms()
        kind = message_type(message)
        if kind is MessageType.REQUEST:
            text += self._on_request(message)
        elif kind is MessageType.NOTIFICATION and message["method"] == "serverRequest/resolved":
            text += self._on_outcome(params_of(message).get("requestId"), "taken back by Codex")
        return belonging, text

    def feed_out(self, message: Message) -> str:
        """Take a message of ours."""
        if message.get("method") == "initialize":
            self.begin()
        self.record.feed_out(message)
        return "" if "method" in message else self._on_outcome(message.get("id"), outcome_of_reply(message))

    def settle(self) -> str:
        """Take the turn from what came early, where the reply that names it will never come."""
        return self._show(self.record.settle())

    def _show(self, messages: list[Message]) -> str:
        return "".join([self._transcript.feed(message) for message in messages])

    def _compare_terms(self) -> str:
        """As soon as the turn runs: what Codex does otherwise than it was asked to."""
        if self._has_compared or not self.record.has_started:
            return ""
        self._has_compared = True
        words = differences(self.record.asked, self.record.settings)
        return "".join([self._transcript.note(f"[{line}]") for line in words])

    def _on_request(self, message: Message) -> str:
        request = read_request(message, self.record.items_asked_about, 0, 0)
        if request is None:
            return ""
        self._asked[request.wire_id] = request
        return self._transcript.note(f"[waiting for {request.waited_for}: {request.message}]")

    def _on_outcome(self, wire_id: object, outcome: str) -> str:
        request = self._asked.pop(wire_id, None) if isinstance(wire_id, str | int) else None
        return self._transcript.note(f"[{request.waited_for}: {outcome}]") if request is not None else ""
