"""The end of a generation as a client brings it about: by telling its keeper, or in place of one that was killed."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from codex_server_cli.codex.server.state import CURRENT, Generation, generations_in, read_generation


def retire(generation: Generation, *, at_once: bool = False) -> bool:
    """Make a generation take no more turns; it ends after the present ones. May be called again.

    Args:
        at_once: end it and its turns now.

    Returns:
        Whether its keeper, or else it itself, was there to be told.
    """
    if generation.is_kept():
        pid = generation.keeper_pid
    elif generation.is_alive() and (at_once or not generation.is_bound):
        pid = generation.pid  # a bound one drains already: a second signal would end its turns
    else:
        return False
    try:
        os.kill(pid, signal.SIGINT if at_once and pid == generation.keeper_pid else signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # one that was stopped would never hear of it
    except OSError:  # gone meanwhile
        return False
    return True


def tidy(directory: str) -> None:
    """Put away the records of killed keepers, as the holder of the lock: no keeper has a current one then.

    A server that outlived its keeper drains: its record says so from now on, so that `server status` shows it, and its
    turns find its socket. What a dead one has left is deleted.
    """
    for found in generations_in(directory):
        current, draining = f"{directory}/{CURRENT}", f"{directory}/draining-{found.number}.json"
        is_current = read_generation(current) == found
        with contextlib.suppress(OSError):  # gone meanwhile
            if found.is_alive() and is_current:
                retire(found)
                os.rename(current, draining)  # noqa: PTH104
            elif not found.is_alive() and not found.is_kept():
                for path in (found.socket_path, found.clients_path, current if is_current else draining):
                    Path(path).unlink(missing_ok=True)
