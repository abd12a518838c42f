"""What other shells ask of a worker. Owns which operations it knows; runs in the worker, in line or at work."""

from __future__ import annotations

import contextlib

from codex_server_cli import __version__
from codex_server_cli.core.outcome import Cause
from codex_server_cli.disk import inbox
from codex_server_cli.disk.turn_dir import TurnDir


def take_requests(directory: TurnDir) -> Cause | None:
    """Answer every request in the inbox.

    Returns:
        Why the turn is to stop, where one of them asks for that.
    """
    cause = None
    for request in inbox.unanswered(directory):
        error = None
        if request.op == "cancel":
            cause = Cause.CANCELLED
        else:
            error = f"codex-server {__version__} does not know the request {request.op!r}"
        with contextlib.suppress(OSError):  # it is done all the same
            inbox.reply(request, error)
    return cause
