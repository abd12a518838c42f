"""A shared app-server that plays a recorded turn, and whose connection can be cut anywhere. Asserts nothing.

What it stores of the turn is what the transport notes (section 4) say: each completed item, no open one.
"""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.protocol.rpc import Message, encode
from codex_server_cli.core.record.turn_record import THREAD_OPENERS, TURN_STARTERS
from codex_server_cli.core.session.outbox import Step
from codex_server_cli.core.session.session import Session
from tests.kit.captures import CapturedTurn
from tests.kit.dialogue import LOST, SHARED

_ACCOUNT = {"account": None, "requiresOpenaiAuth": False}


class PlayedServer:
    """One turn of a session on it.

    Args:
        turn: as recorded; all that came after the request that started the turn is its stream.
        has_stand_ins: while the turn runs its items are listed under other ids, as 0.163.0 does.
    """

    def __init__(self, turn: CapturedTurn, *, has_stand_ins: bool = False) -> None:
        messages, self.name = turn.messages, turn.name
        ours = [message for is_ours, message in messages if is_ours]
        self._asked = {message["id"]: message for message in ours if "method" in message and "id" in message}
        start = next(n for n, (is_ours, m) in enumerate(messages) if is_ours and m.get("method") in TURN_STARTERS)
        self.stream = [_with_client_id(m) for is_ours, m in messages[start:] if not is_ours]
        self._opened = next(m["result"] for is_ours, m in messages if not is_ours and self._answers(m, THREAD_OPENERS))
        self.session = Session(turn.request, "go", "0", SHARED)
        self._has_stand_ins = has_stand_ins
        self.events, self.text, self.sent = b"", "", list[Message]()
        self._now_ms = 1_000.0
        self._place = 0  # in the stream: what of it has been produced
        self._is_turn_running = self._is_subscribed = False

    def play(self, cut: int | None = None, missed: int = 0) -> PlayedServer:
        """Play the whole turn.

        Args:
            cut: after how many messages of the stream the connection is lost; None for never.
            missed: how many it produces before there is another connection.
        """
        self._do(self.session.start(self._now_ms))
        self._answer()
        while self.session.outcome is None:
            if self._place == cut:
                cut = None
                self._do(self.session.lost(LOST, self._now_ms))
                self._place, self._is_subscribed = min(self._place + missed, len(self.stream)), False
            elif self._is_turn_running and self._is_subscribed and self._place < len(self.stream):
                self._place += 1
                self._send(self.stream[self._place - 1])
            else:
                self._now_ms = self.session.wakeup_ms or self._now_ms
                self._do(self.session.tick(self._now_ms))
            self._answer()
        return self

    def _answers(self, message: Message, methods: frozenset[str]) -> bool:
        return "method" not in message and self._asked.get(message.get("id"), {}).get("method") in methods

    def _send(self, message: Message) -> None:
        if self._answers(message, TURN_STARTERS):
            message = {**message, "id": next(m["id"] for m in self.sent if m.get("method") in TURN_STARTERS)}
        self._do(self.session.feed(encode(message), self._now_ms))

    def _answer(self) -> None:
        """Answer what was asked and is not answered yet; the turn's start is part of the stream."""
        while self._unanswered:
            message = self._unanswered.pop(0)
            if message["method"] in TURN_STARTERS:
                self._is_turn_running = self._is_subscribed = True
                continue
            reply = {"id": message["id"], "result": self._result(message["method"])}
            self._do(self.session.feed(encode(reply), self._now_ms))
            if message["method"] == "thread/resume":
                self._is_subscribed = True
                for again in self._repeated(is_whole=not message["params"]["excludeTurns"]):
                    self._do(self.session.feed(encode(again), self._now_ms))

    def _result(self, method: str) -> Any:
        match method:
            case "account/read":
                return _ACCOUNT
            case "config/read":
                return {"config": {"model_provider": self._opened.get("modelProvider")}}
            case "thread/start":
                return self._opened
            case "thread/resume":
                turn, flags = self._stored(), ["waitingOnApproval"] if self._pending() else []
                is_over = turn["status"] != "inProgress"
                status = {"type": "idle"} if is_over else {"type": "active", "activeFlags": flags}
                thread = {**self._opened["thread"], "status": status}
                return {**self._opened, "thread": thread, "initialTurnsPage": {"data": [turn]}}
            case "thread/turns/list":
                return {"data": [self._stored()]}
            case _:
                return {}

    def _stored(self) -> Message:
        """The turn as it is stored now."""
        reply = next(m for m in self.stream if self._answers(m, TURN_STARTERS))
        turn: Message = {**reply["result"]["turn"], "items": []}
        for message in self.stream[: self._place]:
            params = message.get("params") or {}
            if message.get("method") == "item/completed" and params.get("turnId") == turn["id"]:
                turn["items"].append(params["item"])
            elif message.get("method") == "turn/completed" and params["turn"]["id"] == turn["id"]:
                turn |= {name: value for name, value in params["turn"].items() if name != "items"}
        if self._has_stand_ins and turn["status"] == "inProgress":
            turn["items"] = [_stand_in(item, n) for n, item in enumerate(turn["items"], 1)]
        return turn

    def _pending(self) -> list[Message]:
        """The requests that wait for an answer now."""
        waiting: dict[Any, Message] = {}
        for message in self.stream[: self._place]:
            if "method" in message and "id" in message:
                waiting[message["id"]] = message
            elif message.get("method") == "serverRequest/resolved":
                waiting.pop(message["params"]["requestId"], None)
        return list(waiting.values())

    def _repeated(self, *, is_whole: bool) -> list[Message]:
        """What a client that resumes the thread gets again: what waits, and the tokens of a turn that is over.

        Args:
            is_whole: it gets all turns: only then the tokens are among what it gets again.
        """
        if self._stored()["status"] == "inProgress":
            return self._pending()
        if not is_whole:
            return []
        return [m for m in self.stream[: self._place] if m.get("method") == "thread/tokenUsage/updated"][-1:]

    def _do(self, step: Step) -> None:
        if step.starts_server:
            self._unanswered = []
        sends = [json.loads(line) for line in step.sends.split(b"\n") if line]
        self.sent += sends
        self._unanswered += [message for message in sends if "method" in message and "id" in message]
        self.events += step.events
        self.text += step.text


def _stand_in(item: Message, number: int) -> Message:
    return {**item, "id": f"item-{number}"} if item["type"] in ("userMessage", "agentMessage", "reasoning") else item


def _with_client_id(message: Message) -> Message:
    """The prompt of a recording was sent without an id of ours."""
    item = (message.get("params") or {}).get("item") or {}
    if item.get("type") != "userMessage":
        return message
    from tests.kit.captures import TURN_ID

    return {**message, "params": {**message["params"], "item": {**item, "clientId": TURN_ID}}}
