"""Requests of other shells to a running turn: decide an approval, steer. Owns their parsing and dispatch.

The worker receives requests and delivers replies. `cancel` is not one of them: it also ends a worker that has no
session yet.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.timers import Timers
from codex_server_cli.core.session.approvals import Approvals, Decision
from codex_server_cli.core.session.outbox import Outbox, Reply
from codex_server_cli.core.session.requests import Requests
from codex_server_cli.core.session.steering import Steer, Steering
from codex_server_cli.errors import BadInputError, CodexServerError, InternalError

ShellRequest: TypeAlias = Decision | Steer
_DECISIONS = ("approve", "decline", "reply")


def read_shell_request(op: str, args: dict[str, Any], tag: str) -> ShellRequest:
    """Parse a request of another shell.

    Args:
        op: `approve` and `decline` take `request` and `is_for_session`, `reply` takes `request` and `answers`
            (texts by question id), `steer` takes `text`.
        args: from a file; untrusted.
        tag: identifies the reply.

    Raises:
        BadInputError: `op` is unknown, or its arguments are invalid.
    """
    if op == "steer":
        return Steer(tag, _text(args, "text") or "")
    if op not in _DECISIONS:
        raise BadInputError(f"this worker does not know the request {op!r}", hint="Its version is another one.")
    return Decision(tag, op, _text(args, "request"), bool(args.get("is_for_session")), _answers(args))


class ShellRequests:
    """Dispatches each operation to the approvals or the steering, and replies with the result."""

    def __init__(self, request: TurnRequest, outbox: Outbox, requests: Requests, timers: Timers) -> None:
        self.approvals = Approvals(request, outbox, timers)
        self.steering = Steering(request, outbox, requests)
        self._outbox = outbox

    def serve(self, request: ShellRequest, now_ms: float) -> None:
        """Serve a request of another shell; a reply with its tag reports the result, for `Steer` once Codex replied."""
        try:
            if isinstance(request, Steer):
                self.steering.steer(request, now_ms)
            else:
                decided = self.approvals.decide(request, now_ms)
                self._outbox.add_reply(Reply(request.tag, result={"request": decided.to_json()}))
        except CodexServerError as error:
            self._outbox.add_reply(Reply(request.tag, error))
        except Exception as error:  # an internal defect: another shell's request must not end the turn
            self._outbox.add_reply(Reply(request.tag, InternalError(f"{type(error).__name__}: {error}"[:500])))

    def close(self) -> None:
        """Close what is pending: the turn is over."""
        self.approvals.close()
        self.steering.close()


def _answers(args: dict[str, Any]) -> dict[str, list[str]]:
    answers = args.get("answers") or {}
    is_readable = isinstance(answers, dict) and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in answers.values()
    )
    if not is_readable:
        raise BadInputError("answers are texts by question id")
    for texts in answers.values():
        for text in texts:
            _check_unicode(text)
    return answers


def _text(args: dict[str, Any], name: str) -> str | None:
    value = args.get(name)
    if not isinstance(value, str | None):
        raise BadInputError(f"{name} must be text")
    _check_unicode(value or "")
    return value


def _check_unicode(text: str) -> None:
    """Codex drops a message with a lone surrogate (from argument bytes that are not UTF-8), and keeps waiting."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInputError("the text is not valid UTF-8", hint="Convert it to UTF-8 first.") from error
