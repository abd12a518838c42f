"""Ending a generation from outside of its keeper: by a signal to the keeper, or in place of a killed keeper.

A server without a keeper gets one signal only: a second one would end its turns (`gN.told`).
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
    """Make a generation take no more turns; it ends after the present ones. Idempotent.

    Args:
        at_once: end it and its turns now.

    Returns:
        Whether its keeper, or else the server itself, got the signal.
    """
    if generation.is_kept():
        return _signal(generation.keeper_pid, signal.SIGINT if at_once else signal.SIGTERM)
    if not generation.is_alive():
        return False
    return _end(generation) if at_once else tell(generation)


def tell(generation: Generation) -> bool:
    """Make a server without a keeper drain, unless the stand-by process is doing so at this moment.

    Returns:
        Whether it drains for certain.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(generation.told_path, flags, 0o600)
    except OSError:  # its directory is gone, or cannot be written: the first caller sends the signal
        return _tell(generation)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_size:
            return _signal(generation.pid)
        is_told = _tell(generation)
        os.write(fd, b"1")
    except OSError:  # another process is telling it now; or the disk is full: the next caller finds it draining
        return False
    finally:
        os.close(fd)
    return is_told


def clean_up_killed_keepers(directory: str) -> None:
    """Clean up after killed keepers. Needs the lock, so that no keeper has a current record.

    A server that outlived its keeper drains: its record is renamed accordingly, so that `server status` shows it, and
    its turns find its socket. The files of a dead one are deleted, and the orphans of its turns are ended.
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
    """End a server, as its keeper would: if the first signal makes it drain, the second one ends its turns."""
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
    from codex_server_cli.codex.server.draining import is_draining  # imports a client, which is rarely needed

    _signal(generation.pid)
    if generation.socket_path and is_draining(generation.socket_path, _ASK_S):  # for a TCP port we have no token
        return True
    return _signal(generation.pid, signal.SIGTERM)


def _signal(pid: int, *signums: signal.Signals) -> bool:
    """Send signals, then SIGCONT, because a stopped process would never handle them; return whether it existed."""
    is_told = False
    for signum in (*signums, signal.SIGCONT):
        try:
            os.kill(pid, signum)
        except OSError:  # gone meanwhile, maybe for the first of them
            return is_told
        is_told = True
    return is_told
