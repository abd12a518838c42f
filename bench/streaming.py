"""The speed of text to `out.txt`, and through `tail --follow` to a reader; and a worker's memory meanwhile."""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bench.measure import in_s, memory_mb
from bench.scale import Scale
from bench.table import Amount, Row
from bench.world import World

HELD_DELTAS = 2000
_TICK = re.compile(rb"tick-\d+ ")
_READ_BYTES = 1 << 16


def memory(world: World, scale: Scale) -> Iterator[Row]:
    """The worker in the middle of an answer, compared with an interpreter without imports."""
    bare = world.popen(world.python, "-c", "import os; print(flush=True); os.read(os.pipe()[0], 1)")
    try:
        assert bare.stdout is not None
        bare.stdout.readline()
        with world.held_turns(1, HELD_DELTAS) as (turn,):
            worker_mb = memory_mb(worker_pid(turn))
            bare_mb = memory_mb(bare.pid)
    finally:
        bare.kill()
        bare.communicate()
    reference = Amount(bare_mb, "MB", of="bare interpreter")
    yield Row("worker while streaming, proportional memory", Amount(worker_mb, "MB"), reference, max_value=12)


def stream(world: World, scale: Scale) -> Iterator[Row]:
    """Seconds from `turn/start` to the last byte: in `out.txt`, and at a reader that drops the data."""
    ours_s, bare_s = [], []
    for _ in range(scale.streams):
        bare_s.append(world.bare(1, str(scale.deltas)))
        turn = world.start(str(scale.deltas))
        world.await_end(turn)
        ours_s.append((turn / "out.txt").stat().st_mtime - _sent_s(turn, "turn/start"))
    reference = in_s(bare_s, "bare reader")
    yield Row(f"{scale.deltas:,} deltas through the worker to `out.txt`", in_s(ours_s), reference, max_ratio=1.05)


def latency(world: World, scale: Scale) -> Iterator[Row]:
    """From the timestamp of an event in `events.jsonl` to its text on the other end of `tail --follow`'s pipe."""
    turn = world.start(f"ticks {scale.ticks}")
    log = (turn / "events.jsonl").open("rb")  # at the end a new file without the deltas replaces it
    tail = world.popen(world.command, "tail", turn.name, "--follow")
    assert tail.stdout is not None
    attached_s, printed_s = 0.0, dict[str, float]()
    while data := os.read(tail.stdout.fileno(), _READ_BYTES):
        now_s = time.time()
        attached_s = attached_s or now_s
        printed_s |= {tick.decode(): now_s for tick in _TICK.findall(data)}
    tail.communicate()
    world.await_end(turn)
    delays_ms = [
        (printed_s[event["params"]["delta"]] - event["ts"] / 1000) * 1000
        for event in _events(log)
        if event.get("method") == "item/agentMessage/delta" and event["ts"] / 1000 > attached_s
    ]
    what = "`tail --follow`, event written → printed"
    yield Row(f"{what}, median", Amount(statistics.median(delays_ms), "ms"), max_value=15)
    yield Row(f"{what}, worst of {len(delays_ms)}", Amount(max(delays_ms), "ms"), max_value=60)


def worker_pid(turn: Path) -> int:
    """The pid of a turn's worker."""
    pid: int = json.loads((turn / "meta.json").read_bytes())["pid"]
    return pid


def _events(log: BinaryIO) -> Iterator[dict[str, Any]]:
    with log as lines:
        yield from map(json.loads, lines)


def _sent_s(turn: Path, method: str) -> float:
    """When the worker sent its only request of this method, as Unix time."""
    sent_ms: int = next(
        e["ts"] for e in _events((turn / "events.jsonl").open("rb")) if e["dir"] == "out" and e.get("method") == method
    )
    return sent_ms / 1000
