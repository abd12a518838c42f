"""The start of a worker: get ready, read a turn, make its directory, report it; then run the turn.

Runs in the worker, spawned by `launch` with only two pipes: the turn comes on stdin, the answer goes to stdout. Owns
making the directory, so that the process that takes the lock is the one that keeps it: the lock is never passed on.
Must import no more than that needs before it has reported the turn: the launcher waits for it.
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
from typing import Any, NoReturn

from codex_server_cli.disk.process import process_identity
from codex_server_cli.disk.queue import queue, thread_locks
from codex_server_cli.disk.queue.thread_locks import ThreadLock
from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.disk.turn import layout
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import HomeError
from codex_server_cli.worker.leases import Leases
from codex_server_cli.worker.log import say, write_log


def main() -> None:
    """Entry point of the spawned process."""
    _close_inherited_fds()
    os.chdir("/")
    turn = _read_turn()
    if turn is None:
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a turn outlives its terminal
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the turn handles it: end without a traceback
    turns_path = Path(turn["turns_path"])
    try:
        layout.prepare_home(turns_path)
        key_fd, existing = _claim_key(turns_path, turn["meta"])
        if existing is not None:
            _answer({"existing": existing})
            return
        meta, thread = _claim_thread(turns_path, turn)
        if meta is None:
            _answer(_busy_answer(turns_path, turn["meta"]["thread_id"]))
            return
        common = {"has_forked": meta is not turn["meta"], "is_published": False}
        directory, lock_fd, leases = _make_directory(
            turns_path, turn, meta, thread, lambda turn_id: _answer(common | {"turn_id": turn_id})
        )
    except (HomeError, OSError) as error:
        refusal = error if isinstance(error, HomeError) else layout.home_error(turns_path.parent, error)
        _answer({"home_error": refusal.message, "hint": refusal.hint})
        return
    if key_fd is not None:
        os.close(key_fd)
    _log_to(directory)
    if leases.slot is not None:
        leases.record_signals()  # the modules that run the turn are not loaded yet
    _answer(common | {"turn_id": directory.turn_id, "is_published": True})
    _leave_pipes()
    if leases.slot is None:
        try:
            _wait_for_slot(directory, lock_fd, leases, meta, turn["max_running"])
        except OSError as error:
            say(f"running without a slot: {error}")  # one turn too many is better than a lost one
    else:
        _begin_early(directory, leases, meta)
    # Half of all imports, after the launcher has its answer. A worker that fails here counts as killed.
    from codex_server_cli.worker.run import run_to_end

    run_to_end(directory, lock_fd, leases)


def _begin_early(directory: TurnDir, leases: Leases, meta: dict[str, Any]) -> None:
    """Start codex, or connect to our shared one, while we import the rest; unless other work comes first."""
    assert leases.slot is not None
    if leases.slot.left_by is not None or meta.get("worktree") is not None:
        return
    if meta.get("server") is not None:
        if meta["server"]["url"] == "shared":
            from codex_server_cli.worker.server import early

            early.begin(meta)
        return
    from codex_server_cli.codex.transport.early import begin

    begin(
        Path(meta["codex"]),
        meta["request"]["cwd"],
        may_bill_api_key=bool(meta["request"].get("may_bill_api_key")),
        turn_id=directory.turn_id,
        on_stderr=write_log,
    )


def _wait_for_slot(
    directory: TurnDir, lock_fd: int, leases: Leases, meta: dict[str, Any], max_running: int
) -> NoReturn:
    """Become the process that waits in the queue.

    Raises:
        OSError: the queue cannot be used.
    """
    from codex_server_cli.disk.journal.turn_journal import TurnJournal
    from codex_server_cli.worker import queue_wait
    from codex_server_cli.worker.live_file import write_queued

    parent, request = meta.get("parent_turn"), meta["request"]
    held_until_s = _held_until_s(directory.path.parent, meta) if request.get("is_after_reset") else None
    if held_until_s:
        leases.leave_queue()
    write_queued(directory, time.time_ns() // 1_000_000, held_until_s)
    TurnJournal(directory.path, meta.get("name")).phase("queued")
    queue_wait.exec_waiter(
        directory.path, lock_fd, leases, max_running, request.get("deadline_s"), parent, held_until_s
    )


def _held_until_s(turns_path: Path, meta: dict[str, Any]) -> float:
    """When the usage limit resets, from other turns' records; 0 where Codex must be asked."""
    from codex_server_cli.core.model.server.record import is_foreign
    from codex_server_cli.worker.limit_probe import known_until_s

    return 0.0 if is_foreign(meta.get("server")) else known_until_s(turns_path) or 0.0


def _claim_key(turns_path: Path, meta: dict[str, Any]) -> tuple[int | None, str | None]:
    """Look for a turn with this turn's key, before anything else: that turn may hold the thread.

    Returns:
        The lock to hold until the turn is published, if it has a key; and the existing turn with the key, if any.

    Raises:
        OSError: the home cannot be written.
        HomeError: it cannot be read.
    """
    if "once" not in meta:
        return None, None
    from codex_server_cli.disk.turn import once  # most turns have no key

    key_fd = once.hold(turns_path)
    return key_fd, once.turn_of_key(turns_path, meta["once"]["key"], meta["once"]["for_s"])


def _claim_thread(turns_path: Path, turn: dict[str, Any]) -> tuple[dict[str, Any] | None, ThreadLock | None]:
    """Lock the thread of a turn that resumes one.

    Returns:
        Its `meta.json`: as asked for, or, if another turn writes the thread, that of the fork, or None where a fork is
        not allowed. And the lock, if one was taken.

    Raises:
        OSError: the home cannot be written.
    """
    meta: dict[str, Any] = turn["meta"]
    if meta.get("thread_id") is None:
        return meta, None
    thread = thread_locks.claim(turns_path, meta["thread_id"])
    return (meta, thread) if thread is not None else (turn.get("fork_meta"), None)


def _busy_answer(turns_path: Path, thread_id: str) -> dict[str, Any]:
    """The turn that writes the thread, if it has recorded its id, and whether it may have to wait for an answer."""
    from codex_server_cli.core.model.view import may_ask
    from codex_server_cli.disk.turn.contents import meta_of

    holder = thread_locks.holder(turns_path, thread_id)
    return {"busy": holder, "may_ask": may_ask(meta_of(TurnDir(turns_path / holder))) if holder else False}


def _make_directory(
    turns_path: Path,
    turn: dict[str, Any],
    meta: dict[str, Any],
    thread: ThreadLock | None,
    announce: Callable[[str], None],
) -> tuple[TurnDir, int, Leases]:
    """Make the directory, in queue order; `announce` is called with its id just before it is published.

    Returns:
        The directory, its lock, and the leases of the turn: a slot where one is free, else a ticket.

    Raises:
        OSError: it cannot be made; nothing is left behind.
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
            pictures = turn.pop("pictures")
            directory, lock_fd = layout.create(turns_path, ticket.turn_id, turn["prompt"], meta, pictures, name)
            undo.pop_all()
            leases = Leases(turns_path, ticket, thread)
            if not meta["request"].get("is_after_reset"):  # before the next turn is made, which must not find a ticket
                leases.try_slot(turn["max_running"], meta.get("parent_turn"))
    return directory, lock_fd, leases


def _close_inherited_fds() -> None:
    """Close every descriptor that the launcher inherited and left open across exec."""
    try:
        last = max(int(name) for name in os.listdir("/dev/fd"))  # noqa: PTH208 — names, not paths
    except OSError:  # a chroot without /dev
        last = 1023
    os.closerange(3, last + 1)


def _read_turn() -> dict[str, Any] | None:
    """The turn and its pictures, once the launcher has sent all of it; None where it exited before."""
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


def _log_to(directory: TurnDir) -> None:
    """Make `worker.log` our stderr, before anything is logged: the launcher reads stderr only after a failure."""
    try:
        log_fd = open_regular(directory.log, os.O_WRONLY | os.O_APPEND)
    except OSError:  # deleted already, or a limit on open files: messages are lost, the turn is not
        return
    os.dup2(log_fd, 2)
    os.close(log_fd)


def _leave_pipes() -> None:
    """Close the launcher's pipes: stdin is empty from now on, and stdout is stderr."""
    null_fd = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_fd, 0)
    os.close(null_fd)
    os.dup2(2, 1)
