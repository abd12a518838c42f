"""Text into a running turn: `turn/steer` (protocol notes, section 4). Owns when it can be sent, and the replies.

Codex aborts the current response and requests a new one, with the text (seen with 0.163.0 and 0.171.0). Must never
queue a text that comes too early or too late: `continue` is for that.
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
    """Text of another shell for the turn; `tag` identifies the reply to that shell."""

    tag: str
    text: str


class Steering:
    """Sends text to Codex, and reports the result to the shell that it came from.

    Attributes:
        is_disconnected: the connection was lost: no request can be sent now.
    """

    def __init__(self, request: TurnRequest, outbox: Outbox, requests: Requests) -> None:
        self._request = request
        self._outbox = outbox
        self._requests = requests
        self._tags: list[str] = []  # of shells that wait for a reply
        self._has_ended = self.is_disconnected = False

    def steer(self, steer: Steer, now_ms: float) -> None:
        """Send text.

        Raises:
            BadInputError: the text is blank, or the turn cannot be steered.
            BusyError: the turn has yet to begin.
        """
        record = self._outbox.record
        if self._has_ended:
            raise self._too_late("it has ended")
        if is_blank(steer.text):
            raise BadInputError("there is no text to steer with", hint="Give some: nothing was sent.")
        if self._request.review is not None:
            hint = f"Once it has ended, with the text on stdin: `{go_on_with(self._request)}`"
            raise BadInputError("a review cannot be steered", hint=hint)
        if self._request.is_compaction:
            hint = f"Once it has ended: `{go_on_with(self._request)}`, with the text on stdin"
            raise BadInputError("a compaction cannot be steered", hint=hint)
        if record.turn_id is None or not record.has_started:
            raise BusyError("the turn has not begun yet", hint="Try again in a moment.", kind=ErrorKind.BAD_INPUT)
        if self.is_disconnected:
            lost = "the connection to the app-server was lost, and is being made again"
            raise BusyError(lost, hint="Try again in a moment: nothing was sent.", kind=ErrorKind.NETWORK)
        params: Message = {
            "threadId": record.thread_id,
            "expectedTurnId": record.turn_id,
            "input": [{"type": "text", "text": steer.text}],
        }
        self._requests.ask(STEER, params, now_ms, steer.tag)
        self._tags.append(steer.tag)

    def answered(self, asked: SentRequest, error: Any) -> None:
        """Codex accepted text, or refused it; the reply to any other request changes nothing.

        Args:
            error: the reply's error object; None if it has none.
        """
        if asked.tag not in self._tags:
            return
        if error is None:
            self._reply(asked.tag, None)
        else:
            self._reply(asked.tag, self._too_late(readable_message(error if isinstance(error, dict) else {})))

    def lose(self) -> None:
        """The connection was lost: it is unknown whether Codex received pending texts."""
        hint = f"codex-server watch {self._request.turn_id} shows what it took up; send again what is missing."
        for tag in list(self._tags):
            lost = "the connection to the app-server was lost: the text was sent, and may have reached Codex or not"
            self._reply(tag, BusyError(lost, hint=hint, kind=ErrorKind.NETWORK))

    def close(self) -> None:
        """Refuse pending and later texts: the turn is over."""
        self._has_ended = True
        for tag in list(self._tags):
            self._reply(tag, self._too_late("the turn ended before Codex took it up"))

    def _reply(self, tag: str, error: CodexServerError | None) -> None:
        self._tags.remove(tag)
        self._outbox.add_reply(Reply(tag, error))

    def _too_late(self, reason: str) -> BadInputError:
        hint = f"Once it has ended, with the text on stdin: `{go_on_with(self._request)}`"
        return BadInputError(f"the turn cannot be steered: {reason}", hint=hint)
