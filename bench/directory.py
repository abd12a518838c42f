"""What an ended turn leaves on disk."""

from __future__ import annotations

from collections.abc import Iterator

from bench.model import TYPICAL
from bench.scale import Scale
from bench.table import Amount, Row
from bench.world import World, turn_of


def directory(world: World, scale: Scale) -> Iterator[Row]:
    """The sizes of all files of a turn that ran commands, changed a file and said a lot."""
    del scale  # sizes do not vary
    turn = turn_of(world.run(world.command, "new", "--write", "--skip-git-check", TYPICAL))
    world.await_end(turn)
    size = sum(path.stat().st_size for path in turn.rglob("*") if path.is_file())
    what = "directory of a typical turn: 10 commands, a patch, 640 deltas"
    yield Row(what, Amount(size / 1000, "KB"), max_value=110)
