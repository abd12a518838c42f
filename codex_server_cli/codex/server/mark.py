"""What tells a process of a shared server where its environment was emptied and its parents are gone: a soft limit.

Every process inherits the limits of its parent, and no `env -i`, `setsid` or end of a parent changes them. The limit on
file locks (`RLIMIT_LOCKS`) has no meaning to Linux since 2.4.25; ours is a number that no other program would set: the
directory of the server, and the generation. Must import next to nothing: the keeper has it.
"""

from __future__ import annotations

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
    """Mark this process, and all that will come of it."""
    if sys.platform != "linux":
        return
    try:
        import resource

        resource.setrlimit(_RLIMIT_LOCKS, (_mark_of(directory, number), resource.getrlimit(_RLIMIT_LOCKS)[1]))
    except (ImportError, OSError, ValueError):  # a lower limit was set before us
        return


def marked(directory: str) -> dict[int, int]:
    """The processes that a server's generations have left: the number of the generation, by pid.

    Without those that somebody else looks after, and what comes of them: see `is_of_another`.
    """
    first, found = _mark_of(directory, 0), {}
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return {}
    for pid in pids:
        number = _limit_of(pid) - first
        if 0 < number < 1 << _NUMBER_BITS and pid != os.getpid() and not _has_another_above(pid):
            found[pid] = number
    return found


def is_of_another(pid: int) -> bool:
    """Whether a process is not its server's to end: a keeper, or a process of a turn, also of one that a turn has
    started. A turn's processes are ended with that, and it may be a turn on another server."""
    if _KEEPER in _words("cmdline", pid):
        return True
    variables = _words("environ", pid).split(b"\0")
    return any(each.startswith(_TURN) and each != _SERVER for each in variables)


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


def _has_another_above(pid: int) -> bool:
    for _ in range(_MOST_ANCESTORS):
        if pid <= 1:
            return False
        if is_of_another(pid):
            return True
        facts = _words("stat", pid).rpartition(b")")[2].split()
        pid = int(facts[1]) if facts else 0
    return False


def _words(name: str, pid: int) -> bytes:
    """A file of a process; empty where it is gone, or not ours to read."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
