"""Whether a process of the shared server is still that process. Must never signal one, and import next to nothing.

The same proof as `disk.process` gives for a worker, which this package must not import: start in clock ticks and boot.
"""

from __future__ import annotations


def start_ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since the boot; None where there is none, or only a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 — pathlib is another 2 MB
            state, *facts = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if boot_id() else _start_without_proc(pid)
    except OSError:  # not to be read
        return None
    return None if state in (b"Z", b"X") else int(facts[18])


def boot_id() -> str:
    """What names this boot of the machine; empty where there is no `/proc`."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    """The children of a process, zombies included; none where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _start_without_proc(pid: int) -> int | None:
    import psutil  # macOS

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 100)
    except psutil.Error:
        return None
