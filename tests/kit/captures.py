"""The recorded transcripts of the real app-server, cut into turns. Owns their shape; asserts nothing.

A capture holds `{"t_ms","dir":"c2s"|"s2c","msg"}` a line, and ends with the text `EOF` in place of a message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_server_cli.core.model.request import Sandbox, TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.event_log import EventLog
from codex_server_cli.core.protocol.rpc import Message, encode
from codex_server_cli.core.record.turn_record import TURN_STARTERS
from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.core.session.outbox import Step
from codex_server_cli.core.session.session import Session
from codex_server_cli.errors import ErrorKind

CAPTURES = Path(__file__).parent.parent / "fixtures" / "captures"
TURN_ID = "20261120-165501-482-7f3a"


@dataclass(frozen=True)
class CapturedTurn:
    """The messages before and during one turn: `(is_ours, message)`, oldest first."""

    name: str
    messages: tuple[tuple[bool, dict[str, Any]], ...]

    def sent(self, *methods: str) -> dict[str, Any]:
        """The parameters of the first of these requests of ours."""
        found = next(m for is_ours, m in self.messages if is_ours and m.get("method") in methods)
        params: dict[str, Any] = found["params"]
        return params

    @property
    def schema(self) -> dict[str, Any] | None:
        """The output schema of the request."""
        return self.sent(*TURN_STARTERS).get("outputSchema")

    @property
    def request(self) -> TurnRequest:
        """The turn as it would be requested of our own session."""
        sandbox = Sandbox(self.sent("thread/start")["sandbox"])
        return TurnRequest(TURN_ID, cwd="/home/dev/project", sandbox=sandbox, schema=self.schema)

    def events(self) -> bytes:
        """The `events.jsonl` that this turn would have left."""
        log = EventLog()
        lines = [
            log.line_out(encode(message), 0) if is_ours else log.line_in(encode(message)[:-1], message, 0)
            for is_ours, message in self.messages
        ]
        return b"".join(lines)

    def play(self, session: Session) -> tuple[bytes, str]:
        """Feed the incoming messages to a session of ours, one at a time, to the end of the stream.

        A recorded reply goes to the request of the same method that the session has sent; a request that was not
        recorded is answered as by the recorded provider, which needs no login.

        Returns:
            The events that it recorded and the text that it showed.
        """
        ours = [message for is_ours, message in self.messages if is_ours]
        asked = {message["id"]: message["method"] for message in ours if _is_request(message)}
        steps, unasked = [session.start(0)], _CHECKS - set(asked.values())
        for is_ours, message in self.messages:
            if is_ours:
                if message.get("method") == "turn/interrupt":
                    steps.append(session.stop(Cause.CANCELLED, 1))
                continue
            sent = {each["method"]: each["id"] for each in _requests_in(steps)}
            steps.append(session.feed(encode(_addressed(message, asked, sent)), 1))
            for request in _requests_in(steps):
                if request["method"] in unasked:
                    unasked = unasked - {request["method"]}
                    steps.append(
                        session.feed(encode({"id": request["id"], "result": self._check_reply(request["method"])}), 1)
                    )
        steps.append(session.end(TurnError(ErrorKind.CODEX_CRASHED, "EOF"), 2))
        return b"".join(step.events for step in steps), "".join(step.text for step in steps)

    def _check_reply(self, method: str) -> dict[str, Any]:
        results = [message["result"] for _, message in self.messages if isinstance(message.get("result"), dict)]
        provider = next((result["modelProvider"] for result in results if "modelProvider" in result), None)
        account = {"account": None, "requiresOpenaiAuth": False}
        looks: dict[str, dict[str, Any]] = {"account/read": account, "configRequirements/read": {"requirements": None}}
        return looks.get(method, {"config": {"model_provider": provider}})


_CHECKS = frozenset({"account/read", "config/read", "configRequirements/read"})
"""Requests that a session of ours always sends, whether the recording has them or not."""


def _is_request(message: Message) -> bool:
    return "method" in message and "id" in message


def _addressed(message: Message, asked: dict[Any, str], sent: dict[str, Any]) -> Message:
    """A recorded reply with the id of our request of its method; anything else as it is."""
    id_ = message.get("id")
    method = asked.get(id_) if "method" not in message and isinstance(id_, int | str) else None
    return message | {"id": sent[method]} if method in sent else message


def _requests_in(steps: list[Step]) -> list[Message]:
    sent = [json.loads(line) for step in steps for line in step.sends.split(b"\n") if line]
    return [message for message in sent if _is_request(message)]


def capture_names() -> list[str]:
    """Every capture there is."""
    return sorted(path.stem for path in CAPTURES.glob("*.jsonl"))


def captured_turns(name: str) -> list[CapturedTurn]:
    """The turns of one capture, each behind the handshake that they share."""
    lines = [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_bytes().split(b"\n") if line]
    messages = [(line["dir"] == "c2s", line["msg"]) for line in lines if isinstance(line["msg"], dict)]
    starts = [index for index, (is_ours, m) in enumerate(messages) if is_ours and m.get("method") in TURN_STARTERS]
    handshake = messages[: starts[0]]
    return [
        CapturedTurn(name, (*handshake, *messages[start:end]))
        for start, end in zip(starts, [*starts[1:], len(messages)], strict=True)
    ]
