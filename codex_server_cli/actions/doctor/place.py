"""The checks of `doctor` for the environment that it runs in: what would end a worker, and what reaps ended ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

from codex_server_cli.actions.start.surroundings import find_ending
from codex_server_cli.settings.places import Settings

_PROC = Path("/proc")
_COLLECTED_S = 5.0
"""An init reaps at once; some programs that serve as one do it every other second."""
_POLL_S = 0.01


def look_at_place(settings: Settings) -> str | tuple[str, str]:
    """What would end a worker that is started here, and what to do about it."""
    found = find_ending(settings)
    if found is None:
        return "outlive the shell, the terminal and the connection that start them"
    return f"one that is started here ends with {found.event}", found.remedy


class Orphan:
    """An ended process with an ended parent, to check whether process 1 reaps it.

    In a container without an init, process 1 is any program, and each worker that has ended stays in the process table
    as a zombie for as long as the container runs.
    """

    def __init__(self, proc: Path = _PROC) -> None:
        self._until = time.monotonic() + _COLLECTED_S
        self._proc = proc
        self._path: Path | None = None
        if os.getpid() == 1 or not (proc / "self").exists():
            return  # the container ends with us; or macOS, where launchd reaps
        with contextlib.suppress(OSError):
            run = subprocess.run(["/bin/sh", "-c", "sleep 0 & echo $!"], capture_output=True, text=True, check=False)
            pid = run.stdout.strip()
            self._path = proc / pid if pid.isdecimal() else None

    def problem(self) -> tuple[str, str] | None:
        """The problem and a hint where it was not reaped; None where it was."""
        while self._path is not None and (state := _text(self._path / "stat").rpartition(")")[2].split()):
            if time.monotonic() > self._until:
                return _not_collected(self._proc, state[1]) if state[0] == "Z" else None  # else the pid was reused
            time.sleep(_POLL_S)
        return None


def _not_collected(proc: Path, parent: str) -> tuple[str, str]:
    name = _text(proc / parent / "comm").strip() or "?"
    detail = f"process {parent} ({name}) does not collect ended processes: each ended worker stays in the process table"
    return detail, "Start the container with an init: docker run --init, `init: true` in a compose file"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
