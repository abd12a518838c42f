"""Queries about a process that may end at any moment. Never here: what a home or a turn is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.kit.support import DEADLINE_S, wait_until

_CODEX_ITSELF = ("echo '# Snapshot file'", "ls-remote https://github.com/openai/plugins.git", "/lsb_release -a")


def with_variable(name: str, value: str) -> list[psutil.Process]:
    """The live processes that have this variable in the environment that they began with.

    Reads the files of Linux itself where there are any: psutil takes ten times as long for all processes of a machine.
    """
    wanted, is_linux = f"{name}={value}", Path("/proc/self/environ").exists()
    found = []
    for pid in psutil.pids():
        try:
            if is_linux:
                is_wanted = wanted.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            else:
                is_wanted = psutil.Process(pid).environ().get(name) == value
            if is_wanted:
                found.append(psutil.Process(pid))
        except (psutil.Error, OSError, ValueError):  # a zombie, a kernel thread, another user's, or over
            continue
    return found


def named(processes: Iterable[psutil.Process], name: str) -> list[psutil.Process]:
    """Those of this name that have not ended since they were found."""
    found = []
    for process in processes:
        with suppress(psutil.Error):
            found += [process] if process.name() == name else []
    return found


def is_forked_of_itself(process: psutil.Process) -> bool:
    """Whether the parent runs the same command: a child between its fork and its exec."""
    try:
        return process.parents()[0].cmdline() == process.cmdline()
    except (psutil.Error, IndexError):
        return False


def is_over(process: psutil.Process) -> bool:
    """Whether it has ended since it was found: an exiting process has no memory, so no command line, any more."""
    try:
        return not process.cmdline()
    except psutil.Error:
        return True


def is_of_codex_itself(process: psutil.Process) -> bool:
    """Whether an app-server started it for no turn: the snapshot of the login shell with what that runs, the look for
    new plugins, the name of the system. Such a process takes its time, and ends by itself or with its app-server."""
    try:
        lines = [" ".join(each.cmdline()) for each in (process, *process.parents())]
    except psutil.Error:
        return False
    return any(word in line for line in lines for word in _CODEX_ITSELF)


def is_running(pid: int) -> bool:
    """Whether there is such a process, that is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Have a process hang meanwhile, each thread of it: they stop one after the other."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: _states_of(pid) == {"T"}, what="the stop of each thread")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states_of(pid: int) -> set[str]:
    files = Path(f"/proc/{pid}/task").glob("*/stat")
    return {file.read_text().rpartition(")")[2].split()[0] for file in files} or {"T"}


def has(process: psutil.Process, words: tuple[str, ...]) -> bool:
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return all(word in line for word in words)


def end(processes: Iterable[psutil.Process]) -> list[str]:
    """Kill those that have not ended.

    Returns:
        Their command lines.
    """
    words, killed = [], []
    for process in processes:
        try:
            line = " ".join(process.cmdline())
            if line:  # an exiting process has none any more
                process.kill()
                words.append(line)
                killed.append(process)
        except psutil.Error:  # it ended after all
            continue
    psutil.wait_procs(killed, timeout=DEADLINE_S)
    return words
