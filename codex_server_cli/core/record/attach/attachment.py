"""What a stored turn proves after a lost connection: which one is ours, and which messages were missed.

A shared app-server continues a turn without its client. A client that resumes its thread gets the stored newest turns:
each completed item once, but no open one; from then on everything live, but without the start of open items (transport
notes, section 4; captures `reattach_mid_stream`). While the turn runs, 0.163.0 lists items that are not calls under
another id, `item-1`: they are identified by their content. Missed messages are returned as the notifications that would
have come, so that they are handled in the same way. Must never decide what to request (`session.shared` does).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, text_in

REATTACH = "reattach"
"""The reason for an `initialize` to an app-server that has our turn: the turn's record is kept."""

_STAND_IN = re.compile(r"item-[0-9]+")
_RUNNING = (None, "inProgress")
_WAITS = ("waitingOnApproval", "waitingOnUserInput")
_MOST_TORN = 4


def stored_turns(method: str | None, result: Message) -> list[Message]:
    """The turns in the reply to a request, with their items in full; empty if it has none."""
    if method == "thread/resume":
        return objects_in(at(result, "initialTurnsPage.data", list))
    return objects_in(result.get("data")) if method == "thread/turns/list" else []


def has_ended(turn: Message) -> bool:
    """Whether a stored turn is over, unless it `is_torn`."""
    return turn.get("status") not in _RUNNING


def is_torn(turn: Message) -> bool:
    """Whether a stored turn has the status of one that was cut off, but no time of its end.

    This is permanent for a turn that ended with its server, and lasts some milliseconds for one that is ending: its
    thread is already idle, but its end is not stored yet (observed on 0.163.0, on a machine under load). An interrupted
    turn has a time.
    """
    return turn.get("status") == "interrupted" and turn.get("completedAt") is None


def nothing_waits(resumed: Message) -> bool:
    """Whether the thread has no pending request, according to the reply that resumed it."""
    flags = at(resumed, "thread.status.activeFlags", list)
    return flags is not None and not any(flag in _WAITS for flag in flags)


class Attachment:
    """Which messages of one turn may be missing.

    Attributes:
        is_reattached: its connection was lost at least once; items that were open then lack a part.
        may_hide_items: the start of a running item may have been missed: no item was reported since then.
        completed: the items that are complete, by id: a hash of the content of each.
        client_id: our id of the prompt, which its user message has.
        newest_before: the thread's newest turn before ours; empty for none, None if unknown.
        torn: how many times in a row our stored turn was torn.
    """

    def __init__(self) -> None:
        self.is_reattached = self.may_hide_items = False
        self.completed: dict[str, int] = {}
        self.client_id: str | None = None
        self.newest_before: str | None = None
        self.torn = 0

    def begin(self) -> None:
        """The connection was lost: later messages come over a new one."""
        self.is_reattached = self.may_hide_items = True

    def note_completed(self, item: Message) -> None:
        """Take a completed item."""
        self.completed[str(item.get("id"))] = _content(item)

    def note_opened(self, method: str, result: Message) -> None:
        """Take the reply that opened the thread."""
        if method == "thread/start":
            self.newest_before = ""
        elif "initialTurnsPage" in result:
            newest = [text_in(turn.get("id")) for turn in stored_turns(method, result)]
            self.newest_before = newest[0] if newest else ""

    def own_turn(self, turn_id: str | None, turns: list[Message]) -> Message | None:
        """Our turn among the thread's newest stored ones; None if it cannot be identified.

        The start of a review, or of a compaction, has no id of ours: it is the turn that is newer than all before it.

        Args:
            turn_id: Codex's id of it; None if unknown.
        """
        if turn_id is not None:
            return next((turn for turn in turns if turn_id in (turn.get("id"), turn.get("rootTurnId"))), None)
        if self.client_id is not None:
            return next((turn for turn in turns if self.client_id in _client_ids(turn)), None)
        if self.newest_before is None or not turns or turns[0].get("id") == self.newest_before:
            return None
        return turns[0]

    def is_over(self, turn: Message) -> bool:
        """Whether our stored turn has ended; a torn one has, after it was torn several times in a row."""
        return has_ended(turn) and (not is_torn(turn) or self.torn >= _MOST_TORN)

    def has_prompt(self, params: Message) -> bool:
        """Whether a notification is about our prompt: it names our turn, even if the start was never answered."""
        item = object_at(params, "item")
        return self.client_id is not None and self.client_id in _client_ids({"items": [item]})

    def missed(
        self, thread_id: str | None, turn: Message, open_items: dict[str, Message], *, has_started: bool
    ) -> list[Message]:
        """The missed notifications of our turn, as far as the stored turn shows them, in its order.

        Args:
            open_items: the items that were open when the connection was lost, by id.
        """
        turn_id = turn.get("id")
        self.torn = self.torn + 1 if is_torn(turn) else 0
        about: Message = {"threadId": thread_id, "turnId": turn_id}
        begun = {**turn, "status": "inProgress", "items": []}
        messages: list[Message] = []
        if not has_started:
            messages.append({"method": "turn/started", "params": {"threadId": thread_id, "turn": begun}})
        for item in self._missed_items(turn, open_items):
            messages.append({"method": "item/completed", "params": {**about, "item": item}})
        if self.is_over(turn):
            messages.append({"method": "turn/completed", "params": {"threadId": thread_id, "turn": turn}})
        return messages

    def _missed_items(self, turn: Message, open_items: dict[str, Message]) -> Iterator[Message]:
        """The stored items that are not complete here, each once."""
        unmatched = Counter(self.completed.values())
        taken = {content for id_, content in self.completed.items() if _STAND_IN.fullmatch(id_)}
        still_open = dict(open_items)
        for item in objects_in(turn.get("items")):
            id_, content = str(item.get("id")), _content(item)
            is_stand_in = _STAND_IN.fullmatch(id_) is not None
            if id_ in self.completed or (unmatched[content] and (is_stand_in or content in taken)):
                unmatched[self.completed.get(id_, content)] -= 1
            elif item.get("status") != "inProgress" or self.is_over(turn):
                same = [each for each, other in still_open.items() if other.get("type") == item.get("type")]
                own_id = same[0] if is_stand_in and same else id_
                still_open.pop(own_id, None)
                yield {**item, "id": own_id}


def is_undecided(turns: list[Message]) -> bool:
    """Whether the newest turn has begun, but its prompt is not stored yet."""
    return bool(turns) and not has_ended(turns[0]) and not _has_prompt(turns[0])


def _has_prompt(turn: Message) -> bool:
    return any(item.get("type") == "userMessage" for item in objects_in(turn.get("items")))


def _client_ids(turn: Message) -> list[Any]:
    return [item.get("clientId") for item in objects_in(turn.get("items")) if item.get("type") == "userMessage"]


def _content(item: Message) -> int:
    """A hash of an item's content, without its id and its times."""
    return hash(json.dumps([item.get(name) for name in ("type", "text", "content", "summary")]))
