"""Starting a worker and letting go of it. Runs in the launcher: the shell command that the user waits for.

The worker gets a new session, so that neither a kill of the launcher's process group nor the closing of its terminal
reaches it, and three things of ours: the lock, the ready pipe, and `worker.log` as its output. Must import nothing
that `new` does not need: its budget is a tenth of a second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys

from codex_server_cli.disk.files import tail_text
from codex_server_cli.disk.turn_dir import NewTurn
from codex_server_cli.errors import InternalError
from codex_server_cli.proc.descriptors import LOCK_FD, READY_FD
from codex_server_cli.settings import worker_environment

_READY_TIMEOUT_S = 20.0
_CODE = "from codex_server_cli.proc.worker import main; main()"


def launch(turn: NewTurn) -> None:
    """Start the worker of a published turn, wait for its word, and let go of the lock.

    Raises:
        InternalError: it did not come to life; the turn is gone again, as nobody was told of it.
    """
    ready_read, ready_write = os.pipe()
    try:
        pid = _spawn(turn, ready_write)
    finally:
        os.close(ready_write)
    try:
        is_ready = _await_ready(ready_read)
    finally:
        os.close(ready_read)
    if not is_ready:
        _give_up(turn, pid)
    os.close(turn.lock_fd)


def _spawn(turn: NewTurn, ready_write: int) -> int:
    # Descriptors are handed over under fixed numbers; copies far above them keep one from overwriting the other.
    lock_fd = fcntl.fcntl(turn.lock_fd, fcntl.F_DUPFD_CLOEXEC, 10)
    ready_fd = fcntl.fcntl(ready_write, fcntl.F_DUPFD_CLOEXEC, 10)
    log_flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        return os.posix_spawn(
            sys.executable,
            # -P: the worker must not import from wherever the user happens to stand
            [sys.executable, "-P", "-c", _CODE, str(turn.directory.path)],
            worker_environment(turn.directory.turn_id),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(turn.directory.log), log_flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, lock_fd, LOCK_FD),
                (os.POSIX_SPAWN_DUP2, ready_fd, READY_FD),
            ],
            setsid=True,
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
            setsigmask=[],
        )
    finally:
        os.close(lock_fd)
        os.close(ready_fd)


def _await_ready(ready_read: int) -> bool:
    """A byte means alive; the end of the pipe without one means that the worker died on its way."""
    readable, _, _ = select.select([ready_read], [], [], _READY_TIMEOUT_S)
    return bool(readable) and os.read(ready_read, 1) != b""


def _give_up(turn: NewTurn, pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # our own child, not yet reaped: the pid is certainly still its
    os.waitpid(pid, 0)
    last_words = tail_text(turn.directory.log, 2000)
    turn.discard()
    reason = last_words.rpartition("\n")[2] or "it left no word"
    raise InternalError(f"the worker could not start: {reason}", hint="`codex-server doctor` looks for the cause.")
