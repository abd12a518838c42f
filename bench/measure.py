"""Reading clocks and counters. Owns how a number is taken; must never know what is measured.

Memory and processor time come from the kernel through psutil; proportional memory (PSS) exists only on Linux.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterable, Sequence

import psutil

from bench.table import Amount


def alternate(
    n: int, *runs: Callable[[], object], wait_quiet: Callable[[], object] = lambda: None
) -> list[list[float]]:
    """Time each of `runs` `n` times, alternating, so that other load on the machine affects all of them alike.

    Args:
        wait_quiet: called after each run and not timed: waits until nothing of the run is in progress.

    Returns:
        Seconds, for each run in order. One round before the first is discarded: it warms the caches.
    """
    times_s: list[list[float]] = [[] for _ in runs]
    for is_counted in (False, *(True,) * n):
        for run, spent_s in zip(runs, times_s, strict=True):
            started = time.perf_counter()
            run()
            elapsed_s = time.perf_counter() - started
            wait_quiet()
            if is_counted:
                spent_s.append(elapsed_s)
    return times_s


def in_ms(times_s: Sequence[float], of: str = "") -> Amount:
    """The median and the minimum of several times, in milliseconds."""
    return Amount(statistics.median(times_s) * 1000, "ms", min(times_s) * 1000, of)


def in_s(times_s: Sequence[float], of: str = "") -> Amount:
    """The median and the minimum of several times, in seconds."""
    return Amount(statistics.median(times_s), "s", min(times_s), of)


def memory_mb(pid: int) -> float:
    """The proportional memory of a process: its own pages, and its share of the shared ones."""
    pss: int = psutil.Process(pid).memory_full_info().pss
    return pss / 1e6


def tree_memory_mb(pids: Iterable[int]) -> float:
    """The proportional memory of these processes and all their descendants."""
    roots = [psutil.Process(pid) for pid in pids]
    below = (child for root in roots for child in root.children(recursive=True))
    total = 0.0
    for process in {*roots, *below}:
        with contextlib.suppress(psutil.Error):  # a helper of codex that has just ended
            total += memory_mb(process.pid)
    return total


def idle_cost(pids: Sequence[int], duration_s: float) -> list[Amount]:
    """How much of one core each process uses while nothing happens for `duration_s`."""
    processes = [psutil.Process(pid) for pid in pids]
    before = [_cpu_s(process) for process in processes]
    started = time.monotonic()
    time.sleep(duration_s)
    elapsed_s = time.monotonic() - started
    return [
        Amount((_cpu_s(process) - spent_s) / elapsed_s * 100, "%")
        for process, spent_s in zip(processes, before, strict=True)
    ]


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
