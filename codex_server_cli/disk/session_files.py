"""Codex's session files, by name and time only. Must never open one: `codex_sessions` reads them.

With 10 000 sessions a list costs one `stat` each.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.core.history.session_file import thread_id_of

_DATE_DEPTH = 3
"""`YYYY/MM/DD`: a bound, so that no symlink loop makes the walk endless."""


class SessionFile(NamedTuple):
    """A session file: its modification time (Unix seconds), path and thread."""

    mtime_s: float
    path: str
    thread_id: str


_Dated = tuple[float, str, str]
"""A file's modification time, its directory and its name: sorts by age."""


def thread_ids(codex_home: Path) -> list[str]:
    """The ids of all threads that are not archived, sub-agents included, newest first; opens no file."""
    return [file.thread_id for file in newest_first(codex_home)]


def has_session(codex_home: Path, thread_id: str) -> bool:
    """Whether a thread has a session file, archived or not: Codex writes none before the first turn."""
    return any(
        True for folder in ("sessions", "archived_sessions") for _ in newest_first(codex_home, thread_id, folder)
    )


def newest_first(
    codex_home: Path, part: str = "", folder: str = "sessions", *, is_end: bool = False
) -> Iterator[SessionFile]:
    """Every session file whose thread id begins with `part`, or ends with it, the newest first.

    Args:
        folder: of Codex's home: `sessions`, or `archived_sessions`.
    """
    found: list[_Dated] = []
    _collect(os.fspath(codex_home / folder), part, _DATE_DEPTH, found)
    found.sort(reverse=True)
    for mtime_s, directory, name in found:
        thread_id = thread_id_of(name)  # parsed lazily: most callers need only the first ones
        if thread_id is not None and (thread_id.endswith(part) if is_end else thread_id.startswith(part)):
            yield SessionFile(mtime_s, f"{directory}/{name}", thread_id)


def _collect(directory: str, prefix: str, depth: int, found: list[_Dated]) -> None:
    """Append the regular files below a directory whose names may hold the prefix.

    A list takes half the time of nested generators, and a `stat` relative to an open directory is faster than by path.
    """
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # not readable (another user's), or missing
        return
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                name = entry.name
                if name.isdigit():
                    if depth:
                        _collect(f"{directory}/{name}", prefix, depth - 1, found)
                elif prefix in name:
                    try:
                        status = entry.stat()
                    except OSError:  # archived or deleted meanwhile
                        continue
                    if stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime, directory, name))
    except OSError:  # a disk that fails: what was read is listed
        return
    finally:
        os.close(fd)
