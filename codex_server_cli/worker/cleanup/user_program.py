"""The `notify` program of the user's own Codex: his, not the turn's. Owns how it is known, and how long it may run.

Codex starts it 15 to 30 ms before it tells of the turn's end, as a child in its own session, with one argument more
than configured: a JSON object with the ids of thread and turn (observed on 0.163.0 and 0.171.0). It bears the turn's
mark, as all that codex starts does. A command of the model leads a session of its own, or lives in one: whatever its
arguments, it is never taken for this program. Of hooks none is left then: Codex itself waits for them, or ends them.
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
    """How the program of one turn is known, and what it has started.

    Attributes:
        session_id: the session of the turn's app-server, which that led.
        codex_turn_id: Codex's id of the turn.
        ended_s: when the turn was seen to end, by `clock_s`, where the user has such a program: what was started there
            about then or later is its doing, also where the program itself has gone already. None where it is not known
            whether he has one.
    """

    session_id: int
    codex_turn_id: str
    ended_s: float | None = None

    def pids(self) -> set[int]:
        """The processes of it that live now, less any that has had its time."""
        import psutil  # 12 ms, which are due where somebody is left at all

        roots = list(self._roots())
        below = {child.pid for root in roots for child in _below(root)}
        return {pid for pid in {root.pid for root in roots} | below if psutil.pid_exists(pid)}

    def _roots(self) -> Iterator[psutil.Process]:
        import psutil

        for pid in psutil.pids():
            try:
                if os.getsid(pid) != self.session_id or pid == self.session_id:
                    continue
                process = psutil.Process(pid)
                started_s = _started_s(process)
                is_known = self._is_since_the_end(started_s) or _is_told_of(process.cmdline(), self.codex_turn_id)
            except (OSError, psutil.Error):  # gone meanwhile, or not ours to look at
                continue
            if is_known and clock_s() - started_s < TIMEOUT_S and is_alive(process):
                yield process

    def _is_since_the_end(self, started_s: float) -> bool:
        return self.ended_s is not None and started_s >= self.ended_s - _MARGIN_S


def clock_s() -> float:
    """Now, by the clock that processes are dated with: on Linux since the boot, which no change of time moves."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if _HAS_BOOT_CLOCK else time.time()


def _started_s(process: psutil.Process) -> float:
    import psutil

    # psutil adds the second of the boot, which is up to one second off.
    return process.create_time() - (psutil.boot_time() if _HAS_BOOT_CLOCK else 0.0)


def _below(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return [child for child in process.children(recursive=True) if is_alive(child)]
    except psutil.Error:  # gone meanwhile
        return []


def _is_told_of(words: list[str], codex_turn_id: str) -> bool:
    """Whether this command line ends with what Codex tells the program of this turn."""
    if not words or codex_turn_id not in words[-1]:
        return False
    try:
        told = json.loads(words[-1])
    except ValueError:  # another program that the id is told to
        return False
    return isinstance(told, dict) and (told.get("type"), told.get("turn-id")) == ("agent-turn-complete", codex_turn_id)


def see_off(turn_id: str, program: UserProgram) -> None:
    """Stay with the program until it is over, or has had its time; then nothing of the turn is left.

    The turn's end is published and its lock has fallen: nobody waits for this.
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
