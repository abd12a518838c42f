"""The output that an agent must read, in characters of both streams: they cost tokens of its model."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.scale import Scale
from bench.table import Amount, Row
from bench.world import World, turn_of

TWO_LINES = "one line of an answer,\nand another one"
_BATCH = 30


def reading(world: World, scale: Scale) -> Iterator[Row]:
    """One turn started, one waited for, and a batch that is started and collected."""
    del scale  # counts do not vary
    started = _read(world, "new", TWO_LINES)
    world.await_newest()
    yield _row("`new`", len(started.decode()), 330)
    yield _row("`new --wait`, an answer of two lines", len(_read(world, "new", "--wait", TWO_LINES).decode()), 700)
    outputs = [_read(world, "new", TWO_LINES) for _ in range(_BATCH)]
    ids = [Path(turn_of(output)).name for output in outputs]
    outputs.append(_read(world, "wait", *ids, "--timeout", "100"))
    yield _row(f"{_BATCH} turns started and collected", sum(len(output.decode()) for output in outputs), 13_000)


def _row(what: str, characters: int, most: int) -> Row:
    return Row(f"read by an agent: {what}", Amount(characters, "characters"), max_value=most)


def _read(world: World, *arguments: str) -> bytes:
    """The output of a command in an agent's shell: both streams, with the paths of the default home."""
    run = subprocess.run(
        [world.command, *arguments],
        cwd=world.project,
        env=world.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    return run.stdout.replace(bytes(world.home), bytes(Path.home() / ".codex-server"))
