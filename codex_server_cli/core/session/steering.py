"""Text into a turn that runs: `turn/steer` (protocol notes, section 4). Owns when that can be asked, and who is told.

Codex breaks off the response under way and asks the model again, with the text (seen with 0.163.0 and 0.171.0). Must
never queue what comes too early or too late: `continue` is for that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.protocol.rpc import Message, readable_message
from codex_server_cli.core.result.commands import go_on_with
from codex_server_cli.core.session.outbox import Outbox, Reply
from codex_server_cli.core.session.requests import Requests, SentRequest
from codex_server_cli.errors import BadInputError, BusyError, CodexServerError, ErrorKind

STEER = "turn/steer"


class Steer(NamedTuple):
    """Text that another shell has for the turn; `tag` is what the reply to that shell bears."""

    tag: str
    text: str


class Steering:
    """Asks Codex to take text up, and tells whoever sent it what became of it."""

    def __init__(self, request: TurnRequest, outbox: Outbox, requests: Requests) -> None:
        self._request = request
        self._outbox = outbox
        self._requests = requests
        self._tags: list[str] = []  # who waits for an answer

    def steer(self, steer: Steer, now_ms: float) -> None:
        """Send text.

        Raises:
            BadInputError: there is none, or the turn takes none.
            BusyError: it has yet to begin.
        """
        record = self._outbox.record
        if is_blank(steer.text):
            raise BadInputError("there is no text to steer with", hint="Give some: nothing was sent.")
        if self._request.review is not None:
            hint = f"Once it has ended, with the text on stdin: `{go_on_with(self._request)}`"
            raise BadInputError("a review cannot be steered", hint=hint)
        if record.turn_id is None or not record.has_started:
            raise BusyError("the turn has not begun yet", hint="Try again in a moment.", kind=ErrorKind.BAD_INPUT)
        params: Message = {
            "threadId": record.thread_id,
            "expectedTurnId": record.turn_id,
            "input": [{"type": "text", "text": steer.text}],
        }
        self._requests.ask(STEER, params, now_ms, steer.tag)
        self._tags.append(steer.tag)

    def answered(self, asked: SentRequest, error: Any) -> None:
        """Codex took text up, or refused; what was asked for nobody else changes nothing.

        Args:
            error: the reply's error object; None where it has none.
        """
        if asked.tag not in self._tags:
            return
        if error is None:
            self._tell(asked.tag, None)
        else:
            self._tell(asked.tag, self._too_late(readable_message(error if isinstance(error, dict) else {})))

    def close(self) -> None:
        """Nothing more will be answered."""
        for tag in list(self._tags):
            self._tell(tag, self._too_late("the turn ended before Codex took it up"))

    def _tell(self, tag: str, error: CodexServerError | None) -> None:
        self._tags.remove(tag)
        self._outbox.tell(Reply(tag, error))

    def _too_late(self, reason: str) -> BadInputError:
        hint = f"Once it has ended, with the text on stdin: `{go_on_with(self._request)}`"
        return BadInputError(f"the turn cannot be steered: {reason}", hint=hint)
