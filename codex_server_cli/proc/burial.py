"""What a dead worker left: processes that still run, which are ended, and queued messages, which are put back.

For whoever repairs a turn, which holds its lock (`disk.repair`).
"""

from __future__ import annotations

import os

from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.proc.sweep import sweep

_TIMEOUT_S = 5.0
"""A reader wants to go on; what takes longer waits for `recover`."""


def bury(turn: TurnDir) -> None:
    """End what runs, then settle what is owed: the dead worker's app-server may have the thread open until then."""
    sweep(turn.turn_id)
    if os.path.lexists(turn.queued):
        from codex_server_cli.proc.queue_debt import settle_for_the_dead  # for a rare case

        settle_for_the_dead(turn, _TIMEOUT_S)
