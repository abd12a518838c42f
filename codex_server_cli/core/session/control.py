"""What other shells ask of a turn that runs: to decide a request, to steer. Owns how that is read, and who does it.

How a request came in and how its reply goes out is the worker's. `cancel` is none of these: it also ends a worker that
has no session yet.
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
    """Read a request that another shell left.

    Args:
        op: `approve` and `decline` take `request` and `is_for_session`, `reply` takes `request` and `answers`
            (texts by question id), `steer` takes `text`.
        args: from a file that anybody could have written.
        tag: what the reply will bear.

    Raises:
        BadInputError: it is none that we know, or its arguments are none of its.
    """
    if op == "steer":
        return Steer(tag, _text(args, "text") or "")
    if op not in _DECISIONS:
        raise BadInputError(f"this worker does not know the request {op!r}", hint="Its version is another one.")
    return Decision(tag, op, _text(args, "request"), bool(args.get("is_for_session")), _answers(args))


class ShellRequests:
    """Hands each operation to the desk or the steering, and tells what became of it."""

    def __init__(self, request: TurnRequest, outbox: Outbox, requests: Requests, timers: Timers) -> None:
        self.approvals = Approvals(request, outbox, timers)
        self.steering = Steering(request, outbox, requests)
        self._outbox = outbox

    def serve(self, asked: ShellRequest, now_ms: float) -> None:
        """Do what another shell asks for; a reply with its tag tells what came of it, for `Steer` once Codex has."""
        try:
            if isinstance(asked, Steer):
                self.steering.steer(asked, now_ms)
            else:
                decided = self.approvals.decide(asked, now_ms)
                self._outbox.tell(Reply(asked.tag, result={"request": decided.to_json()}))
        except CodexServerError as error:
            self._outbox.tell(Reply(asked.tag, error))
        except Exception as error:  # a defect of ours: the words of another shell must not end the turn
            self._outbox.tell(Reply(asked.tag, InternalError(f"{type(error).__name__}: {error}"[:500])))

    def close(self) -> None:
        """The turn is over: nothing waits any more."""
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
    """Codex drops a message with a lone surrogate (an argument's bytes that are no UTF-8), and goes on waiting."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInputError("the text is not valid UTF-8", hint="Convert it to UTF-8 first.") from error
