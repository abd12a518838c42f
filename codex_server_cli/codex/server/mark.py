"""Marking the processes of a shared server by a soft limit, which survives an emptied environment and lost parents.

Every process inherits the limits of its parent, and no `env -i`, `setsid` or end of a parent changes them. The limit on
file locks (`RLIMIT_LOCKS`) has no effect in Linux since 2.4.25; ours is a number that no other program would set: it
encodes the server's directory and the generation. Must import next to nothing: the keeper imports it.
"""

from __future__ import annotations

import fcntl
import os
import sys

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.settings.environment import SERVER_MARK

_RLIMIT_LOCKS = 10
_LINE = b"Max file locks"
_NUMBER_BITS = 20
_MOST_ANCESTORS = 100
_KEEPER = b"codex_server_cli.codex.server.keeper.main"
_TURN = f"{TURN_VARIABLE}=".encode()
_SERVER = _TURN + SERVER_MARK.encode()


def set_mark(directory: str, number: int) -> None:
    """Mark this process, and all its future descendants."""
    if sys.platform != "linux":
        return
    try:
        import resource

        resource.setrlimit(_RLIMIT_LOCKS, (_mark_of(directory, number), resource.getrlimit(_RLIMIT_LOCKS)[1]))
    except (ImportError, OSError, ValueError):  # a lower limit was set before us
        return


def marked(directory: str) -> dict[int, int]:
    """The marked processes of a server's generations: the number of the generation, by pid.

    Without those that another owner ends, and their descendants (`is_of_another`).
    """
    first, found = _mark_of(directory, 0), {}
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return {}
    for pid in pids:
        number = _limit_of(pid) - first
        if 0 < number < 1 << _NUMBER_BITS and pid != os.getpid() and not _has_another_above(pid, directory):
            found[pid] = number
    return found


def is_of_another(pid: int, directory: str) -> bool:
    """Whether the server must not end a process: a keeper, or one of a turn that has a worker.

    A turn's worker ends the turn's processes; the exception are those of a turn of this home without a worker.

    Args:
        directory: of the server, two levels below the home.
    """
    if _KEEPER in _words("cmdline", pid):
        return True
    for each in _words("environ", pid).split(b"\0"):
        if each.startswith(_TURN):
            return each != _SERVER and not _has_no_worker(each.removeprefix(_TURN), directory)
    return False


def _has_no_worker(turn_id: bytes, directory: str) -> bool:
    """Whether this home has such a turn, and its lock is free."""
    if b"/" in turn_id:
        return False
    path = b"%s/../../turns/%s/lock" % (os.fsencode(directory), turn_id)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _mark_of(directory: str, number: int) -> int:
    from _blake2 import blake2b

    where = blake2b(os.fsencode(os.path.realpath(directory)), digest_size=5).digest()
    return (int.from_bytes(where, "big") << _NUMBER_BITS) + number % (1 << _NUMBER_BITS)


def _limit_of(pid: int) -> int:
    """The soft limit on file locks; 0 where there is none."""
    for line in _words("limits", pid).splitlines():
        if line.startswith(_LINE):
            word = line.removeprefix(_LINE).split()[0]
            return int(word) if word.isdigit() else 0
    return 0


def _has_another_above(pid: int, directory: str) -> bool:
    for _ in range(_MOST_ANCESTORS):
        if pid <= 1:
            return False
        if is_of_another(pid, directory):
            return True
        facts = _words("stat", pid).rpartition(b")")[2].split()
        pid = int(facts[1]) if facts else 0
    return False


def _words(name: str, pid: int) -> bytes:
    """A file of a process in `/proc`; empty where it is gone, or not readable."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
