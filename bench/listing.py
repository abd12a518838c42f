"""Lists over many files: our turns, and Codex's sessions; the usage of a month of turns. All files are copies."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from bench import month
from bench.measure import alternate, in_ms
from bench.scale import Scale
from bench.table import Row
from bench.world import TYPER, BenchError, World

_FIRST_S = 1_780_000_000
_SPARE_BYTES = 1 << 30


def list_turns(world: World, scale: Scale) -> Iterator[Row]:
    """`list-turns` without options: the newest twenty of all."""
    home = world.root / "many-turns"
    world.make_home(home)
    month.fill(world.specimen, home / "turns", days=scale.files // month.A_DAY, shares_files=True)
    env = world.homes(home, world.codex_home)
    yield _row(world, scale, f"`list-turns` with {scale.files:,} turns", env, "list-turns", max_ratio=1.0)
    shutil.rmtree(home)


def usage(world: World, scale: Scale) -> Iterator[Row]:
    """`usage` over a month of turns."""
    home = world.root / "a-month"
    world.make_home(home)
    n_turns = len(month.fill(world.specimen, home / "turns", days=scale.days, shares_files=True))
    os.sync()
    env = world.homes(home, world.codex_home)
    groupings = ("day", "model")
    verbs = [(world.command, "usage", "--since", "60d", "--by", by) for by in groupings]
    runs = [lambda verb=verb: world.run(*verb, env=env) for verb in verbs]
    for by, times_s in zip(groupings, alternate(scale.samples, *runs), strict=True):
        yield Row(f"`usage --by {by}` with {n_turns:,} turns", in_ms(times_s), max_value=1000)
    shutil.rmtree(home)


def list_threads(world: World, scale: Scale) -> Iterator[Row]:
    """`list` without options: the newest twenty of all."""
    specimen = min(world.codex_home.glob("sessions/*/*/*/*.jsonl"))  # the oldest: a trivial turn's
    codex_home = world.root / "many-sessions"
    needed = scale.files * specimen.stat().st_size + _SPARE_BYTES
    if shutil.disk_usage(world.root).free < needed:
        raise BenchError(f"{needed / 1e9:.1f} GB of free space are needed in {world.root.parent}")
    _copy_sessions(specimen, codex_home / "sessions", scale.files)
    env = world.homes(world.home, codex_home)
    yield _row(world, scale, f"`list` with {scale.files:,} session files", env, "list", max_ratio=1.7)
    shutil.rmtree(codex_home)


def _row(world: World, scale: Scale, what: str, env: dict[str, str], verb: str, *, max_ratio: float) -> Row:
    os.sync()  # the copies must not be written back during the measurement
    ours, typer = alternate(scale.samples, lambda: world.run(world.command, verb, env=env), world.import_typer)
    return Row(what, in_ms(ours), in_ms(typer, TYPER), max_ratio=max_ratio)


def _copy_sessions(specimen: Path, sessions: Path, n: int) -> None:
    """Make full copies under other ids, spread over a year of folders, each with its own mtime."""
    data = specimen.read_bytes()
    own_id = specimen.stem[-36:]
    for i in range(n):
        folder = sessions / "2026" / f"{i * 12 // n + 1:02}" / f"{i * 336 // n % 28 + 1:02}"
        folder.mkdir(parents=True, exist_ok=True)
        thread_id = str(uuid.UUID(int=uuid.UUID(own_id).int + i))
        path = folder / f"rollout-2026-05-28T00-00-00-{thread_id}.jsonl"
        path.write_bytes(data.replace(own_id.encode(), thread_id.encode()))
        os.utime(path, (_FIRST_S + i, _FIRST_S + i))
