"""A month of turns on disk, copied from a real one: complete directories with other ids, times and ends.

For `usage` and `gc`, which read many turns. Deterministic for a given time. Must never start a process.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

A_DAY = 500
DAYS = 30

_DAY_S = 86400
_REWRITTEN = ("meta.json", "result.json", "done", "error")
_ENDS = (
    (0.9, None),
    (0.93, "cancelled"),
    (0.96, "usage_limit"),
    (0.98, "network"),
    (0.99, "worker_died"),
    (1, "stalled"),
)
_STATES = {None: "complete", "cancelled": "cancelled", "worker_died": "abandoned"}
_MODELS = ("gpt-5.6", "gpt-5.6-codex", "gpt-5.6-mini")
_NAMED = 0.2


def fill(
    specimen: Path, turns: Path, *, days: int = DAYS, a_day: int = A_DAY, shares_files: bool = False
) -> list[Path]:
    """Put a month of ended turns into a folder, evenly spread over the days before now, oldest first.

    Args:
        specimen: the directory of a turn that has completed.
        turns: the folder; created if missing.
        shares_files: hard-link the files that are the same in all: much faster, where disk usage does not matter.
    """
    turns.mkdir(mode=0o700, parents=True, exist_ok=True)
    chance, now_s, step_s = random.Random(0), time.time(), _DAY_S / a_day
    parts = {name: json.loads((specimen / name).read_bytes()) for name in ("meta.json", "result.json")}
    started = (now_s - step_s * (days * a_day - i) for i in range(days * a_day))
    return [_make(specimen, turns, parts, started_s, chance, shares_files=shares_files) for started_s in started]


def _make(
    specimen: Path, turns: Path, parts: dict[str, Any], started_s: float, chance: random.Random, *, shares_files: bool
) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(started_s))
    turn = turns / f"{stamp}-{int(started_s * 1000) % 1000:03}-{chance.getrandbits(16):04x}"
    turn.mkdir(mode=0o700)
    _copy_files(specimen, turn, shares_files=shares_files)
    ended_s = started_s + chance.lognormvariate(4, 1.2)
    for name, content in _record(turn.name, parts, started_s, ended_s, chance):
        (turn / name).write_text(json.dumps(content, indent=1) + "\n")
        os.utime(turn / name, (ended_s, ended_s))
    return turn


def _record(
    turn_id: str, parts: dict[str, Any], started_s: float, ended_s: float, chance: random.Random
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files that differ from turn to turn, by name; the marker last."""
    ended_at, draw = _rfc3339(ended_s), chance.random()
    kind = next(kind for below, kind in _ENDS if draw < below)
    fresh, cached, out = (int(chance.lognormvariate(mean, 1)) for mean in (8, 10, 7))
    usage = {
        "input_tokens": fresh + cached,
        "cached_input_tokens": cached,
        "output_tokens": out,
        "reasoning_output_tokens": out // 3,
        "total_tokens": fresh + cached + out,
    }
    name = f"job-{chance.getrandbits(32):x}" if chance.random() < _NAMED else None
    request = {
        "model": chance.choice(_MODELS),
        "cwd": f"/home/someone/project-{int(chance.triangular(0, 8, 0))}",
    }
    times = {"started_at": _rfc3339(started_s), "finished_at": ended_at}
    yield "meta.json", parts["meta.json"] | request | times | {"turn_id": turn_id, "name": name}
    error = None
    if kind is not None:
        error = {"version": 1, "kind": kind, "message": f"it was {kind}", "hint": "", "retryable": False}
    end = {"turn_id": turn_id, "state": _STATES.get(kind, "failed"), "usage": usage, "error": error}
    yield "result.json", parts["result.json"] | request | end | {"finished_at": ended_at}
    yield ("done" if error is None else "error"), {"version": 1, **(error or {}), "finished_at": ended_at}


def _copy_files(specimen: Path, turn: Path, *, shares_files: bool) -> None:
    for path in specimen.iterdir():
        copy = turn / path.name
        if path.name in _REWRITTEN:
            continue
        if path.is_dir():
            copy.mkdir(mode=0o700)
        elif shares_files:
            copy.hardlink_to(path)
        elif path.is_fifo():
            os.mkfifo(copy, 0o600)
        else:
            shutil.copy(path, copy)


def _rfc3339(unix_s: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(unix_s))}.{int(unix_s * 1000) % 1000:03}Z"
