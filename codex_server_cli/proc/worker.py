"""The worker's first breath: take the session and the lock over, say so, then become the turn.

Runs in the worker. Imports next to nothing before it is ready, because a shell is waiting; everything after that is
`turn_loop`'s. Must never import typer or rich.
"""

from __future__ import annotations

import os
import signal
import sys

from codex_server_cli.proc.descriptors import LOCK_FD, READY_FD, close_others


def main() -> None:
    """Entry point of the spawned process; `sys.argv[1]` is the turn directory."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    close_others(keep={0, 1, 2, LOCK_FD, READY_FD})
    os.set_inheritable(LOCK_FD, False)  # codex and its commands must not keep the turn alive
    os.umask(0o077)
    os.chdir("/")
    os.write(READY_FD, b"!")
    os.close(READY_FD)

    from codex_server_cli.proc.turn_loop import run_turn

    run_turn(sys.argv[1])
