"""The facts of one turn, built from the messages of both directions. Owns how messages change them; decides nothing.

The worker feeds it live, the repairer from `events.jsonl`, the tests from recorded transcripts: the same code.
Must never choose what to send (`session` does), how to show it (`transcript`) or what an end means (`outcome`).
Protocol facts: notes, sections 1, 3, 4 and 5; captures `basic_turn`, `retry_then_success`, `review_and_compact`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codex_server_cli.core.model.request import COMPACT
from codex_server_cli.core.protocol.rpc import (
    Message,
    MessageType,
    at,
    message_type,
    object_at,
    objects_in,
    params_of,
    text_in,
)
from codex_server_cli.core.record.agent_messages import REVIEW_ITEMS
from codex_server_cli.core.record.attach.attachment import stored_turns
from codex_server_cli.core.record.changes import DIFF_METHOD
from codex_server_cli.core.record.facts.turn_facts import TurnFacts
from codex_server_cli.core.record.usage import merge_limits

TURN_STARTERS = frozenset({"turn/start", "review/start", COMPACT})
"""Methods that begin the turn; the reply names it, except for a compaction."""

THREAD_OPENERS = frozenset({"thread/start", "thread/resume", "thread/fork"})
"""Methods whose reply names the thread."""

_TERMS = ("model", "effort", "approvalPolicy", "config")
_ANSWER_ITEMS = REVIEW_ITEMS | {"agentMessage"}


class TurnRecord(TurnFacts):
    """The facts of one turn. `feed_out` takes sent messages, `feed_in` received ones; both set the attributes."""

    def __init__(self) -> None:
        super().__init__()
        self._methods: dict[Any, str] = {}  # our request id → method
        self._early: list[Message] = []  # of our thread, before the reply that names the turn
        self._set_for_later: Message = {}
        self._is_compaction = False

    def feed_out(self, message: Message) -> None:
        """Take a sent message: its method is needed for the reply, and its params name the turn's thread."""
        method, params = message.get("method"), params_of(message)
        if not isinstance(method, str) or not isinstance(message.get("id"), int | str):
            return
        self._methods[message["id"]] = method
        if method in TURN_STARTERS or method in THREAD_OPENERS:
            self.asked |= {name: params[name] for name in _TERMS if name in params}
        if method in TURN_STARTERS:
            self.is_turn_requested, self._is_compaction = True, method == COMPACT
            self.attachment.client_id = at(params, "clientUserMessageId", str)
            self.thread_id = params.get("threadId", self.thread_id)
        elif method == "thread/settings/update" and self.is_turn_requested:
            self._set_for_later = params

    def feed_in(self, message: Message) -> list[Message]:
        """Take a received message.

        Returns:
            The notifications known to belong to this turn, oldest first: usually the message itself; none for
            those of other turns; several when the `turn/start` reply releases those that came before it
            (notes, section 1).
        """
        kind = message_type(message)
        if kind is MessageType.NOTIFICATION:
            return self._on_notification(message)
        if kind is MessageType.RESPONSE:
            return self._on_response(message)
        return []

    def method_of(self, response: Message) -> str | None:
        """The method that this reply answers; None if we sent no such request."""
        return self._methods.get(response.get("id"))

    def adopt_early(self) -> list[Message]:
        """Take the turn id from early notifications, if the reply that names it will never come."""
        if self.turn_id is None:
            for message in self._early:
                if message["method"] == "turn/started":
                    turn = object_at(message, "params.turn")
                    return self._adopt(at(turn, "rootTurnId", str) or at(turn, "id", str))
        return []

    def reattach(self) -> None:
        """The connection to a running app-server was lost; later messages come over a new one."""
        self.attachment.begin()
        self.messages.reattach()
        self.is_idle = self.is_retrying = False
        self.tokens.reattach()

    def adopt_stored_turns(self, turns: Any) -> None:
        """Apply Codex's own record of this turn (`thread/turns/list`, items in full)."""
        for turn in objects_in(turns):
            if turn.get("id") == self.turn_id:
                for item in objects_in(turn.get("items")):
                    if item.get("type") in _ANSWER_ITEMS:
                        self._on_item_completed({"item": item})
                self._on_turn_completed({"turn": turn})

    def _on_response(self, message: Message) -> list[Message]:
        method, result = self.method_of(message), at(message, "result", dict)
        if result is None:
            return []
        self.codex.learn(method, result)
        if self.attachment.is_reattached:
            return self._adopt_missed(stored_turns(method, result))
        if method in THREAD_OPENERS:
            self.attachment.note_opened(str(method), result)
            if method == "thread/start":
                self.tokens.note_new_thread()
            self.thread_id = at(result, "thread.id", str) or self.thread_id
            self.session_path = at(result, "thread.path", str) or self.session_path
            self.settings = {key: value for key, value in result.items() if key not in ("thread", "initialTurnsPage")}
        elif method in TURN_STARTERS:
            return self._adopt(at(result, "turn.id", str))
        return []

    def _adopt_missed(self, turns: list[Message]) -> list[Message]:
        """Take the messages missed without a connection, as far as the thread's newest turns show them."""
        turn = self.attachment.own_turn(self.turn_id, turns)
        return [] if turn is None else self._adopt_stored(turn)

    def _adopt_stored(self, turn: Message) -> list[Message]:
        early = self._adopt(at(turn, "rootTurnId", str) or at(turn, "id", str))
        missed = self.attachment.missed(self.thread_id, turn, self.open_items, has_started=self.has_started)
        return early + [each for message in missed for each in self._on_notification(message)]

    def _adopt(self, turn_id: str | None) -> list[Message]:
        if turn_id is None or self.turn_id is not None:
            return []
        self.turn_id = turn_id
        early, self._early = self._early, []
        return [message for held in early for message in self._on_notification(held)]

    def _on_notification(self, message: Message) -> list[Message]:
        method, params = message["method"], params_of(message)
        if method == "account/rateLimits/updated":
            self.limits = merge_limits(self.limits, params.get("rateLimits"))
            return []
        thread_id = params.get("threadId")
        if thread_id is not None and thread_id != self.thread_id:
            self.changes.note(method, params)
            return []  # a sub-agent's thread, or another client's
        if method == "thread/settings/updated":
            self._on_settings(params)  # it may have the settings for the turn
        if self.turn_id is None and self.is_turn_requested:
            self._early.append(message)
            if self._is_compaction:
                return self.adopt_early()
            return self._adopt_stored({"id": params.get("turnId")}) if self.attachment.has_prompt(params) else []
        if self.turn_id is None or not self._is_ours(params):
            self.foreign.note(method, params)
            if method == "thread/tokenUsage/updated":
                self.tokens.note_before(params.get("tokenUsage"))
            return []
        handler = _HANDLERS.get(method)
        if handler is not None:
            handler(self, params)
        return [message]

    def _is_ours(self, params: Message) -> bool:
        turn_id = params.get("turnId")
        if turn_id is None:
            turn = at(params, "turn", dict)
            if turn is None:
                return True  # about the whole thread
            # A review's `turn/started` has another id, with ours as its root (capture review_and_compact).
            return self.turn_id in (turn.get("id"), turn.get("rootTurnId"))
        return bool(turn_id == self.turn_id)

    def _on_agent_delta(self, params: Message) -> None:
        self.is_retrying = False
        if self.attachment.is_reattached:
            self._on_unseen(params, "agentMessage")
        self.messages.add_delta(str(params.get("itemId")), text_in(params.get("delta")))

    def _on_output_delta(self, params: Message) -> None:
        if self.attachment.is_reattached:
            self._on_unseen(params, "commandExecution")

    def _on_unseen(self, params: Message, type_: str) -> None:
        """More of an item: if its start was missed, this shows that it is open."""
        item_id, self.attachment.may_hide_items = str(params.get("itemId")), False
        if item_id not in self.attachment.completed:
            self.open_items.setdefault(item_id, {"type": type_, "id": item_id})

    def _on_turn_started(self, params: Message) -> None:
        self.has_started, self.active_turn_id = True, at(params, "turn.id", str)

    def _on_item_started(self, params: Message) -> None:
        item = at(params, "item", dict)
        if item is None:
            return
        self.is_retrying = self.attachment.may_hide_items = False
        is_message = item.get("type") == "agentMessage"
        if is_message and self.messages.is_reviewing:
            return  # its end is never reported
        item_id = str(item.get("id"))
        self.open_items[item_id] = item
        if is_message:
            self.messages.start(item_id, item)

    def _on_item_completed(self, params: Message) -> None:
        item = at(params, "item", dict)
        if item is None:
            return
        item_id = str(item.get("id"))
        self.open_items.pop(item_id, None)
        self.attachment.note_completed(item)
        self.refusals.add_item(item, self.settings)
        self.changes.note_item(item)
        if item.get("type") == "agentMessage":
            self.messages.complete(item_id, item)
        elif item.get("type") in REVIEW_ITEMS:
            self.messages.note_review(item)

    def _on_usage(self, params: Message) -> None:
        self.usage = self.tokens.add(params.get("tokenUsage"))
        self.retry = None  # sent at the end of every response: earlier errors no longer matter

    def _on_error(self, params: Message) -> None:
        error = at(params, "error", dict)
        if error is None:
            return
        if params.get("willRetry"):
            self.retry, self.is_retrying = error, True
            # Open messages belong to the failed response; they start again or never end.
            self.open_items = {k: v for k, v in self.open_items.items() if v.get("type") != "agentMessage"}
        else:
            self.error = error

    def _on_settings(self, params: Message) -> None:
        announced = object_at(params, "threadSettings").items()
        if current := {name: value for name, value in announced if value != self._set_for_later.get(name, ...)}:
            self.settings = {**self.settings, **current}

    def _on_thread_status(self, params: Message) -> None:
        self.is_idle = at(params, "status.type", str) == "idle"

    def _on_turn_completed(self, params: Message) -> None:
        turn = object_at(params, "turn")
        if turn.get("status") in (None, "inProgress"):
            return
        self.status = turn["status"]
        self.completed_s = at(turn, "completedAt", int)
        self.error = at(turn, "error", dict) or self.error
        for item in objects_in(turn.get("items")):  # a summary: only the last message, and often nothing
            if item.get("type") == "agentMessage" and not self.messages.is_complete(str(item.get("id"))):
                self._on_item_completed({"item": item})
        if self.status != "completed":
            self.messages.withdraw_review()


_HANDLERS: dict[str, Callable[[TurnRecord, Message], None]] = {
    "item/agentMessage/delta": TurnRecord._on_agent_delta,
    "item/commandExecution/outputDelta": TurnRecord._on_output_delta,
    "turn/started": TurnRecord._on_turn_started,
    "item/started": TurnRecord._on_item_started,
    "item/completed": TurnRecord._on_item_completed,
    "thread/tokenUsage/updated": TurnRecord._on_usage,
    DIFF_METHOD: lambda record, params: record.changes.note_diff(params),
    "error": TurnRecord._on_error,
    "thread/settings/updated": TurnRecord._on_settings,
    "thread/status/changed": TurnRecord._on_thread_status,
    "turn/completed": TurnRecord._on_turn_completed,
}
