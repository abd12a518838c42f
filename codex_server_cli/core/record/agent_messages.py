"""The agent's messages in one turn, and which of them is the answer. Owns the messages; must never decide an end.

In a review Codex announces each message of its reviewer, but sends neither its text nor its end; the text of the review
comes with `exitedReviewMode`, and again as the turn's one message. If the reviewer was stopped or failed, both have
text of Codex's own (seen with 0.163.0 and 0.171.0). Other protocol facts: notes, section 5.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_server_cli.core.protocol.rpc import Message, text_in

REVIEW_ITEMS = frozenset({"enteredReviewMode", "exitedReviewMode"})


class AgentMessage:
    """One message of the agent: its pieces while it streams, its whole text after `item/completed`."""

    __slots__ = ("is_complete", "phase", "pieces")

    def __init__(self, phase: str | None, pieces: list[str] | None = None) -> None:
        self.phase = phase
        self.pieces = pieces if pieces is not None else []
        self.is_complete = False

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)


class AgentMessages:
    """The messages of one turn, in the order in which they last started.

    Attributes:
        is_reviewing: a review is running; its reviewer's messages are not shown.
    """

    def __init__(self) -> None:
        self.is_reviewing = False
        self._messages: dict[str, AgentMessage] = {}
        self._review: str | None = None
        self._whole: set[str] | None = None  # after a lost connection: the messages that have started since

    def reattach(self) -> None:
        """The connection was lost: an open message lacks a part until its end has all of it."""
        self._whole = set()

    @property
    def answer(self) -> str | None:
        """The final answer: the review, else the last complete message of phase `final_answer`, else of no phase."""
        return self._last_text(lambda message: message.is_complete) if self._review is None else self._review

    @property
    def partial_answer(self) -> str | None:
        """The best known answer, complete or not; commentary is never part of it."""
        return self._last_text(lambda message: bool(message.pieces)) if self._review is None else self._review

    def _last_text(self, is_eligible: Callable[[AgentMessage], bool]) -> str | None:
        for phase in ("final_answer", None):
            for message in reversed(self._messages.values()):
                if message.phase == phase and is_eligible(message):
                    return message.text
        return None

    def add_delta(self, item_id: str, delta: str) -> None:
        """Append a delta to a message."""
        if self._whole is not None and item_id not in self._whole:
            return
        message = self._messages.get(item_id)
        if message is None:
            message = self._messages[item_id] = AgentMessage(phase=None)
        if not message.is_complete:  # the completed text is authoritative
            message.pieces.append(delta)

    def start(self, item_id: str, item: Message) -> None:
        """A message starts. A retry starts the same item again and resends its text: it is reset and moved last."""
        self._messages.pop(item_id, None)
        if self._whole is not None:
            self._whole.add(item_id)
        text = text_in(item.get("text"))
        self._messages[item_id] = AgentMessage(item.get("phase"), [text] if text else [])

    def complete(self, item_id: str, item: Message) -> None:
        """A message is complete."""
        message = self._messages.setdefault(item_id, AgentMessage(item.get("phase")))
        message.phase, message.pieces, message.is_complete = item.get("phase"), [text_in(item.get("text"))], True

    def is_complete(self, item_id: str) -> bool:
        """Whether this message is complete."""
        message = self._messages.get(item_id)
        return message is not None and message.is_complete

    def text_of(self, item_id: str) -> str:
        """A message's text so far; empty if it has not started."""
        message = self._messages.get(item_id)
        return "" if message is None else message.text

    def note_review(self, item: Message) -> None:
        """A review starts or ends."""
        self.is_reviewing = item.get("type") == "enteredReviewMode"
        self._review = None if self.is_reviewing else text_in(item.get("review"))

    def withdraw_review(self) -> None:
        """The turn was not completed: drop the review text, in which Codex only says that there is no review."""
        if self.is_reviewing or self._review is not None:
            self.is_reviewing, self._review = False, None
            self._messages.clear()
