"""The worker before it has a turn: get ready, take one, make its directory, say so. Then it becomes the turn.

Runs in the worker, spawned by `launch` with nothing but two pipes: the turn comes on stdin, the answer goes to stdout.
The worker makes the directory itself, so that its lock is held by the one process that will keep it and is never handed
from hand to hand. Must never import typer or rich.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codex_server_cli.disk.journal.turn_journal import TurnJournal
from codex_server_cli.disk.process import process_identity
from codex_server_cli.disk.queue import queue, thread_locks
from codex_server_cli.disk.queue.queue import Ticket
from codex_server_cli.disk.queue.thread_locks import ThreadLock
from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.disk.turn import layout
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import HomeError
from codex_server_cli.worker import queue_wait
from codex_server_cli.worker.leases import Leases
from codex_server_cli.worker.live_file import write_queued
from codex_server_cli.worker.log import say
from codex_server_cli.worker.run import carry_on


def main() -> None:
    """Entry point of the spawned process."""
    _close_others()
    os.chdir("/")
    turn = _read_turn()
    if turn is None:
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the end of a terminal is nothing to a turn
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the turn listens it ends us without a traceback
    turns_path = Path(turn["turns_path"])
    try:
        layout.prepare_home(turns_path)
        meta, thread = _claim_thread(turns_path, turn)
        if meta is None:
            _answer(_busy(turns_path, turn["meta"]["thread_id"]))
            return
        promise = {"has_forked": meta is not turn["meta"], "is_published": False}
        directory, lock_fd, ticket = _make(
            turns_path,
            turn["prompt"],
            meta,
            thread,
            turn.pop("pictures"),
            lambda turn_id: _answer(promise | {"turn_id": turn_id}),
        )
    except (HomeError, OSError) as error:
        refusal = error if isinstance(error, HomeError) else layout.home_error(turns_path.parent, error)
        _answer({"home_error": refusal.message, "hint": refusal.hint})
        return
    _answer(promise | {"turn_id": directory.turn_id, "is_published": True})
    _detach_output(directory)
    leases, parent, request = Leases(turns_path, ticket, thread), meta.get("parent_turn"), meta["request"]
    held_until_s = _held_until_s(turns_path) if request.get("is_after_reset") else None
    try:
        if held_until_s is None:
            leases.slot = queue_wait.slot_at_once(directory.path, leases, turn["max_running"], parent)
        if leases.slot is None:
            if held_until_s:
                leases.leave_line()
            write_queued(directory, time.time_ns() // 1_000_000, held_until_s)
            TurnJournal(directory.path, meta.get("name")).phase("queued")
            queue_wait.go_and_wait(
                directory.path, lock_fd, leases, turn["max_running"], request.get("deadline_s"), parent, held_until_s
            )
    except OSError as error:
        say(f"running without a slot: {error}")  # one turn too many is better than one that is lost
    carry_on(directory, lock_fd, leases)


def _held_until_s(turns_path: Path) -> float:
    """Until when the turn has to wait for the usage limit, as other turns tell; 0 where that is still to be asked."""
    from codex_server_cli.worker.limit_probe import known_until_s

    return known_until_s(turns_path) or 0.0


def _claim_thread(turns_path: Path, turn: dict[str, Any]) -> tuple[dict[str, Any] | None, ThreadLock | None]:
    """What the turn is to be, and the right to write its thread, for one that goes on with a thread.

    Returns:
        Its `meta.json`: as asked for, or as the fork that was allowed where another turn writes the thread, or None
        where that was not allowed.

    Raises:
        OSError: the home cannot be written.
    """
    meta: dict[str, Any] = turn["meta"]
    if meta.get("thread_id") is None:
        return meta, None
    thread = thread_locks.claim(turns_path, meta["thread_id"])
    return (meta, thread) if thread is not None else (turn.get("fork_meta"), None)


def _busy(turns_path: Path, thread_id: str) -> dict[str, Any]:
    """Which turn writes the thread, as far as it has told, and whether it may come to wait for an answer."""
    from codex_server_cli.core.model.view import may_ask
    from codex_server_cli.disk.turn.contents import meta_of

    holder = thread_locks.holder(turns_path, thread_id)
    return {"busy": holder, "may_ask": may_ask(meta_of(TurnDir(turns_path / holder))) if holder else False}


def _make(
    turns_path: Path,
    prompt: str,
    meta: dict[str, Any],
    thread: ThreadLock | None,
    pictures: dict[str, bytes],
    announce: Callable[[str], None],
) -> tuple[TurnDir, int, Ticket]:
    """Make the directory, in the order of all turns; `announce` is told its id just before it is published.

    Raises:
        OSError: it cannot be made; nothing is left of it.
    """
    ticks, boot_id = process_identity(os.getpid())
    meta |= {"pid": os.getpid(), "pid_start_ticks": ticks, "boot_id": boot_id}

    def name(turn_id: str) -> None:
        if thread is not None:
            thread.name_holder(turn_id)
        announce(turn_id)

    with contextlib.ExitStack() as undo:
        if thread is not None:
            undo.callback(thread.release)
        with queue.in_order(queue.folder_of(turns_path)) as order:
            ticket = order.take_ticket()
            undo.callback(ticket.leave)
            directory, lock_fd = layout.create(turns_path, ticket.turn_id, prompt, meta, pictures, name)
        undo.pop_all()
    return directory, lock_fd, ticket


def _close_others() -> None:
    """Close every descriptor that the launcher's own parent left open across exec."""
    try:
        last = max(int(name) for name in os.listdir("/dev/fd"))  # noqa: PTH208 — names, not paths
    except OSError:  # a bare root
        last = 1023
    os.closerange(3, last + 1)


def _read_turn() -> dict[str, Any] | None:
    """The turn and its pictures, once the launcher has sent all of it; None where it went away before."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return None
    turn: dict[str, Any] = json.loads(line)
    sizes = dict(turn["pictures"])
    turn["pictures"] = {name: sys.stdin.buffer.read(size) for name, size in sizes.items()}
    return turn if all(len(turn["pictures"][name]) == size for name, size in sizes.items()) else None


def _answer(answer: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the launcher is dead; the turn is not


def _detach_output(directory: TurnDir) -> None:
    """Let go of the launcher's pipes: from now on our words go to `worker.log`."""
    null_fd = os.open(os.devnull, os.O_RDWR)
    try:
        log_fd = open_regular(directory.log, os.O_WRONLY | os.O_APPEND)
    except OSError:  # deleted already, or a limit on open files: the turn is not over for that
        log_fd = os.dup(null_fd)
    os.dup2(null_fd, 0)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    os.close(null_fd)
    os.close(log_fd)
