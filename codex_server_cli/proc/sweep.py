"""Nothing of a turn outlives it. Owns the search for what a turn left running, and its end.

Two marks find it: every process of a turn carries `CODEX_SERVER_TURN_ID` in its environment (also `setsid` children,
which survive every end of the app-server: protocol notes, section 12), and on Linux the worker is a child subreaper, so
that what lost its parent becomes a child of the worker even where it emptied its environment. A process of *another*
turn is never touched, though it may descend from this one: it has a directory, a lock and a worker of its own. Nor is
the user's own program that Codex starts at a turn's end (`user_program`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from codex_server_cli.settings.environment import TURN_VARIABLE

if TYPE_CHECKING:
    import psutil

GRACE_S = 0.2
_ROUNDS = 5
_POLL_S = 0.005
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper(app_server_pid: int) -> None:
    """Adopt the orphans among our descendants, where the kernel can do that (Linux), and reap them as they end.

    Args:
        app_server_pid: the one child that is left unreaped: its owner waits for it.
    """
    if sys.platform != "linux":
        return
    import ctypes  # 3 ms that the launcher need not wait for

    signal.signal(signal.SIGCHLD, lambda *_: _reap_orphans(app_server_pid))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_orphans(app_server_pid: int) -> None:
    """Bury the dead: each command that a turn left in the background would else be a zombie for hours."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == app_server_pid:
                return
            os.waitpid(ended.si_pid, 0)


def sweep(turn_id: str, *, is_worker: bool = False, spared: Callable[[], set[int]] = set) -> int:
    """End every process of a turn: SIGTERM, a short grace, SIGKILL; again until none is found.

    Args:
        turn_id: the turn.
        is_worker: whether we are its worker, whose own children are meant too.
        spared: tells the processes that are left alone, at each look; asked only where one is found.

    Returns:
        How many processes were ended.
    """
    if not _has_company(turn_id, is_worker=is_worker):
        return 0
    ended: set[int] = set()
    for _ in range(_ROUNDS):  # a process may fork between our look and our signal
        found = [process for process in _of_turn(turn_id, is_worker=is_worker) if process.pid != os.getpid()]
        left_alone = spared() if found else set()
        found = [process for process in found if process.pid not in left_alone]
        if not found:
            break
        ended.update(process.pid for process in found)
        _signal_all(found, is_kill=False)
        stubborn = _alive_after(found, GRACE_S)
        _signal_all(stubborn, is_kill=True)
        _alive_after(stubborn, GRACE_S)
    return len(ended)


def _has_company(turn_id: str, *, is_worker: bool) -> bool:
    """Whether a closer look is due, told in 2 ms. True in doubt, and wherever there is no Linux `/proc` to look at."""
    try:
        own, pids = str(os.getpid()), [name for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return True
    if own not in pids or (is_worker and _has_children()):
        return True
    mark = f"{TURN_VARIABLE}={turn_id}".encode()
    return any(mark in _raw_environment(pid) for pid in pids if pid != own)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _raw_environment(pid: str) -> bytes:
    """A process's environment as its kernel keeps it; empty where the process is gone, or not ours to look at."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 — hundreds of these
            return file.read()
    except OSError:
        return b""


def _of_turn(turn_id: str, *, is_worker: bool) -> list[psutil.Process]:
    import psutil  # 12 ms that most turns need not spend

    marked = {process.pid: process for process in psutil.process_iter() if _turn_of(process) == turn_id}
    if is_worker:
        marked |= {process.pid: process for process in _descendants(psutil.Process(), turn_id)}
    return [process for process in marked.values() if is_alive(process)]


def _descendants(parent: psutil.Process, turn_id: str) -> Iterator[psutil.Process]:
    """The processes below one, but for those of other turns and all that is below them."""
    import psutil

    try:
        children = parent.children()
    except psutil.Error:
        return
    for child in children:
        if _turn_of(child) in (turn_id, None):
            yield child
            yield from _descendants(child, turn_id)


def _turn_of(process: psutil.Process) -> str | None:
    """The turn that a process is marked with; None where it is unmarked, gone, or not ours to look at."""
    import psutil

    try:
        return process.environ().get(TURN_VARIABLE)
    except (psutil.Error, OSError, ValueError):
        return None


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs: one that is dead and not buried does not."""
    import psutil

    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _alive_after(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that still live when the time is up; returns at once when none does.

    Not psutil's `wait_procs`: it waits for a zombie that is not our child until its parent buries it, and the first
    process of a container often never does.
    """
    deadline = time.monotonic() + timeout_s
    while (alive := [process for process in processes if is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return alive


def _signal_all(processes: list[psutil.Process], *, is_kill: bool) -> None:
    import psutil

    for process in processes:
        try:
            process.kill() if is_kill else process.terminate()
        except psutil.Error:
            continue  # gone meanwhile
