"""The agent's messages of one answer: their text so far, and which of them remain after a retry.

If the connection to the model is lost, Codex repeats the request, with the messages that were complete: they remain,
and only an open one comes again (0.163.0 and 0.171.0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from codex_server_cli.core.protocol.rpc import Message, object_at, text_in

_MESSAGE = "agentMessage"
_DELTA = "item/agentMessage/delta"


class SpokenMessage:
    """One message.

    Args:
        item: the item that begins it.

    Attributes:
        is_final: it is marked as a final answer.
        is_commentary: it is marked as commentary, or as sent asynchronously.
        pieces: its text so far.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        self.is_final = item.get("phase") == "final_answer"
        self.is_commentary = item.get("phase") == "commentary" or item.get("delivery") == "async"
        self.is_complete = False
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        """Its text so far."""
        return "".join(self.pieces)


M = TypeVar("M", bound=SpokenMessage)


class Spoken(NamedTuple, Generic[M]):
    """The content of a notification: its message, new text (may be empty), and whether the message has just begun."""

    message: M
    text: str
    is_new: bool


class SpokenMessages(Generic[M]):
    """All messages of one HTTP response.

    Args:
        make: creates a message from the item that begins it.

    Attributes:
        all: in the order in which they began.
    """

    def __init__(self, make: Callable[[dict[str, Any]], M]) -> None:
        self.all: list[M] = []
        self._make = make
        self._by_id: dict[str, M] = {}  # the last one of each id
        self._n_earlier = 0  # messages of model responses that are complete

    def take(self, method: str, params: Message) -> Spoken[M] | None:
        """Take a notification; None if it is about no message.

        Ids may repeat. A message may have all its text when it begins, or no delta.
        """
        item = object_at(params, "item")
        id_ = text_in(item.get("id") or params.get("itemId"))
        if method == _DELTA:
            message, is_new = self._found(id_, {}, is_start=False)
            return self._said(message, text_in(params.get("delta")), is_new)
        if item.get("type") != _MESSAGE or method not in ("item/started", "item/completed"):
            return None
        message, is_new = self._found(id_, item, is_start=method == "item/started")
        message.is_complete = message.is_complete or method == "item/completed"
        whole, known = text_in(item.get("text")), message.text
        return self._said(message, whole[len(known) :] if whole.startswith(known) else "", is_new)

    def _found(self, id_: str, item: dict[str, Any], *, is_start: bool) -> tuple[M, bool]:
        message = self._by_id.get(id_)
        if message is not None and not (is_start and message.is_complete):
            return message, False
        message = self._by_id[id_] = self._make(item)
        self.all.append(message)
        return message, True

    def _said(self, message: M, text: str, is_new: bool) -> Spoken[M]:
        if text:
            message.pieces.append(text)
        return Spoken(message, text, is_new)

    def last(self, id_: str) -> M | None:
        """The last message of this id."""
        return self._by_id.get(id_)

    @property
    def open(self) -> list[M]:
        """The messages that are not complete."""
        return [each for each in self.all if not each.is_complete]

    @property
    def is_refused(self) -> bool:
        """Whether a message began but has neither text nor end: the model refused, and Codex drops its text."""
        return any(not each.pieces for each in self.open)

    @property
    def is_answered(self) -> bool:
        """Whether the current model response has a complete final answer."""
        return any(each.is_final and each.is_complete for each in self.all[self._n_earlier :])

    def keep(self) -> None:
        """A model response is complete, and another one follows."""
        self._n_earlier = len(self.all)

    def restart(self) -> None:
        """The model response was cut off and is retried: its open messages come again."""
        self.all = [each for each in self.all if each.is_complete]
        self._by_id = {}
