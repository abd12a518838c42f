"""The end of a generation as others than its keeper bring it about: by telling the keeper, or in place of a killed one.

A server that has no keeper any more is told once: a second signal would end its turns (`gN.told`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

from codex_server_cli.codex.server.state import CURRENT, Generation, generations_in, read_generation

_ASK_S = 1.0
_END_S, _POLL_S = 0.5, 0.005


def retire(generation: Generation, *, at_once: bool = False) -> bool:
    """Make a generation take no more turns; it ends after the present ones. May be called again.

    Args:
        at_once: end it and its turns now.

    Returns:
        Whether its keeper, or else it itself, was there to be told.
    """
    if generation.is_kept():
        return _signal(generation.keeper_pid, signal.SIGINT if at_once else signal.SIGTERM)
    if not generation.is_alive():
        return False
    return _end(generation) if at_once else tell(generation)


def tell(generation: Generation) -> bool:
    """Make a server without a keeper drain, unless it does: the process above the keeper may do so at this moment.

    Returns:
        Whether it drains for certain.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(generation.told_path, flags, 0o600)
    except OSError:  # its directory is gone, or cannot be written: it is told by whoever notices first
        return _tell(generation)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_size:
            return _signal(generation.pid)
        is_told = _tell(generation)
        os.write(fd, b"1")
    except OSError:  # somebody else tells it now; or a full disk: who comes next finds it draining
        return False
    finally:
        os.close(fd)
    return is_told


def clean_up_killed_keepers(directory: str) -> None:
    """Put away what killed keepers have left, as the holder of the lock: no keeper has a current record then.

    A server that outlived its keeper drains: its record says so from now on, so that `server status` shows it, and its
    turns find its socket. What a dead one has left is deleted, and what its turns have left is ended.
    """
    from codex_server_cli.codex.server.keeper.leftovers import end_abandoned  # most turns start no server
    from codex_server_cli.codex.server.keeper.server_log import ServerLog

    living: set[int] = set()
    for found in generations_in(directory):
        current, draining = f"{directory}/{CURRENT}", found.draining_path
        is_current = read_generation(current) == found
        with contextlib.suppress(OSError):  # gone meanwhile
            if found.is_alive():
                living.add(found.number)
                if is_current or not found.is_kept():
                    retire(found)
                if is_current:
                    os.rename(current, draining)  # noqa: PTH104
            elif not found.is_kept():
                paths = (found.socket_path, found.clients_path, found.told_path, current if is_current else draining)
                for path in filter(None, paths):
                    Path(path).unlink(missing_ok=True)
    ended = end_abandoned(directory, living)
    if ended:
        words = ", ".join(map(str, sorted(ended)))
        with contextlib.suppress(OSError):
            ServerLog(f"{directory}/server.log").say(f"ended what killed generations had left running: {words}")


def _end(generation: Generation) -> bool:
    """End a server, as its keeper would: the second signal ends the turns, where the first was understood as one."""
    for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if not _signal(generation.pid, signum):
            break
        deadline = time.monotonic() + _END_S
        while generation.is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if not generation.is_alive():
            break
    return True


def _tell(generation: Generation) -> bool:
    from codex_server_cli.codex.server.draining import is_draining  # a client, which most ends do not need

    _signal(generation.pid)
    if generation.socket_path and is_draining(generation.socket_path, _ASK_S):  # for a TCP port we have no token
        return True
    return _signal(generation.pid, signal.SIGTERM)


def _signal(pid: int, *signums: signal.Signals) -> bool:
    """Send signals, and have a process go on that was stopped: it would never hear of them. Whether it was there."""
    is_told = False
    for signum in (*signums, signal.SIGCONT):
        try:
            os.kill(pid, signum)
        except OSError:  # gone meanwhile, maybe for the first of them
            return is_told
        is_told = True
    return is_told
