"""No process of a turn outlives it. Owns finding and killing what a turn left running.

They are found in two ways: every process of a turn has `CODEX_SERVER_TURN_ID` in its environment (also `setsid`
children, which survive every end of the app-server: protocol notes, section 12), and on Linux the worker is a child
subreaper, so that an orphan becomes a child of the worker even with an emptied environment. Must never signal a process
of *another* turn, though it may descend from this one: that turn has its own directory, lock and worker. Nor the user's
own program that Codex starts at a turn's end (`user_program`).

Codex gives its file helpers (`bwrap … codex --codex-run-as-fs-helper`) an empty environment. If its parent dies while a
helper still sets up its namespaces, it waits for that parent for ever, as a child of pid 1 if the worker was killed too
(observed on 0.163.0 and 0.171.0: it blocks in `eventfd_read`). It is found by its session, which the app-server led.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.disk.process import process_identity

if TYPE_CHECKING:
    import psutil

GRACE_S = 0.2
_ROUNDS = 5
_POLL_S = 0.005
_PR_SET_CHILD_SUBREAPER = 36
_HELPER = "--codex-run-as-fs-helper"


def become_subreaper(app_server_pid: int) -> None:
    """Adopt the orphans among our descendants, where the kernel supports that (Linux), and reap them as they end.

    Args:
        app_server_pid: the only child that is not reaped: its owner waits for it.
    """
    if sys.platform != "linux":
        return
    import ctypes  # 3 ms, after the launcher has its answer

    signal.signal(signal.SIGCHLD, lambda *_: _reap_orphans(app_server_pid))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_orphans(app_server_pid: int) -> None:
    """Reap zombies: each command that a turn left in the background would otherwise stay one for hours."""
    with contextlib.suppress(ChildProcessError):  # no child is left
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == app_server_pid:
                return
            os.waitpid(ended.si_pid, 0)


def sweep(
    turn_id: str,
    record: Mapping[str, Any] | None = None,
    *,
    is_worker: bool = False,
    spared: Callable[[], set[int]] = set,
) -> int:
    """End every process of a turn: SIGTERM, a short grace period, SIGKILL; repeated until none is found.

    Args:
        turn_id: the turn.
        record: the `meta.json` of a dead worker: it names the app-server.
        is_worker: whether we are the turn's worker, whose children are included.
        spared: returns the pids to leave alone, in each round; called only where a process is found.

    Returns:
        How many processes were ended.
    """
    if record is None and not _needs_search(turn_id, is_worker=is_worker):
        return 0
    ended: set[int] = set()
    for _ in range(_ROUNDS):  # a process may fork between the search and the signal
        marked = _processes_of(turn_id, is_worker=is_worker)
        found = [each for each in (*marked, *_helpers_of(record or {})) if each.pid != os.getpid()]
        left_alone = spared() if found else set()
        found = [process for process in found if process.pid not in left_alone]
        if not found:
            break
        ended.update(process.pid for process in found)
        _signal_all(found, is_kill=False)
        survivors = _alive_after(found, GRACE_S)
        _signal_all(survivors, is_kill=True)
        _alive_after(survivors, GRACE_S)
    return len(ended)


def _needs_search(turn_id: str, *, is_worker: bool) -> bool:
    """Whether a full search is needed; takes 2 ms. True in doubt, and where there is no Linux `/proc`."""
    try:
        own, pids = str(os.getpid()), [name for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:  # no Linux
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
    """A process's environment from the kernel; empty where the process is gone or not readable."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 — hundreds of these
            return file.read()
    except OSError:
        return b""


def _processes_of(turn_id: str, *, is_worker: bool) -> list[psutil.Process]:
    import psutil  # 12 ms, not needed by most turns

    marked = {process.pid: process for process in psutil.process_iter() if _turn_of(process) == turn_id}
    if is_worker:
        marked |= {process.pid: process for process in _descendants(psutil.Process(), turn_id)}
    return [process for process in marked.values() if is_alive(process)]


def _helpers_of(record: Mapping[str, Any]) -> list[psutil.Process]:
    """Codex's file helpers that outlived the app-server named in a record; empty in doubt.

    A session id is the pid of its leader as long as one of its processes lives. So such a helper in the session of our
    app-server, younger than our worker in the same boot, was started by it.
    """
    import psutil

    session, started, boot_id = (record.get(name) for name in ("app_server_pid", "pid_start_ticks", "boot_id"))
    if not isinstance(session, int) or not isinstance(started, int) or sys.platform != "linux":
        return []
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if _HELPER in (process.info["cmdline"] or ())
        and _session_of(process.pid) == session
        and _started_since(process.pid, started, boot_id)
        and is_alive(process)
    ]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:  # gone meanwhile
        return None


def _started_since(pid: int, ticks: int, boot_id: object) -> bool:
    started, boot = process_identity(pid)
    return started is not None and started >= ticks and boot == boot_id


def _descendants(parent: psutil.Process, turn_id: str) -> Iterator[psutil.Process]:
    """The descendants of a process, except those of other turns and their descendants."""
    import psutil

    try:
        children = parent.children()
    except psutil.Error:  # gone meanwhile
        return
    for child in children:
        if _turn_of(child) in (turn_id, None):
            yield child
            yield from _descendants(child, turn_id)


def _turn_of(process: psutil.Process) -> str | None:
    """The turn that a process is marked with; None where it is unmarked, gone, or not readable."""
    import psutil

    try:
        return process.environ().get(TURN_VARIABLE)
    except (psutil.Error, OSError):  # psutil passes some OSErrors through
        return None


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie does not."""
    import psutil

    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:  # gone meanwhile
        return False


def _alive_after(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those still alive after the timeout; returns at once when none is.

    Not psutil's `wait_procs`: it waits for a zombie that is not our child until its parent reaps it, and the first
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
