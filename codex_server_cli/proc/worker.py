"""The worker before it has a turn: get ready, take one, make its directory, say so. Then it becomes the turn.

Runs in the worker, spawned by `launch` with nothing but two pipes: the turn comes on stdin, the turn id goes to stdout.
The worker makes the directory itself, so that its lock is held by the one process that will keep it and is never handed
from hand to hand. Must never import typer or rich.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from codex_server_cli.disk import turn_dir
from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.errors import HomeError
from codex_server_cli.proc.sweep import process_identity
from codex_server_cli.proc.turn_loop import run_turn


def main() -> None:
    """Entry point of the spawned process; `sys.argv[1]` is the turn id that the launcher proposes."""
    _close_others()
    os.chdir("/")
    turn = _read_turn()
    if turn is None:
        return
    ticks, boot_id = process_identity(os.getpid())
    meta = turn["meta"] | {"pid": os.getpid(), "pid_start_ticks": ticks, "boot_id": boot_id}
    try:
        directory, _lock_fd = turn_dir.create(Path(turn["turns_path"]), sys.argv[1], turn["prompt"], meta)
    except HomeError as error:
        _answer({"home_error": error.message, "hint": error.hint})
        return
    _answer({"turn_id": directory.turn_id})
    _settle_down(directory)
    run_turn(directory)
    os._exit(0)  # whoever waits for our lock to fall need not wait for an interpreter to tidy up


def _close_others() -> None:
    """Close every descriptor that the launcher's own parent left open across exec."""
    try:
        last = max(int(name) for name in os.listdir("/dev/fd"))  # noqa: PTH208 — names, not paths
    except OSError:  # a bare root
        last = 1023
    os.closerange(3, last + 1)


def _read_turn() -> dict[str, Any] | None:
    """The turn, once the launcher has sent all of it; None where it went away before."""
    data = sys.stdin.buffer.read()
    return json.loads(data) if data.endswith(b"\n") else None


def _answer(answer: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the launcher is dead; the turn is not


def _settle_down(directory: TurnDir) -> None:
    """Let go of the launcher's pipes: from now on our words go to `worker.log`."""
    null_fd = os.open(os.devnull, os.O_RDONLY)
    log_fd = os.open(directory.log, os.O_WRONLY | os.O_APPEND)
    os.dup2(null_fd, 0)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    os.close(null_fd)
    os.close(log_fd)
