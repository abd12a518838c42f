"""What the agent has said in one turn, and which of it is the answer. Owns the messages; must never judge an end.

In a review Codex announces each message of its reviewer and then keeps it to itself; the text of the review comes with
`exitedReviewMode`, and again as the one message of the turn. A reviewer that was stopped or failed leaves words of
Codex's own in both places (seen with 0.163.0 and 0.171.0). Other protocol facts: notes, section 5.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_server_cli.core.protocol.rpc import Message, text_in

REVIEW_ITEMS = frozenset({"enteredReviewMode", "exitedReviewMode"})


class AgentMessage:
    """One message of the agent: its pieces while it streams, its whole text once `item/completed` came."""

    __slots__ = ("is_complete", "phase", "pieces")

    def __init__(self, phase: str | None, pieces: list[str] | None = None) -> None:
        self.phase = phase
        self.pieces = pieces if pieces is not None else []
        self.is_complete = False

    @property
    def text(self) -> str:
        """What is known of the text."""
        return "".join(self.pieces)


class AgentMessages:
    """The messages of one turn, in the order in which they last began.

    Attributes:
        is_reviewing: a reviewer is at work, whose messages are not shown.
    """

    def __init__(self) -> None:
        self.is_reviewing = False
        self._messages: dict[str, AgentMessage] = {}
        self._review: str | None = None

    @property
    def answer(self) -> str | None:
        """The final answer: the review, else the last complete message of phase `final_answer`, else of no phase."""
        return self._last_text(lambda message: message.is_complete) if self._review is None else self._review

    @property
    def partial_answer(self) -> str | None:
        """The best that is known of the answer, complete or not; commentary is never part of it."""
        return self._last_text(lambda message: bool(message.pieces)) if self._review is None else self._review

    def _last_text(self, is_eligible: Callable[[AgentMessage], bool]) -> str | None:
        for phase in ("final_answer", None):
            for message in reversed(self._messages.values()):
                if message.phase == phase and is_eligible(message):
                    return message.text
        return None

    def add_delta(self, item_id: str, delta: str) -> None:
        """A piece of a message."""
        message = self._messages.get(item_id)
        if message is None:
            message = self._messages[item_id] = AgentMessage(phase=None)
        if not message.is_complete:  # the completed text is the authority
            message.pieces.append(delta)

    def start(self, item_id: str, item: Message) -> None:
        """A message begins. A retry starts the same item again and resends its text: so does this, at the end."""
        self._messages.pop(item_id, None)
        text = text_in(item.get("text"))
        self._messages[item_id] = AgentMessage(item.get("phase"), [text] if text else [])

    def complete(self, item_id: str, item: Message) -> None:
        """A message is whole."""
        message = self._messages.setdefault(item_id, AgentMessage(item.get("phase")))
        message.phase, message.pieces, message.is_complete = item.get("phase"), [text_in(item.get("text"))], True

    def is_complete(self, item_id: str) -> bool:
        """Whether this message is known whole."""
        message = self._messages.get(item_id)
        return message is not None and message.is_complete

    def note_review(self, item: Message) -> None:
        """A reviewer begins, or is done."""
        self.is_reviewing = item.get("type") == "enteredReviewMode"
        self._review = None if self.is_reviewing else text_in(item.get("review"))

    def withdraw_review(self) -> None:
        """The turn was not completed: what stands for a review is no review, but Codex's word that there is none."""
        if self.is_reviewing or self._review is not None:
            self.is_reviewing, self._review = False, None
            self._messages.clear()
