"""The latency of commands: `new`, `status`, and a whole trivial turn."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.measure import alternate, in_ms
from bench.scale import Scale
from bench.table import Row
from bench.world import TRIVIAL, TYPER, World


def new(world: World, scale: Scale) -> Iterator[Row]:
    """`new` to its exit; its turn ends before the next sample."""

    def start() -> Path:
        return world.start(TRIVIAL)

    ours, typer = alternate(scale.samples, start, world.import_typer, wait_quiet=world.await_newest)
    yield Row("`new` → turn id on stdout", in_ms(ours), in_ms(typer, TYPER), max_ratio=0.85)
    home = world.root / "unpinned"
    world.make_home(home, is_pinned=False)
    env = world.homes(home, world.codex_home)
    world.await_end(world.start(TRIVIAL, env=env))  # fills our cache of codex's version
    ours, typer = alternate(
        scale.samples,
        lambda: world.start(TRIVIAL, env=env),
        world.import_typer,
        wait_quiet=lambda: world.await_newest(home),
    )
    yield Row("`new`, where codex is not pinned", in_ms(ours), in_ms(typer, TYPER), max_ratio=0.85)
    idle, empty = alternate(
        scale.samples,
        lambda: world.start(TRIVIAL, stdin=subprocess.PIPE),
        start,
        wait_quiet=world.await_newest,
    )
    yield Row("`new`, stdin an idle pipe", in_ms(idle), in_ms(empty, "`/dev/null`"), max_ratio=1.4)


def turn(world: World, scale: Scale) -> Iterator[Row]:
    """A whole turn with a spawned app-server, and the same with `codex exec`."""

    ours, codex = alternate(
        scale.samples,
        lambda: world.run(world.command, "new", "--wait", TRIVIAL),
        world.exec_turn,
        wait_quiet=world.await_newest,
    )
    yield Row("`new --wait`, whole trivial turn", in_ms(ours), in_ms(codex, "`codex exec`"), max_ratio=1.15)


def status(world: World, scale: Scale) -> Iterator[Row]:
    """`status` of an ended turn."""
    turn_id = world.specimen.name
    ours, typer = alternate(scale.samples, lambda: world.run(world.command, "status", turn_id), world.import_typer)
    yield Row("`status` of one turn", in_ms(ours), in_ms(typer, TYPER), max_ratio=0.7)
