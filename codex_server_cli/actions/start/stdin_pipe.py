"""Finding the writer of our stdin. Owns whether it is a pipeline, to be read to EOF, or a writer that may never write.

Uses only `/proc`, so it works only on Linux; elsewhere nothing is known. A shell closes its own ends of a pipe before
the last command of the pipeline runs: then other processes of its session hold the write end. A program that started us
holds it itself. And a shell that reads its commands from a pipe (`ssh host bash -s`, an agent's one shell for all its
commands) passes this pipe to each of them, with the next commands still in it. Must never read from stdin.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import PurePath

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"})
_WITH_VALUE = ("--rcfile", "--init-file")
_START_STACK, _PARENT = 25, 1  # indexes of the fields in `stat` after the name
_SCAN_S = 0.25


class Writer(Enum):
    """The process that holds the write end of a pipe."""

    CALLER = "a process that we descend from"
    SIBLING = "another one of our pipeline"
    UNKNOWN = "a process that we cannot see"


def ancestors() -> list[int]:
    """The processes that we descend from, nearest first; empty where that is not known."""
    found: list[int] = []
    pid = os.getppid()
    while pid > 0 and pid not in found and (facts := _stat(pid)):
        found.append(pid)
        pid = int(facts[_PARENT])
    return found


def holds_commands(above: list[int]) -> bool:
    """Whether a shell among our ancestors reads its commands from our stdin.

    Args:
        above: the result of `ancestors`.
    """
    ours = _link("self", "0")
    for place, pid in enumerate(above):
        if _link(pid, "0") != ours or not reads_commands(_arguments(pid)):
            continue
        # A subshell, `(…)`, is a forked copy that may have another stdin: its original reads the commands.
        original = next(
            (
                each
                for each, parent in zip(above[place:], above[place + 1 :], strict=False)
                if not _is_copy(each, parent)
            ),
            above[-1],
        )
        if _link(original, "0") == ours:
            return True
    return False


def reads_commands(arguments: list[str]) -> bool:
    """Whether a command line is a shell without a script and without `-c`."""
    if not arguments or PurePath(arguments[0]).name.lstrip("-") not in _SHELLS:
        return False
    words = iter(arguments[1:])
    for word in words:
        if word in ("-", "--"):
            return next(words, None) is None
        if word[:1] not in ("-", "+"):
            return False
        if word in _WITH_VALUE or (word[1] != "-" and word[-1] in "oO"):
            next(words, None)
        elif word[0] == "-" and word[1] != "-" and ("c" in word or "s" in word):
            return "c" not in word
    return True


def writer_of_stdin(above: list[int]) -> Writer:
    """Which process holds the write end of our stdin's pipe.

    Args:
        above: the result of `ancestors`.
    """
    ours = _link("self", "0")
    if not ours:
        return Writer.UNKNOWN
    if any(_writes(pid, ours) for pid in above):
        return Writer.CALLER
    deadline = time.monotonic() + _SCAN_S
    for pid in _others(above):
        if time.monotonic() > deadline:
            break
        if _writes(pid, ours) and _is_near(pid):
            return Writer.SIBLING
    return Writer.UNKNOWN


def _others(above: Iterable[int]) -> Iterator[int]:
    """All other processes, those with the nearest pid first."""
    us = os.getpid()
    pids = {int(name) for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208 — names, not paths
    yield from sorted(pids - {us, *above}, key=lambda pid: abs(pid - us))


def _is_near(pid: int) -> bool:
    """Whether a process was started with us: any other may hold the pipe open indefinitely, as a caller may."""
    facts = _stat(pid)
    try:
        return os.getsid(pid) == os.getsid(0) or bool(facts and int(facts[_PARENT]) == os.getppid() > 1)
    except OSError:  # gone
        return False


def _writes(pid: int, pipe: str) -> bool:
    """Whether a process has this pipe open for writing; False where it may not be inspected."""
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            if _link(pid, fd) == pipe and _flags(pid, fd) & os.O_ACCMODE != os.O_RDONLY:
                return True
    except OSError:  # gone, or another user's
        return False
    return False


def _flags(pid: int, fd: str) -> int:
    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:  # noqa: PTH123 — no pathlib for a few lines
        return next((int(line.split()[1], 8) for line in file if line.startswith("flags:")), 0)


def _link(pid: int | str, fd: str) -> str:
    """The target of a descriptor, `pipe:[1234]`; empty where that is not known."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{fd}")  # noqa: PTH115
    except OSError:  # closed, gone, or another user's
        return ""


def _arguments(pid: int) -> list[str]:
    return os.fsdecode(_read(pid, "cmdline")).split("\0")[:-1]


def _is_copy(pid: int, parent: int) -> bool:
    """Whether a process is a fork of its parent without an exec: its stack begins at the same address."""
    facts, of_parent = _stat(pid), _stat(parent)
    return bool(facts and of_parent and facts[_START_STACK] == of_parent[_START_STACK] != b"0")


def _stat(pid: int) -> list[bytes]:
    """The fields of `/proc/PID/stat` after the name; empty where there is none."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:  # gone, or no Linux
        return b""
