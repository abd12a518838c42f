"""The `notify` program of the user's own Codex, not the turn's. Owns how it is recognised, and how long it may run.

Codex starts it 15 to 30 ms before it reports the turn's end, as a child in its own session, with one argument more
than configured: a JSON object with the ids of thread and turn (observed on 0.163.0 and 0.171.0). It has the turn's
mark, like all processes that codex starts. A command of the model leads, or runs in, another session: whatever its
arguments, it must never be taken for this program. No hook runs any more then: Codex waits for its hooks, or kills
them.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from codex_server_cli.worker.cleanup.sweep import is_alive, sweep
from codex_server_cli.worker.log import say

if TYPE_CHECKING:
    import psutil

TIMEOUT_S = 30.0
"""How long it may run after the turn's end."""
_MARGIN_S = 1.0
_HAS_BOOT_CLOCK = hasattr(time, "CLOCK_BOOTTIME")
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 0.25


class UserProgram(NamedTuple):
    """How to recognise the program of one turn and its descendants.

    Attributes:
        session_id: the session that the turn's app-server led.
        codex_turn_id: Codex's id of the turn.
        ended_s: when the turn was seen to end, by `clock_s`, if the user has such a program: a process started in the
            session about then or later belongs to it, even if the program itself has exited. None where it is not
            known whether there is one.
    """

    session_id: int
    codex_turn_id: str
    ended_s: float | None = None

    def pids(self) -> set[int]:
        """Its live processes, without those that have used up their time."""
        import psutil  # 12 ms, only where a process is left

        roots = list(self._roots())
        descendants = {child.pid for root in roots for child in _descendants_of(root)}
        return {pid for pid in {root.pid for root in roots} | descendants if psutil.pid_exists(pid)}

    def _roots(self) -> Iterator[psutil.Process]:
        import psutil

        for pid in psutil.pids():
            try:
                if os.getsid(pid) != self.session_id or pid == self.session_id:
                    continue
                process = psutil.Process(pid)
                started_s = _started_s(process)
                is_known = self._is_after_end(started_s) or _is_notification_of(process.cmdline(), self.codex_turn_id)
            except (OSError, psutil.Error):  # gone meanwhile, or not readable
                continue
            if is_known and clock_s() - started_s < TIMEOUT_S and is_alive(process):
                yield process

    def _is_after_end(self, started_s: float) -> bool:
        return self.ended_s is not None and started_s >= self.ended_s - _MARGIN_S


def clock_s() -> float:
    """The time on the clock of process start times: on Linux since the boot, unaffected by clock changes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if _HAS_BOOT_CLOCK else time.time()


def _started_s(process: psutil.Process) -> float:
    import psutil

    # psutil adds the boot time, which is up to one second off.
    return process.create_time() - (psutil.boot_time() if _HAS_BOOT_CLOCK else 0.0)


def _descendants_of(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return [child for child in process.children(recursive=True) if is_alive(child)]
    except psutil.Error:  # gone meanwhile
        return []


def _is_notification_of(arguments: list[str], codex_turn_id: str) -> bool:
    """Whether this command line ends with Codex's notification of this turn's end."""
    if not arguments or codex_turn_id not in arguments[-1]:
        return False
    try:
        notification = json.loads(arguments[-1])
    except ValueError:  # another program that was given the id
        return False
    return isinstance(notification, dict) and (notification.get("type"), notification.get("turn-id")) == (
        "agent-turn-complete",
        codex_turn_id,
    )


def see_off(turn_id: str, program: UserProgram) -> None:
    """Wait until the program has exited or used up its time; then sweep the rest of the turn's processes.

    The turn's end is published and its lock released: nothing waits for this.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    deadline, poll_s = time.monotonic() + TIMEOUT_S, _FIRST_POLL_S
    while (is_running := bool(program.pids())) and time.monotonic() < deadline:
        time.sleep(poll_s)
        poll_s = min(poll_s * 1.5, _LAST_POLL_S)
    if is_running:
        say(f"Codex's own notify program is ended after {TIMEOUT_S:g} s")
    sweep(turn_id, is_worker=True)
