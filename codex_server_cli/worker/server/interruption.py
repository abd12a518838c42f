"""Whether a worker must interrupt a wait outside of its loop. Must never consume a request."""

from __future__ import annotations

import os
import select

from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir


def is_told_to_stop(turn: TurnDir) -> bool:
    """Whether the turn was cancelled or deleted, or a signal came: each of these writes a byte to its FIFO.

    So does any other request of a shell; it is answered after the wait, and until then a signal goes unnoticed.
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
