"""Turns on one warm shared server, compared with `codex exec`, with turns that spawn a server each, and with a bare
client of that same server.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil

from bench.crowd import start_all
from bench.measure import alternate, idle_cost, in_ms, in_s, memory_mb, tree_memory_mb
from bench.scale import Scale
from bench.streaming import HELD_DELTAS, worker_pid
from bench.table import Amount, Row
from bench.world import TRIVIAL, World
from codex_server_cli.demo.codex_home import write_chatgpt_login

SHARED = ("--server", "shared")
_QUIET_S = 3.0
"""The server unloads a thread a second after its turn."""


class Warm(NamedTuple):
    """A running shared server: where it listens, its pid, and its keeper's."""

    socket: str
    pid: int
    keeper: int


@contextlib.contextmanager
def warm(world: World, env: dict[str, str] | None = None) -> Iterator[Warm]:
    """A shared server that has run a turn; it is stopped afterwards."""
    turn = world.start(TRIVIAL, *SHARED, env=env)
    try:
        world.await_end(turn)
        server = json.loads((turn / "meta.json").read_bytes())["server"]
        yield Warm(server["path"], server["pid"], psutil.Process(server["pid"]).ppid())
    finally:
        world.run(world.command, "server", "stop", "--now", env=env)


def turn(world: World, scale: Scale) -> Iterator[Row]:
    """A whole trivial turn."""
    bare_s: list[float] = []
    with warm(world) as server:
        ours, codex, _ = alternate(
            scale.samples,
            lambda: world.run(world.command, "new", "--wait", *SHARED, TRIVIAL),
            world.exec_turn,
            lambda: bare_s.append(world.bare_socket(1, server.socket, TRIVIAL)),
            wait_quiet=world.await_newest,
        )
    reference = in_ms(codex, "`codex exec`")
    yield Row("`new --wait` over a warm shared server", in_ms(ours), reference, max_ratio=0.7)
    yield Row("the same turn by a bare client of that server", in_ms(bare_s[1:]), reference)


def crowd(world: World, scale: Scale) -> Iterator[Row]:
    """Many concurrent turns, in the two modes of `crowd.crowd`."""
    chatgpt_home = world.root / "codex-chatgpt-shared"
    write_chatgpt_login(chatgpt_home, world.model_origin)
    for mode, codex_home in (("ChatGPT mode", chatgpt_home), ("a provider of one's own", world.codex_home)):
        yield from _crowd(world, scale, mode, world.homes(world.home, codex_home))


def _crowd(world: World, scale: Scale, mode: str, env: dict[str, str]) -> Iterator[Row]:
    bare_s: list[float] = []
    with warm(world, env) as server:
        ours, spawned, _ = alternate(
            scale.rounds,
            lambda: start_all(world, scale, env, *SHARED),
            lambda: start_all(world, scale, env),
            lambda: bare_s.append(world.bare_socket(scale.at_once, server.socket, TRIVIAL)),
        )
    what = f"{scale.at_once} turns at once, shared, {mode}"
    yield Row(what, in_s(ours), in_s(spawned, "spawned"), max_ratio=0.55)
    bare = in_s(bare_s[1:], "a bare client of that server")
    yield Row(f"{what}, beside a bare client", in_s(ours), bare, max_ratio=1.5)


def memory(world: World, scale: Scale) -> Iterator[Row]:
    """The memory of a worker in the middle of an answer; and of all processes of many such turns, divided by turns."""
    n = scale.at_once
    with world.held_turns(n, HELD_DELTAS) as turns:
        time.sleep(_QUIET_S)
        spawned_mb = tree_memory_mb(map(worker_pid, turns)) / n
    with warm(world) as server:
        with world.held_turns(1, HELD_DELTAS, *SHARED) as (one,):
            worker_mb = memory_mb(worker_pid(one))
        with world.held_turns(n, HELD_DELTAS, *SHARED) as turns:
            time.sleep(_QUIET_S)
            shared_mb = tree_memory_mb([server.keeper, *map(worker_pid, turns)]) / n
    yield Row("worker on a socket while streaming, proportional memory", Amount(worker_mb, "MB"), max_value=18)
    what = f"{n} turns at once, shared, proportional memory of all processes, a turn"
    yield Row(what, Amount(shared_mb, "MB"), Amount(spawned_mb, "MB", of="spawned"), max_value=25)


def idle(world: World, scale: Scale) -> Iterator[Row]:
    """An idle server, and its keeper."""
    with warm(world) as server:
        time.sleep(_QUIET_S)
        costs = idle_cost([server.pid, server.keeper], scale.idle_s)
        keeper_mb = memory_mb(server.keeper)
    both = Amount(sum(cost.value for cost in costs), "%")
    yield Row(f"an idle shared server and its keeper, one core over {scale.idle_s:g} s", both, max_value=0.5)
    yield Row(f"the keeper alone, one core over {scale.idle_s:g} s", costs[1], max_value=0.3)
    yield Row("keeper of an idle shared server, proportional memory", Amount(keeper_mb, "MB"), max_value=12)
