"""A queued turn: the worker while `max_running` others run, or while it waits for the usage limit to reset.

Owns the waiting process, which must cost next to nothing.

The worker replaces itself (exec) by this process, which holds the same locks under the same pid in half the memory,
because most of the modules that run a turn are not needed yet. When it has a slot it imports the rest and runs the
turn. Must import no more than it uses: 200 turns may be queued at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.queue.queue import Slot, Ticket
from codex_server_cli.settings.environment import interpreter
from codex_server_cli.worker.log import say
from codex_server_cli.worker.queued_turn import QueuedTurn

TYPE_CHECKING = False  # typing itself takes 1 MB
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from codex_server_cli.worker.leases import Leases

_CODE = (
    "import gc; gc.set_threshold(100_000); "
    "from codex_server_cli.settings.light_imports import load_pathlib; load_pathlib(); "
    "from codex_server_cli.worker.queue_wait import main; main()"
)


def exec_waiter(
    turn_path: Path,
    lock_fd: int,
    leases: Leases,
    max_running: int,
    deadline_s: float | None,
    parent: str | None,
    held_until_s: float | None = None,
) -> NoReturn:
    """Become the light process that waits. Runs in the worker; never returns.

    Args:
        lock_fd: holds the turn's own lock.
        deadline_s: seconds from now until the turn must have ended, None for no limit.
        parent: the turn that started it, if any.
        held_until_s: for a turn that must not run before the usage limit resets: the time of the reset, in Unix
            seconds; it is not queued before that. 0 where that time is not known; None for any other turn.
    """
    ticket, thread = leases.ticket, leases.thread
    now_s = time.monotonic()
    handover = {
        "turn_path": str(turn_path),
        "lock_fd": lock_fd,
        "ticket": (ticket.turn_id, ticket.fd) if ticket else None,
        "thread": (str(thread.path), thread.fd) if thread else None,
        "max_running": max_running,
        "parent": parent,
        "since_s": now_s,
        "deadline_s": now_s + deadline_s if deadline_s is not None else None,
        "held_until_s": held_until_s,
    }
    for fd in _lock_fds(handover):
        os.set_inheritable(fd, True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a starting interpreter would print a traceback
    os.execv(sys.executable, interpreter(_CODE, json.dumps(handover)))


def _lock_fds(handover: dict[str, Any]) -> list[int]:
    """The descriptors whose locks the process must keep."""
    return [handover["lock_fd"], *(handover[name][1] for name in ("ticket", "thread") if handover[name])]


def main() -> None:
    """Entry point of the process after exec; its only argument is the JSON of `exec_waiter`."""
    handover: dict[str, Any] = json.loads(sys.argv[1])
    for fd in _lock_fds(handover):
        os.set_inheritable(fd, False)  # no child may keep a lock alive
    turn_path = Path(handover["turn_path"])
    ticket = Ticket(queue.folder_of(turn_path.parent), *handover["ticket"]) if handover["ticket"] else None
    turn = QueuedTurn(turn_path, ticket, handover["max_running"], handover["deadline_s"], handover["parent"])
    slot, held_until_s = None, handover["held_until_s"]
    try:
        turn.listen()
        slot = turn.wait() if held_until_s is None else _wait_for_reset(turn, turn_path, held_until_s)
    except OSError as error:
        say(f"running without a slot: {error}")  # one turn too many is better than a lost one

    from codex_server_cli.disk.queue.thread_locks import ThreadLock  # from here on an ordinary worker
    from codex_server_cli.disk.turn.layout import TurnDir
    from codex_server_cli.worker.leases import Leases
    from codex_server_cli.worker.run import run_to_end

    thread_path, thread_fd = handover["thread"] or (None, -1)
    thread = ThreadLock(Path(thread_path), thread_fd) if thread_path else None
    leases = Leases(turn_path.parent, turn.ticket, thread)
    leases.slot = slot
    turn.forward_signals(leases)
    waited_s = time.monotonic() - handover["since_s"]
    run_to_end(TurnDir(turn_path), handover["lock_fd"], leases, stop_cause=turn.stop_cause, waited_s=waited_s)


def _wait_for_reset(turn: QueuedTurn, turn_path: Path, held_until_s: float) -> Slot | None:
    from codex_server_cli.worker.limit_wait import wait_for_reset  # not needed by other queued turns

    return wait_for_reset(turn, turn_path, held_until_s)
