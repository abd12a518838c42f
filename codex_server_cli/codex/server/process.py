"""Facts about a shared server, observed from outside: its process, and whether it listens.

The identity of a process is proved by its start in clock ticks and the boot id, as in `disk.process`, which this
package must not import. Must never signal a process, and import next to nothing.
"""

from __future__ import annotations

import os

_CLIENT_PATH_BYTES = 107
"""The longest path to which a client can connect; codex's own path has no limit, because codex makes a link."""


def start_ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since the boot; None where there is none, or only a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 — pathlib is another 2 MB
            state, *facts = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if boot_id() else _start_without_proc(pid)
    except OSError:  # not readable
        return None
    return None if state in (b"Z", b"X") else int(facts[18])


def boot_id() -> str:
    """The id of this boot of the machine; empty where there is no `/proc`."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    """The children of a process, zombies included; empty where the kernel does not list them."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def can_connect(path: str) -> bool:
    """Whether a process listens on a unix socket. True, too, where it is only too busy to accept."""
    from _socket import AF_UNIX, SOCK_STREAM, socket  # the module around it takes 1 MB

    connection = socket(AF_UNIX, SOCK_STREAM)
    connection.settimeout(1.0)
    try:
        connection.connect(path if len(os.fsencode(path)) <= _CLIENT_PATH_BYTES else os.readlink(path))  # noqa: PTH115
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except OSError as error:  # its backlog is full, or it is not a socket
        return isinstance(error, TimeoutError | BlockingIOError)
    finally:
        connection.close()
    return True


def _start_without_proc(pid: int) -> int | None:
    import psutil  # macOS

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 100)
    except psutil.Error:
        return None
