"""The cost of doing nothing: a turn is blocked, and all its processes should sleep."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.measure import idle_cost
from bench.scale import Scale
from bench.streaming import worker_pid
from bench.table import Row
from bench.world import World

_QUIET_S = 2.0


def idle(world: World, scale: Scale) -> Iterator[Row]:
    """`wait`, `tail --follow` and the worker of one held turn, all watched over the same time."""
    with world.held_turns(1, 10) as (turn,):
        wait = world.popen(world.command, "wait", turn.name)
        tail = world.popen(world.command, "tail", turn.name, "--follow")
        time.sleep(_QUIET_S)
        costs = idle_cost([wait.pid, tail.pid, worker_pid(turn)], scale.idle_s)
    for process in (wait, tail):
        process.communicate()
    for what, cost in zip(("`wait`", "`tail --follow`", "the worker"), costs, strict=True):
        yield Row(f"{what} on an idle turn, one core over {scale.idle_s:g} s", cost, max_value=0.5)
