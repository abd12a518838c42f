"""Whether a worker is wanted in its loop while it waits for something outside of it. Must never take a request."""

from __future__ import annotations

import os
import select

from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir


def is_told_to_stop(turn: TurnDir) -> bool:
    """Whether the turn was cancelled or deleted, or a signal came: each of these writes a byte into its FIFO.

    Another shell's request does, too. It is answered once the wait is over, and until then hides a signal.
    """
    try:
        wake_fd = inbox.open_wake(turn)
    except OSError:  # deleted
        return not turn.exists
    try:
        if not select.select([wake_fd], [], [], 0)[0]:
            return False
    finally:
        os.close(wake_fd)
    requests = inbox.unanswered(turn)
    return not requests or any(request.op == "cancel" for request in requests)
