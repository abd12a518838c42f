"""A turn that waits for the account's usage limit to reset (`--after-reset`), in the light process of `queue_wait`.

Owns how waiting for the reset and queueing alternate. A held turn is not in the queue, so it blocks no other; at the
reset it takes the last place there. It holds a slot while it asks whether the limit still holds, so that never more ask
at once than may run, and asks through a separate process (`limit_probe`), which exits: this one must stay light.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from codex_server_cli.settings.environment import interpreter, turn_environment
from codex_server_cli.worker.log import say

TYPE_CHECKING = False  # typing itself takes 1 MB
if TYPE_CHECKING:
    from codex_server_cli.disk.queue.queue import Slot
    from codex_server_cli.worker.queued_turn import QueuedTurn

POLL_S = 10.0
"""Poll interval: the clock may be set, the machine may sleep, the turn's directory may be deleted."""
SPREAD_S = 2.0
"""Jitter after a reset, so that the waiting turns do not all enter the queue at once."""
ASK_TIMEOUT_S = 45.0
_CODE = "from codex_server_cli.worker.limit_probe import main; main()"


def wait_for_reset(turn: QueuedTurn, turn_path: Path, held_until_s: float) -> Slot | None:
    """Wait until no usage limit holds, and for a slot.

    Args:
        turn: queued; not queued where `held_until_s` is set.
        held_until_s: when the limit resets, in Unix seconds; 0 where that is not known yet.

    Returns:
        The slot; None where the turn is over before that. `turn.stop_cause` is set then, and may be set with a slot.

    Raises:
        OSError: the queue cannot be used.
    """
    while True:
        if held_until_s:
            _wait_until(turn, held_until_s + SPREAD_S * int.from_bytes(os.urandom(2)) / 0xFFFF)
        slot = turn.wait()
        if slot is None:
            return None
        turn.leave_queue()
        held_until_s = _ask(turn, turn_path)
        if not held_until_s or turn.stop_cause is not None:
            return slot
        slot.release(is_unused=True)


def _wait_until(turn: QueuedTurn, until_s: float) -> None:
    say(f"waiting for the usage limit to reset, until {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(until_s))}")
    while turn.stop_cause is None and (rest_s := until_s - time.time()) > 0:
        turn.rest(min(rest_s, POLL_S))
    if turn.stop_cause is None:
        turn.enqueue()


def _ask(turn: QueuedTurn, turn_path: Path) -> float:
    """When the limit resets, in Unix seconds; 0 where it does not hold, or that is not known."""
    read_fd, write_fd = os.pipe()
    try:
        pid = os.posix_spawn(
            sys.executable,
            interpreter(_CODE, str(turn_path)),
            turn_environment(turn_path.name),  # if we are killed, the sweep of the turn ends it
            file_actions=[(os.POSIX_SPAWN_DUP2, write_fd, 1)],
            setsigdef=[signal.SIGINT, signal.SIGTERM],
        )
    except OSError as error:
        os.close(read_fd)
        say(f"cannot ask for the usage limit: {error}")
        return 0.0
    finally:
        os.close(write_fd)
    answer, deadline = b"", time.monotonic() + ASK_TIMEOUT_S
    try:
        while turn.stop_cause is None and (rest_s := deadline - time.monotonic()) > 0:
            if turn.rest(rest_s, read_fd):
                piece = os.read(read_fd, 100)
                if not piece:
                    break
                answer += piece
    finally:
        os.close(read_fd)
        os.kill(pid, signal.SIGKILL)  # its output is complete, or late; not reaped, so the pid is still valid
        os.waitpid(pid, 0)
    try:
        return float(answer)
    except ValueError:  # it died, and `worker.log` has the reason
        return 0.0
