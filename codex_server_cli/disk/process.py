"""Whether a pid still belongs to the recorded process. Owns the proof; must never end or start a process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MAX_PID = 1 << 31


def process_identity(pid: int) -> tuple[int | None, str | None]:
    """What proves, with the pid, that a process is still the same: its start in clock ticks, and the boot id.

    psutil's `create_time` shifts when the clock steps, so it is no proof. Returns (None, None) where there is no such
    process, or only a zombie.
    """
    if not 0 < pid < _MAX_PID:
        return None, None
    try:
        state, *facts = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:  # it has ended, or there is no /proc
        return _identity_without_proc(pid)
    return (None, None) if state in (b"Z", b"X") else (int(facts[18]), boot_id)


def _identity_without_proc(pid: int) -> tuple[int | None, str | None]:
    """macOS: only the start time exists; after a clock step it does not match, and no process is killed."""
    import psutil

    try:
        process = psutil.Process(pid)
        is_dead = process.status() == psutil.STATUS_ZOMBIE
        return (None, None) if is_dead else (int(process.create_time() * 100), "unknown")
    except psutil.Error:  # no such process, or another user's, which cannot be queried
        return None, None


def living_worker(meta: Mapping[str, Any]) -> int | None:
    """The pid of the worker that a `meta.json` names, where that same process is alive; else None."""
    pid, proof = _worker_of(meta)
    return pid if pid is not None and process_identity(pid) == proof else None


def has_dead_worker(meta: Mapping[str, Any]) -> bool:
    """Whether a `meta.json` names a worker, and that process is gone."""
    pid, proof = _worker_of(meta)
    return pid is not None and process_identity(pid) != proof


def is_worker(pid: int, meta: Mapping[str, Any]) -> bool:
    """Whether this process is the worker that a `meta.json` names, whose pid may be of another namespace."""
    return process_identity(pid) == _worker_of(meta)[1]


def _worker_of(meta: Mapping[str, Any]) -> tuple[int | None, tuple[object, object]]:
    """Its pid and its identity; the pid is None where either is missing."""
    pid, proof = meta.get("pid"), (meta.get("pid_start_ticks"), meta.get("boot_id"))
    return (pid, proof) if isinstance(pid, int) and None not in proof else (None, proof)
