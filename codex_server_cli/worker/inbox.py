"""Requests of other shells to a worker. Owns which part handles which operation; runs in the worker, queued or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError, BusyError, CodexServerError, ErrorKind

if TYPE_CHECKING:  # a queued worker needs nothing of a session
    from codex_server_cli.core.session.control import ShellRequest


def take_requests(directory: TurnDir, serve: Callable[[ShellRequest], None] | None = None) -> Cause | None:
    """Handle every request in the inbox that has no reply yet. An unknown one is refused here.

    Args:
        serve: answers, now or later, requests that need a running turn; None where it does not run yet. The request's
            tag is the path of its file.

    Returns:
        Why the turn must stop, if a request asks for that.
    """
    cause = None
    for request in inbox.unanswered(directory):
        error: CodexServerError | None = None
        if request.op == "cancel":
            cause = Cause.CANCELLED
        elif serve is None:
            error = BusyError("the turn has not begun yet", hint="Try again once it runs.", kind=ErrorKind.BAD_INPUT)
        else:
            from codex_server_cli.core.session.control import read_shell_request

            try:
                asked = read_shell_request(request.op, request.args, str(request.path))
            except BadInputError as refusal:  # from a newer version, with more operations
                error = refusal
            else:
                serve(asked)
                continue
        answer(request.path, error)
    return cause


def answer(path: Path, error: CodexServerError | None = None, result: dict[str, Any] | None = None) -> None:
    """Write the reply as `inbox.reply` does; best effort, because the operation is already done."""
    with contextlib.suppress(OSError):  # a full disk, or the turn was deleted
        inbox.reply(path, error, result)
