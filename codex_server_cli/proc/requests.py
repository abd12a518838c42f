"""What other shells ask of a worker. Owns who answers which operation; runs in the worker, in line or at work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from codex_server_cli.core.outcome import Cause
from codex_server_cli.disk import inbox
from codex_server_cli.disk.inbox import InboxRequest
from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.errors import BusyError, ErrorKind


def take_requests(directory: TurnDir, serve: Callable[[InboxRequest], None] | None = None) -> Cause | None:
    """Take every request in the inbox that has no reply yet.

    Args:
        serve: answers, now or later, what only a turn that runs can do; None where it does not run yet.

    Returns:
        Why the turn is to stop, where one of them asks for that.
    """
    cause = None
    for request in inbox.unanswered(directory):
        if request.op != "cancel" and serve is not None:
            serve(request)
            continue
        error = None
        if request.op == "cancel":
            cause = Cause.CANCELLED
        else:
            error = BusyError("the turn has not begun yet", hint="Try again once it runs.", kind=ErrorKind.BAD_INPUT)
        with contextlib.suppress(OSError):  # it is done all the same
            inbox.reply(request.path, error)
    return cause
