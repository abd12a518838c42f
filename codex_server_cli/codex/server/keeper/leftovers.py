"""Ending what turns on the shared app-server leave running. Runs in the keeper; must import next to nothing.

The keeper is a child subreaper: a process whose parent ended becomes its child, even with an emptied environment
(`env -i setsid …` under danger-full-access), where a search by the turn's mark does not find it.
"""

from __future__ import annotations

import os
import signal
import time

from codex_server_cli.codex.server.mark import is_of_another, marked
from codex_server_cli.codex.server.process import children_of, start_ticks

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDS = 5
_GRACE_S = 0.2
_POLL_S = 0.005


def left_behind(server_pid: int, directory: str) -> list[int]:
    """Orphans of the app-server's commands: our children without the server, and without those of other owners.

    Args:
        directory: of the server.
    """
    children = (pid for pid in children_of(os.getpid()) if pid != server_pid)
    return [pid for pid in children if start_ticks(pid) is not None and not is_of_another(pid, directory)]


def end_abandoned(directory: str, living: set[int]) -> set[int]:
    """End the orphans of generations whose keeper and stand-by process were both killed.

    Args:
        directory: of the server.
        living: the numbers of the generations whose app-server runs.

    Returns:
        The pids.
    """

    def find() -> set[int]:
        return {pid for pid, number in marked(directory).items() if number not in living and start_ticks(pid)}

    return end_all(find)


def end_all(find: Callable[[], set[int]]) -> set[int]:
    """End processes: SIGTERM, a short grace, SIGKILL; until none is found.

    Args:
        find: returns those that are left, without zombies. Called again before each signal: a pid may be reused.

    Returns:
        The pids.
    """
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = find()
        if not found:
            break
        ended |= found
        for signum in (signal.SIGTERM, signal.SIGKILL):
            for pid in found & find():
                try:
                    os.kill(pid, signum)
                except OSError:  # gone meanwhile
                    continue
            deadline = time.monotonic() + _GRACE_S
            while (found := {pid for pid in found if start_ticks(pid) is not None}) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
    return ended
