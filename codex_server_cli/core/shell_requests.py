"""What other shells ask of a turn that runs: to decide a request, to steer. Owns the operations and their arguments.

How a request came in and how its reply goes out is the worker's. `cancel` is none of these: it also ends a worker that
has no session yet.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.asking import Asking
from codex_server_cli.core.desk import Decision, Desk
from codex_server_cli.core.exchange import Exchange, Reply
from codex_server_cli.core.request import TurnRequest
from codex_server_cli.core.steering import Steering
from codex_server_cli.core.timers import Timers
from codex_server_cli.errors import BadInputError, CodexServerError, InternalError

_DECISIONS = ("approve", "decline", "reply")


class ShellRequests:
    """Hands each operation to the desk or the steering, and tells what became of it."""

    def __init__(self, request: TurnRequest, exchange: Exchange, asking: Asking, timers: Timers) -> None:
        self.desk = Desk(request, exchange, timers)
        self.steering = Steering(request, exchange, asking)
        self._exchange = exchange

    def serve(self, op: str, args: dict[str, Any], tag: str, now_ms: float) -> None:
        """Do what another shell asks for.

        Args:
            op: `approve` and `decline` take `request` and `is_for_session`, `reply` takes `request` and `answers`
                (texts by question id), `steer` takes `text`.
            args: from a file that anybody could have written.
            tag: what the reply bears; that of `steer` comes once Codex has answered.
        """
        try:
            self._serve(op, args, tag, now_ms)
        except CodexServerError as error:
            self._exchange.tell(Reply(tag, error))
        except Exception as error:  # a defect of ours: the words of another shell must not end the turn
            self._exchange.tell(Reply(tag, InternalError(f"{type(error).__name__}: {error}"[:500])))

    def _serve(self, op: str, args: dict[str, Any], tag: str, now_ms: float) -> None:
        if op == "steer":
            self.steering.steer(_text(args, "text") or "", tag, now_ms)
        elif op in _DECISIONS:
            decided = self.desk.decide(_decision(op, args), now_ms)
            self._exchange.tell(Reply(tag, result={"request": decided.to_json()}))
        else:
            raise BadInputError(f"this worker does not know the request {op!r}", hint="Its version is another one.")

    def close(self) -> None:
        """The turn is over: nothing waits any more."""
        self.desk.close()
        self.steering.close()


def _decision(op: str, args: dict[str, Any]) -> Decision:
    answers = args.get("answers") or {}
    is_readable = isinstance(answers, dict) and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in answers.values()
    )
    if not is_readable:
        raise BadInputError("answers are texts by question id")
    for texts in answers.values():
        for text in texts:
            _check_unicode(text)
    return Decision(op, _text(args, "request"), bool(args.get("is_for_session")), answers)


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
