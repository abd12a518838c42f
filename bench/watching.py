"""The cost of following many concurrent turns, and of a turn queued behind them, while they all stream."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator

from bench.measure import idle_cost, memory_mb
from bench.model import TICK_S
from bench.scale import Scale
from bench.streaming import worker_pid
from bench.table import Amount, Row
from bench.world import TRIVIAL, World, turn_of
from codex_server_cli.disk import lock

_START_S = 90.0
"""More than the time to start all of them."""
_QUIET_S = 3.0


def watching(world: World, scale: Scale) -> Iterator[Row]:
    """`wait` for all and for any of them, the monitor's stream, the board, and one more turn, which is queued."""
    home = world.root / "home-many"
    world.make_home(home, max_running=scale.watched)
    env = world.homes(home, world.codex_home)
    prompt = f"ticks {int((scale.idle_s + _START_S) / TICK_S)}"
    turns = [turn_of(world.run(world.command, "new", prompt, env=env)) for _ in range(scale.watched)]
    queued = turn_of(world.run(world.command, "new", TRIVIAL, env=env))
    try:
        for turn in turns:
            world.await_text(turn)
        ids = [turn.name for turn in turns]
        waits = [world.popen(world.command, "wait", option, *ids, env=env) for option in ("--all", "--any")]
        monitor = world.popen(world.command, "tail", "--follow", "--all", "--json", env=env)
        with _on_terminal(world, "watch", env=env) as board:
            time.sleep(_QUIET_S)
            costs = idle_cost([*(wait.pid for wait in waits), monitor.pid, board.pid, worker_pid(queued)], scale.idle_s)
        queued_mb = memory_mb(worker_pid(queued))
        monitor.terminate()
    finally:
        world.popen(world.command, "cancel", queued.name, *(turn.name for turn in turns), env=env).communicate()
        for turn in (queued, *turns):
            lock.wait_until_free(turn / "lock")
    for process in (*waits, monitor):
        process.communicate()
    many = f"{scale.watched} turns"
    of_many = ("`wait` on", "`wait --any` on", "`tail --follow --all` of", "`watch` of")
    names = [*(f"{what} {many}" for what in of_many), "a queued turn"]
    for what, cost in zip(names, costs, strict=True):
        yield Row(f"{what}, one core over {scale.idle_s:g} s", cost, max_value=0.5)
    yield Row("worker of a queued turn, proportional memory", Amount(queued_mb, "MB"), max_value=6)


@contextlib.contextmanager
def _on_terminal(world: World, verb: str, *, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a verb on a terminal of 80 columns and 24 lines; its output is drained, and it gets no input."""
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [world.command, verb],
        cwd=world.project,
        env={**world.env, **env, "TERM": "xterm-256color"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    reader = threading.Thread(target=_drain, args=(controller,))
    reader.start()
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        reader.join()
        os.close(controller)


def _drain(fd: int) -> None:
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while os.read(fd, 1 << 16):
            pass
